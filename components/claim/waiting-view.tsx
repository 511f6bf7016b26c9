'use client';

import { useEffect, useRef, useState } from 'react';
import { useLive } from '#components/console/live.ts';
import { Countdown, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { Spinner } from '#components/ui/spinner.tsx';
import type { WaitingRoom } from '#lib/registration/read-waiting.ts';
import type { WaitingState } from '#lib/registration/waiting.ts';

/** States in which the browser goes on by itself: to the client with a code, or with word that there is none. */
const goesOn: ReadonlySet<WaitingState> = new Set<WaitingState>(['ready', 'time is up']);
/** States that end with a word to the client, after the person has had time to read why. */
const endsAfterReading: ReadonlySet<WaitingState> = new Set<WaitingState>([
  'rejected',
  'withdrawn',
  'request expired',
  'stopped',
  'approved elsewhere',
]);
const readingMs = 6_000;
const pollMs = 2_000;

export type Deciders = { names: readonly string[]; missing: string | null };

/** The waiting room: live by stream and by poll, and without script by reloading itself. */
export function WaitingView({
  room: first,
  deciders,
  isStuck,
}: {
  room: WaitingRoom;
  deciders: Deciders;
  /** Going on was refused a moment ago. */
  isStuck: boolean;
}) {
  const room = useRoom(first);
  const continueHref = `/waiting/${room.id}/continue`;
  const left = useRef(false);
  useEffect(() => {
    // A device asks for itself; there is nothing this browser could carry to it.
    if (!room.isClaimingSession || room.device || left.current || isStuck) return;
    const leave = () => {
      left.current = true;
      location.assign(continueHref);
    };
    if (goesOn.has(room.state)) {
      leave();
      return;
    }
    if (!endsAfterReading.has(room.state) || Date.now() > Date.parse(room.clientGoneAt)) return;
    const timer = setTimeout(leave, readingMs);
    return () => clearTimeout(timer);
  }, [room.state, room.isClaimingSession, room.device, room.clientGoneAt, continueHref, isStuck]);
  return (
    <div className="mx-auto grid max-w-160 gap-4">
      <Card>
        <div className="grid gap-4" aria-live="polite">
          {isStuck && room.state === 'ready' && (
            <Callout tone="danger" title="It could not go on">
              Start the sign-in again from your client. The approval stands.
            </Callout>
          )}
          <RoomBody room={room} deciders={deciders} continueHref={continueHref} />
        </div>
      </Card>
      <Card>
        <DescriptionList
          items={[
            { term: 'Client', value: <UntrustedText text={room.client.name || room.client.id} /> },
            { term: 'Server', value: room.server.name },
            room.agent && { term: 'Agent', value: room.agent.name },
            room.request && {
              term: 'Request',
              value: <TextLink href={`/requests/${room.request.id}`}>CS-{room.request.number}</TextLink>,
            },
            {
              term: room.device ? 'Goes to the device at' : 'Sends the code to',
              value: (
                <code className="break-all text-xs">
                  {room.device ? (room.device.address ?? 'not known') : room.redirectUri}
                </code>
              ),
            },
          ]}
        />
      </Card>
    </div>
  );
}

function RoomBody({
  room,
  deciders,
  continueHref,
}: {
  room: WaitingRoom;
  deciders: Deciders;
  continueHref: string;
}) {
  const request = room.request ? `CS-${room.request.number}` : 'The request';
  const requestHref = room.request ? `/requests/${room.request.id}` : '/requests';
  const list = new Intl.ListFormat('en', { type: 'disjunction' });
  if (!room.isClaimingSession && !room.device && ['waiting', 'ready', 'time is up'].includes(room.state)) {
    return (
      <>
        <Title state={room.request?.state ?? 'active'}>This sign-in belongs to another browser session</Title>
        <p className="text-fg-2 text-sm">
          It goes on only where it was started. Once {request} is approved, start the sign-in again from your
          client to finish it here.
        </p>
        <Links requestHref={requestHref} request={request} />
      </>
    );
  }
  switch (room.state) {
    case 'waiting':
      return (
        <>
          <Title state="submitted">{request} is waiting for approval</Title>
          {deciders.missing ? (
            <Callout tone="warning">{deciders.missing}</Callout>
          ) : (
            <p className="text-sm">
              {list.format(deciders.names.slice(0, 6))}
              {deciders.names.length > 6 ? ` and ${deciders.names.length - 6} more` : ''} can decide it and{' '}
              {deciders.names.length === 1 ? 'has' : 'have'} been told.
            </p>
          )}
          <p className="flex items-start gap-2 text-fg-2 text-sm">
            <Spinner className="mt-0.5 shrink-0" />
            <span>
              {room.device ? (
                <>
                  Your device keeps asking for <Countdown until={room.deadlineAt} over="a moment" />. When it
                  is approved in that time, it goes on by itself.
                </>
              ) : (
                <>
                  Your client listens for{' '}
                  <Countdown until={room.deadlineAt} totalSeconds={285} over="a moment" />. When it is
                  approved in that time, this page goes on by itself.
                </>
              )}
            </span>
          </p>
          <p className="text-fg-3 text-xs">
            You can also close this tab: you will be told of the decision, and start the sign-in again then.
          </p>
          <Links requestHref={requestHref} request={request} />
        </>
      );
    case 'ready':
      return (
        <>
          <Title state="approved">Approved</Title>
          {room.device ? (
            <p className="text-sm">Your device gets its tokens the next time it asks, in a few seconds.</p>
          ) : (
            <>
              <p className="text-sm">Going on to your client…</p>
              <Links>
                <a href={continueHref} className="text-accent text-sm underline underline-offset-2">
                  Go on
                </a>
              </Links>
            </>
          )}
        </>
      );
    case 'continued':
      return (
        <>
          <Title state="active">Your {room.device ? 'device' : 'client'} is connected</Title>
          <p className="text-fg-2 text-sm">
            You can close this tab. If the {room.device ? 'device' : 'client'} did not notice, start its
            sign-in again.
          </p>
          <Links>
            {room.agent && <LinkButton href={`/agents/${room.agent.id}`}>Open {room.agent.name}</LinkButton>}
          </Links>
        </>
      );
    case 'approved too late':
      return (
        <>
          <Title state="approved">Approved: start the sign-in again</Title>
          <p className="text-sm">
            {room.request ? `${request} was approved` : 'It is approved'} after your client had stopped
            listening. Start its sign-in again (in most clients: connect or log in once more); it then takes
            one press of Continue.
          </p>
          <Links>
            {room.agent && <LinkButton href={`/agents/${room.agent.id}`}>Open {room.agent.name}</LinkButton>}
          </Links>
        </>
      );
    case 'approved elsewhere':
      return (
        <>
          <Title state="approved">{request} was approved without this server</Title>
          <p className="text-fg-2 text-sm">
            The approver left out the tools of {room.server.name}. Your client is told.
          </p>
          <Links requestHref={requestHref} request={request} />
        </>
      );
    case 'time is up':
    case 'ended':
    case 'client gone':
      return (
        <>
          <Title state={room.request?.state ?? 'expired'}>Your client has stopped waiting</Title>
          <p className="text-fg-2 text-sm">
            {room.request && room.request.state === 'submitted'
              ? `${request} is still with the approvers. You will be told what they decide; once it is approved, start the sign-in again.`
              : 'Start the sign-in again from your client when you are ready.'}
          </p>
          <Links requestHref={requestHref} request={request} />
        </>
      );
    case 'changes requested':
      return (
        <>
          <Title state="changes requested">An approver asks you to change {request}</Title>
          {room.request?.reason && <Quote text={room.request.reason} />}
          <p className="text-fg-2 text-sm">Your client keeps listening meanwhile.</p>
          <Links requestHref={requestHref} request={request} label={`Change ${request}`} primary />
        </>
      );
    case 'rejected':
      return (
        <>
          <Title state="rejected">{request} was rejected</Title>
          {room.request?.reason && <Quote text={room.request.reason} />}
          <p className="text-fg-2 text-sm">Your client is told in a moment.</p>
          <Links requestHref={requestHref} request={request} />
        </>
      );
    case 'withdrawn':
      return (
        <>
          <Title state="withdrawn">You withdrew {request}</Title>
          <Links requestHref={requestHref} request={request} />
        </>
      );
    case 'request expired':
      return (
        <>
          <Title state="expired">{request} expired undecided</Title>
          <p className="text-fg-2 text-sm">Start the sign-in again from your client to ask anew.</p>
          <Links requestHref={requestHref} request={request} />
        </>
      );
    case 'stopped':
      return (
        <>
          <Title state="suspended">{room.agent?.name ?? 'This agent'} was stopped</Title>
          <p className="text-fg-2 text-sm">
            Your client is told in a moment. The agent’s page says why and what can be done.
          </p>
          <Links>
            {room.agent && <LinkButton href={`/agents/${room.agent.id}`}>Open {room.agent.name}</LinkButton>}
          </Links>
        </>
      );
  }
}

function Title({ state, children }: { state: string; children: React.ReactNode }) {
  return (
    <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
      <h1 className="min-w-0 break-words font-semibold text-lg tracking-tight">{children}</h1>
      <StatePill state={state} />
    </div>
  );
}

function Links({
  requestHref,
  request,
  label,
  primary,
  children,
}: {
  requestHref?: string;
  request?: string;
  label?: string;
  primary?: boolean;
  children?: React.ReactNode;
}) {
  return (
    <div className="flex flex-wrap items-center gap-2">
      {requestHref && (
        <LinkButton variant={primary ? 'primary' : 'secondary'} href={requestHref}>
          {label ?? `Open ${request}`}
        </LinkButton>
      )}
      {children}
    </div>
  );
}

function Quote({ text }: { text: string }) {
  return (
    <blockquote className="border-line-strong border-l-2 pl-3 text-sm">
      <UntrustedText text={text} multiline />
    </blockquote>
  );
}

/**
 * The room as it is now. The stream wakes it at once; a poll of its own keeps it going where the stream rests, as in
 * a hidden tab, because a client is listening meanwhile.
 */
function useRoom(first: WaitingRoom): WaitingRoom {
  const [room, setRoom] = useState(first);
  const isOver = ['continued', 'ended', 'client gone', 'approved too late'].includes(room.state);
  useLive(['requests'], { ...(first.request ? { id: first.request.id } : {}), refresh: true });
  useEffect(() => setRoom(first), [first]);
  useEffect(() => {
    if (isOver) return;
    let stopped = false;
    const timer = setInterval(async () => {
      try {
        const answer = await fetch(`/waiting/${first.id}/status`, {
          headers: { accept: 'application/json' },
        });
        if (answer.ok && !stopped) setRoom((await answer.json()) as WaitingRoom);
      } catch {
        // The next turn asks again.
      }
    }, pollMs);
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  }, [first.id, isOver]);
  return room;
}

/** When a wait began, for people who come back to it. */
export function WaitingSince({ at }: { at: string }) {
  return <RelativeTime at={at} />;
}
