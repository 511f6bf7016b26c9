'use client';

import { useActionState } from 'react';
import type { Action } from '#components/console/action.ts';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { SubmitButton } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import type { OpenedDevice } from '#lib/registration/open-device.ts';

/** Two digits, as the device writes it. */
const written = (number: number) => String(number).padStart(2, '0');

/** Whether this is the device in front of the person: who asks, from where, and which number it shows. */
export function DeviceNumberView({
  device,
  match,
  deny,
}: {
  device: OpenedDevice;
  match: Action<{ deviceId: string; number: number }, { handle: string }>;
  deny: Action<{ deviceId: string }, { deviceId: string }>;
}) {
  const [answer, submit] = useActionState(match, null);
  const [denied, submitDenial] = useActionState(deny, null);
  const failed = [answer, denied].find((each) => each && !each.ok);
  const problem = failed && !failed.ok ? failed.problem : null;
  const isOver = device.state === 'ended' || device.state === 'over' || problem?.code === 'conflict';
  const client = <UntrustedText text={device.client.name || device.client.id} />;
  return (
    <div className="mx-auto grid max-w-110 gap-4">
      <Card>
        <div className="grid gap-4">
          <div className="grid gap-1">
            <h1 className="break-words font-semibold text-lg tracking-tight">
              {isOver ? <>This sign-in of {client} is over</> : <>Is this your device?</>}
            </h1>
            {!isOver && (
              <p className="text-fg-2 text-sm">
                {client} asks to sign in. Go on only if you started it yourself just now.
              </p>
            )}
          </div>
          {problem && (
            <Callout tone="danger" announce title={problem.detail}>
              {problem.code === 'internal' && <code className="text-xs">{problem.requestId}</code>}
            </Callout>
          )}
          {isOver && !problem && (
            <p className="text-fg-2 text-sm">
              {device.state === 'ended'
                ? 'You did not recognise it, so it gets nothing. If somebody gave you its code, tell your admins.'
                : 'The device has stopped asking.'}
            </p>
          )}
          <DescriptionList
            items={[
              { term: 'Asks from', value: <Address address={device.device.address} /> },
              { term: 'You are at', value: <Address address={device.browserAddress} /> },
              { term: 'Since', value: <RelativeTime at={device.device.askedAt} /> },
              device.device.userAgent !== null && {
                term: 'Program',
                value: <UntrustedText text={device.device.userAgent} />,
              },
            ]}
          />
          {!isOver && device.device.place !== 'same network' && (
            <Callout
              tone="warning"
              title={
                device.device.place === 'other network'
                  ? 'The device is in another network than you'
                  : 'Whether the device is where you are cannot be told'
              }
            >
              If it is a computer in front of you, stop here. From another network a device is let in only
              once an approver has seen both addresses.
            </Callout>
          )}
          {isOver ? (
            <div>
              <LinkButton variant="primary" href="/device">
                Type another code
              </LinkButton>
            </div>
          ) : (
            <form action={submit} className="grid gap-2">
              <input type="hidden" name="deviceId" value={device.id} />
              <fieldset className="grid gap-2">
                <legend className="mb-2 font-medium text-sm">
                  Which number does it show at the end of its code?
                </legend>
                <div className="grid grid-cols-3 gap-2">
                  {device.choices.map((number) => (
                    <SubmitButton
                      key={number}
                      variant="secondary"
                      size="lg"
                      name="number"
                      value={number}
                      aria-label={`The device shows ${written(number)}`}
                      className="h-14 font-mono text-xl tabular-nums"
                    >
                      {written(number)}
                    </SubmitButton>
                  ))}
                </div>
              </fieldset>
              <p className="text-fg-3 text-xs">A wrong number ends the sign-in, here and on the device.</p>
            </form>
          )}
          {!isOver && (
            <form action={submitDenial}>
              <input type="hidden" name="deviceId" value={device.id} />
              <SubmitButton variant="danger-outline">None of them: this is not my device</SubmitButton>
            </form>
          )}
        </div>
      </Card>
    </div>
  );
}

function Address({ address }: { address: string | null }) {
  return address ? <code className="break-all text-xs">{address}</code> : 'not known';
}
