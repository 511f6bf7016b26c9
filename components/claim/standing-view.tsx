'use client';

import { useActionState } from 'react';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Dossier } from '#components/evidence/dossier.tsx';
import { SubmitButton } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { deviceIsHeld } from '#lib/registration/device-is-held.ts';
import type { OpenedHandle } from '#lib/registration/open-handle.ts';

type Answer = { ok: true } | { ok: false; problem: { detail: string; requestId: string } };
/** A server action on a plain form: it works without script as well. Written as a method so that any output fits. */
export type FormServerAction = {
  run(previous: Answer | null, form: FormData): Promise<Answer>;
}['run'];
export type StandingActions = {
  continueApproved: FormServerAction;
  joinWaiting: FormServerAction;
  linkInstance: FormServerAction;
};

type Props = { handle: string; opened: OpenedHandle; actions: StandingActions; againHref: string };

/** What the owner sees when there is nothing to claim: where they stand with this client, and the next step. */
export function StandingView(props: Props) {
  const { opened } = props;
  return (
    <div className="mx-auto grid max-w-160 gap-4">
      <StandingCard {...props} />
      <Card title="Who is asking">
        <Dossier facts={opened.facts} />
      </Card>
    </div>
  );
}

function StandingCard({ handle, opened, actions, againHref }: Props) {
  const key = { handle, claimKey: opened.claimKey };
  const client = <UntrustedText text={opened.client.name || opened.client.id} />;
  const server = opened.server?.name ?? 'a server';
  const requestHref = opened.request ? `/requests/${opened.request.id}` : '/requests';
  const requestName = opened.request ? `CS-${opened.request.number}` : 'The request';
  const agentHref = opened.agent ? `/agents/${opened.agent.id}` : '/agents';
  const agentName = opened.agent?.name ?? 'The agent';
  const inherited = opened.isInherited && (
    <Callout tone="info">
      This client registered again. The same software of yours was decided before, and registering anew does
      not change that.
    </Callout>
  );

  switch (opened.standing) {
    case 'approved':
      return (
        <Shown title={<>Let {client} continue?</>} state="active">
          <p className="text-fg-2 text-sm">
            It is approved for you as <TextLink href={agentHref}>{agentName}</TextLink>. Continue only if you
            started this sign-in yourself just now:{' '}
            {opened.device ? 'tokens go to the device below.' : 'a code goes to the address below.'}
          </p>
          <DescriptionList
            items={[
              { term: 'Server', value: server },
              receiver(opened),
              {
                term: 'Tools',
                value: (
                  <span className="flex flex-wrap gap-1">
                    {(opened.binding?.toolNames ?? []).map((name) => (
                      <code key={name} className="rounded-sm border border-line bg-sunken px-1 text-xs">
                        {name}
                      </code>
                    ))}
                  </span>
                ),
              },
              {
                term: 'Ends',
                value: opened.binding?.expiresAt ? (
                  <RelativeTime at={opened.binding.expiresAt} />
                ) : (
                  'starts with its first use'
                ),
              },
            ]}
          />
          {opened.device?.isHeld ? (
            <Held device={opened.device} />
          ) : (
            <Press label="Continue" action={actions.continueApproved} fields={key} />
          )}
        </Shown>
      );
    case 'approved elsewhere':
      if (opened.choices.length > 0) {
        return (
          <Shown title={<>Which server should {client} go on to?</>} state="active">
            <p className="text-fg-2 text-sm">
              It did not say, and <TextLink href={agentHref}>{agentName}</TextLink> has tools on several.
              Continue only if you started this sign-in yourself just now:{' '}
              {opened.device ? 'tokens go to the device at' : 'a code goes to'}{' '}
              <code className="break-all text-xs">
                {opened.device ? opened.device.address : opened.client.redirectUri}
              </code>
              .
            </p>
            <div className="flex flex-wrap gap-2">
              {opened.choices.map((choice) => (
                <Press
                  key={choice.id}
                  variant="secondary"
                  label={`Continue to ${choice.name}`}
                  action={actions.continueApproved}
                  fields={{ ...key, serverId: choice.id }}
                />
              ))}
            </div>
          </Shown>
        );
      }
      return (
        <Shown
          title={
            <>
              {client} is not approved for {server}
            </>
          }
          state="active"
        >
          <p className="text-fg-2 text-sm">
            <TextLink href={agentHref}>{agentName}</TextLink> is approved for other servers. Ask for tools of
            this one with a change request; when it is approved, sign in again.
          </p>
          <div className="flex flex-wrap gap-2">
            <LinkButton variant="primary" href={`/requests/new?agent=${opened.agent?.id ?? ''}`}>
              Ask for a change
            </LinkButton>
            <LinkButton href={agentHref}>Open the agent</LinkButton>
          </div>
        </Shown>
      );
    case 'pending':
      return (
        <Shown title={`${requestName} is waiting for a decision`} state="submitted">
          <p className="text-fg-2 text-sm">
            You have already asked for {client}. Wait here and this sign-in goes on by itself when it is
            approved, or close the tab: you will be told, and can sign in again then.
          </p>
          <div className="flex flex-wrap gap-2">
            <Press label="Wait in this browser" action={actions.joinWaiting} fields={key} />
            <LinkButton href={requestHref}>Open {requestName}</LinkButton>
          </div>
        </Shown>
      );
    case 'changes requested':
      return (
        <Shown title={`An approver asked you to change ${requestName}`} state="changes requested">
          {opened.request?.reason && <Quote text={opened.request.reason} />}
          <div className="flex flex-wrap gap-2">
            <LinkButton variant="primary" href={requestHref}>
              Change {requestName}
            </LinkButton>
            <Press
              variant="secondary"
              label="Wait in this browser"
              action={actions.joinWaiting}
              fields={key}
            />
          </div>
        </Shown>
      );
    case 'rejected':
      return (
        <Shown title={`${requestName} was rejected`} state="rejected">
          {opened.request?.reason && <Quote text={opened.request.reason} />}
          {inherited}
          <p className="text-fg-2 text-sm">
            {client} gets nothing. You can ask again with a different purpose or fewer tools; approvers will
            see this decision beside it.
          </p>
          <Again href={againHref} requestHref={requestHref} requestName={requestName} />
        </Shown>
      );
    case 'withdrawn':
    case 'request expired':
      return (
        <Shown
          title={
            opened.standing === 'withdrawn'
              ? `You withdrew ${requestName}`
              : `${requestName} expired undecided`
          }
          state={opened.standing === 'withdrawn' ? 'withdrawn' : 'expired'}
        >
          {inherited}
          <p className="text-fg-2 text-sm">{client} gets nothing until you ask again and somebody agrees.</p>
          <Again href={againHref} requestHref={requestHref} requestName={requestName} />
        </Shown>
      );
    case 'suspended':
      return (
        <Shown title={`${agentName} is suspended`} state="suspended">
          {opened.agent?.stateCause && (
            <p className="text-sm">
              Cause: <UntrustedText text={opened.agent.stateCause} />
            </p>
          )}
          {inherited}
          <p className="text-fg-2 text-sm">
            Nothing works until it is reinstated. Its client keeps what it has: after a reinstatement nobody
            needs to sign in again.
          </p>
          <div className="flex flex-wrap gap-2">
            <LinkButton variant="primary" href={agentHref}>
              Ask to reinstate
            </LinkButton>
          </div>
        </Shown>
      );
    case 'revoked':
      return (
        <Shown title={`${agentName} was revoked`} state="revoked">
          <p className="text-fg-2 text-sm">That is final. If you still need {client}, ask for it anew.</p>
          <Again href={againHref} requestHref={requestHref} requestName={requestName} />
        </Shown>
      );
    case 'expired':
      return (
        <Shown title="The approval has ended" state="expired">
          <p className="text-fg-2 text-sm">
            What <TextLink href={agentHref}>{agentName}</TextLink> was approved for has run out. Ask again if
            the work goes on.
          </p>
          <Again href={againHref} requestHref={requestHref} requestName={requestName} />
        </Shown>
      );
    case 'metadata changed':
      return (
        <Shown title={<>{client} is no longer what was approved</>} state="suspended">
          <p className="text-fg-2 text-sm">
            Its published metadata has changed since, so no token is issued. Check below where it sends codes
            now; if that is right, ask for a review of the new version.
          </p>
          <Again
            label="Ask for a review"
            href={againHref}
            requestHref={requestHref}
            requestName={requestName}
          />
        </Shown>
      );
    case 'owner disabled':
      return (
        <Shown title={<>{client} belongs to somebody who has left</>} state="suspended">
          <p className="text-fg-2 text-sm">
            {opened.formerOwner?.displayName ?? 'Its owner'} can no longer answer for it.{' '}
            {opened.formerOwner?.deputy
              ? `${opened.formerOwner.deputy} is its deputy and can take it over.`
              : 'It has no deputy; an admin can hand it to somebody.'}{' '}
            You can also ask for an agent of your own.
          </p>
          <Again label="Ask for one of my own" href={againHref} />
        </Shown>
      );
    case 'quarantine ended':
      return (
        <Shown title={<>Nobody claimed {client} in time</>} state="expired">
          <p className="text-fg-2 text-sm">
            Its registration ended by itself
            {opened.client.registeredAt && (
              <>
                {' '}
                (registered <RelativeTime at={opened.client.registeredAt} />)
              </>
            )}
            . If it is yours, ask for it now.
          </p>
          <Again href={againHref} />
        </Shown>
      );
    default:
      return <SimilarCard {...{ handle, opened, actions, againHref }} />;
  }
}

/** The same software, already known under another registration of this owner. */
function SimilarCard({ handle, opened, actions, againHref }: Props) {
  const { similar } = opened;
  if (!similar) return null;
  const key = { handle, claimKey: opened.claimKey };
  const client = <UntrustedText text={opened.client.name || opened.client.id} />;
  if (similar.state === 'pending') {
    return (
      <Shown title="You have already asked for this software" state="submitted">
        <p className="text-fg-2 text-sm">
          {client} registered again, as some clients do at every sign-in.{' '}
          {similar.request ? `CS-${similar.request.number}` : 'A request'} for the same software waits for a
          decision. Once it is approved, sign in again and link this client with one click.
        </p>
        <div className="flex flex-wrap gap-2">
          {similar.request && (
            <LinkButton variant="primary" href={`/requests/${similar.request.id}`}>
              Open CS-{similar.request.number}
            </LinkButton>
          )}
          <LinkButton href={againHref}>Ask separately</LinkButton>
        </div>
      </Shown>
    );
  }
  return (
    <Shown title={<>Is this {similar.agentName} again?</>} state="active">
      <p className="text-fg-2 text-sm">
        {client} registered anew and says the same of itself as{' '}
        <TextLink href={`/agents/${similar.agentId}`}>{similar.agentName}</TextLink>, which is approved for
        you. If you started this sign-in on your own computer just now, link it: it gets the same tools and
        the same end. The link is recorded with where it came from.
      </p>
      <DescriptionList items={[receiver(opened), { term: 'Server', value: opened.server?.name ?? '' }]} />
      <div className="flex flex-wrap gap-2">
        {similar.isLinkable ? (
          <Press
            label="Yes, link and continue"
            action={actions.linkInstance}
            fields={{ ...key, agentId: similar.agentId }}
          />
        ) : (
          <p className="w-full text-fg-2 text-sm">
            It differs in a detail a decision rested on, so it cannot simply be linked.
          </p>
        )}
        <LinkButton href={againHref}>No, ask for a new agent</LinkButton>
      </div>
    </Shown>
  );
}

/** Why a device in another network does not simply go on. */
function Held({ device }: { device: NonNullable<OpenedHandle['device']> }) {
  return (
    <Callout
      tone="warning"
      title={
        device.place === 'other network'
          ? 'The device is in another network than you, so it cannot simply go on'
          : 'Whether the device is where you are cannot be told, so it cannot simply go on'
      }
    >
      {deviceIsHeld}
    </Callout>
  );
}

/** What the person lets have the tokens: an address the browser carries a code to, or the device that asks itself. */
function receiver(opened: OpenedHandle) {
  const { device, client } = opened;
  return {
    term: device ? 'Goes to the device at' : 'Sends the code to',
    value: (
      <code className="break-all text-xs">
        {device ? (device.address ?? 'not known') : client.redirectUri}
      </code>
    ),
  };
}

function Shown({
  title,
  state,
  children,
}: {
  title: React.ReactNode;
  state: string;
  children: React.ReactNode;
}) {
  return (
    <Card>
      <div className="grid gap-3">
        <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <h1 className="min-w-0 break-words font-semibold text-lg tracking-tight">{title}</h1>
          <StatePill state={state} />
        </div>
        {children}
      </div>
    </Card>
  );
}

function Quote({ text }: { text: string }) {
  return (
    <blockquote className="border-line-strong border-l-2 pl-3 text-sm">
      <UntrustedText text={text} multiline />
    </blockquote>
  );
}

function Again({
  href,
  label = 'Ask again',
  requestHref,
  requestName,
}: {
  href: string;
  label?: string;
  requestHref?: string;
  requestName?: string;
}) {
  return (
    <div className="flex flex-wrap gap-2">
      <LinkButton variant="primary" href={href}>
        {label}
      </LinkButton>
      {requestHref && <LinkButton href={requestHref}>Open {requestName}</LinkButton>}
    </div>
  );
}

/** A form of one button that acts once and says what went wrong. What succeeds goes on to another page. */
function Press({
  label,
  action,
  fields,
  variant = 'primary',
}: {
  label: string;
  action: FormServerAction;
  fields: Readonly<Record<string, string>>;
  variant?: 'primary' | 'secondary';
}) {
  const [answer, submit] = useActionState(action, null);
  return (
    <form action={submit} className="grid gap-2">
      {Object.entries(fields).map(([name, value]) => (
        <input key={name} type="hidden" name={name} value={value} />
      ))}
      <div>
        <SubmitButton variant={variant}>{label}</SubmitButton>
      </div>
      {answer && !answer.ok && (
        <Callout tone="danger" announce title={answer.problem.detail}>
          {answer.problem.requestId && <code className="text-xs">{answer.problem.requestId}</code>}
        </Callout>
      )}
    </form>
  );
}
