'use client';

import { useQuery } from '@tanstack/react-query';
import { CircleCheck, Clock, Hourglass, Unplug } from 'lucide-react';
import type { ReactNode } from 'react';
import { CopyableId } from '#components/console/copyable-id.tsx';
import { useLive } from '#components/console/live.ts';
import { PageHeader } from '#components/console/page-header.tsx';
import { ExactTime, RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { Spinner } from '#components/ui/spinner.tsx';
import { formatLatency } from './latency.ts';
import { type GuardAnswer, type ReceiptFacts, receiptQuery } from './receipt.ts';

type Reached = {
  agents?: { id: string; name: string; tools: number }[];
  servers?: { serverId: string; name: string; tools: string[] }[];
};

/** What one stop did, guard by guard, while it happens and for ever after. */
export function ReceiptView({ initial, reached }: { initial: ReceiptFacts; reached: Reached }) {
  useLive(['revocations'], { id: initial.id });
  const { data: receipt, isError } = useQuery(receiptQuery(initial));
  const ofServer = receipt.target.kind === 'server';
  const verb = ofServer ? 'retired' : receipt.effect === 'suspend' ? 'suspended' : 'revoked';
  const targetHref = `${ofServer ? '/servers' : '/agents'}/${receipt.target.id}`;
  return (
    <div className="grid gap-4">
      <PageHeader
        title={
          <>
            <UntrustedText text={receipt.target.name} /> was {verb}
          </>
        }
        crumbs={[
          { label: 'Revocations', href: '/revocations' },
          { label: receipt.target.name, href: targetHref },
        ]}
        state={<ReceiptMark receipt={receipt} />}
        meta={
          <>
            <span>by {receipt.actorName}</span>
            <RelativeTime at={receipt.committedAt} />
            <span>{receipt.cause}</span>
            <CopyableId id={receipt.id} label="receipt id" />
          </>
        }
        actions={<LinkButton href={targetHref}>Open {ofServer ? 'server' : 'agent'}</LinkButton>}
      />
      {isError && (
        <Callout tone="warning" title="This receipt may be out of date">
          The server could not be asked again. The stop itself was durable before it was confirmed.
        </Callout>
      )}
      <Headline receipt={receipt} />
      <Card flush title="Guards" description="Each is told at once, and confirms with its own signature.">
        {receipt.guards.length === 0 ? (
          <p className="p-4 text-fg-2 text-sm">
            No guard stood in front of its servers, so nobody had to be told. No token of it works any more.
          </p>
        ) : (
          <ul>
            {receipt.guards.map((guard) => (
              <GuardLine key={guard.guardId} guard={guard} />
            ))}
          </ul>
        )}
      </Card>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <div className="grid gap-4">
          <Card title="What ended">
            <DescriptionList items={cascadeItems(receipt)} />
          </Card>
          <Card title="Why">
            <div className="grid gap-2 text-sm">
              <div>
                {receipt.reason ? (
                  <UntrustedText text={receipt.reason} multiline />
                ) : (
                  <span className="text-fg-3">No reason was given.</span>
                )}
              </div>
              <TextLink href={`/audit?${ofServer ? 'server' : 'agent'}=${receipt.target.id}`}>
                Events of this {ofServer ? 'server' : 'agent'}
              </TextLink>
            </div>
          </Card>
        </div>
        <div className="grid gap-4">
          <Card title="When">
            <DescriptionList
              items={[
                { term: 'Asked', value: <ExactTime at={receipt.requestedAt} milliseconds /> },
                {
                  term: 'Durable',
                  value: <ExactTime at={receipt.committedAt} milliseconds />,
                  hint: 'From here on nothing is minted for it.',
                },
                {
                  term: 'Looked again',
                  value: receipt.sweptAt ? (
                    <ExactTime at={receipt.sweptAt} milliseconds />
                  ) : (
                    'due three seconds after'
                  ),
                  hint: 'For a token minted in the same instant.',
                },
                {
                  term: 'Closed',
                  value: receipt.closedAt ? <ExactTime at={receipt.closedAt} milliseconds /> : 'still open',
                },
              ]}
            />
          </Card>
          {(reached.agents?.length ?? 0) > 0 && (
            <Card title="Agents that held its tools">
              <ul className="grid gap-2 text-sm">
                {reached.agents?.map((agent) => (
                  <li key={agent.id} className="flex flex-wrap items-baseline gap-x-2">
                    <TextLink href={`/agents/${agent.id}`}>
                      <UntrustedText text={agent.name} />
                    </TextLink>
                    <span className="text-fg-3 text-xs">
                      lost {agent.tools} {agent.tools === 1 ? 'tool' : 'tools'}
                    </span>
                  </li>
                ))}
              </ul>
            </Card>
          )}
          {(reached.servers?.length ?? 0) > 0 && (
            <Card title="Tools it held">
              <ul className="grid gap-2 text-sm">
                {reached.servers?.map((server) => (
                  <li key={server.serverId}>
                    <TextLink href={`/servers/${server.serverId}`}>{server.name}</TextLink>
                    <div className="break-words font-mono text-fg-2 text-xs">
                      <UntrustedText text={server.tools.join(', ')} />
                    </div>
                  </li>
                ))}
              </ul>
            </Card>
          )}
        </div>
      </div>
    </div>
  );
}

function ReceiptMark({ receipt }: { receipt: ReceiptFacts }) {
  return receipt.closedAt ? (
    <Badge tone="success" icon={<CircleCheck aria-hidden />}>
      Closed
    </Badge>
  ) : (
    <Badge tone="violet" icon={<Hourglass aria-hidden />}>
      Open
    </Badge>
  );
}

/** The three numbers somebody in an incident looks for. */
function Headline({ receipt }: { receipt: ReceiptFacts }) {
  const confirmed = receipt.guards.filter((guard) => guard.status === 'acknowledged');
  const missing = receipt.guards.filter(
    (guard) => guard.status === 'unreachable' || guard.status === 'asked',
  );
  const slowest = confirmed.reduce((most, guard) => Math.max(most, guard.acknowledgedAfterMs ?? 0), 0);
  const refusals = receipt.guards.flatMap((guard) => guard.firstRefusedAfterMs ?? []);
  const accepted = receipt.guards.flatMap((guard) => guard.lastAcceptedAt ?? []).sort();
  const lastAccepted = accepted.at(-1);
  return (
    <section aria-label="In short" aria-live="polite">
      <dl className="grid gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-3">
        <Figure
          term="Every guard knew after"
          value={
            missing.length > 0 ? (
              <span className="text-warning">
                {confirmed.length} of {receipt.guards.length}
              </span>
            ) : receipt.guards.length === 0 ? (
              'none to tell'
            ) : (
              formatLatency(slowest)
            )
          }
          hint={
            missing.length > 0
              ? `${missing.map((guard) => guard.name).join(', ')} ${missing.length === 1 ? 'has' : 'have'} not confirmed`
              : confirmed.length > 0
                ? `${confirmed.length} ${confirmed.length === 1 ? 'guard' : 'guards'} confirmed`
                : undefined
          }
        />
        <Figure
          term="First refused call"
          value={refusals.length > 0 ? `${formatLatency(Math.min(...refusals))} after` : 'none came'}
          hint={refusals.length > 0 ? 'It tried again and was turned away.' : 'It has not called since.'}
        />
        <Figure
          term="Last accepted call"
          value={lastAccepted ? <RelativeTime at={lastAccepted} /> : 'none known'}
          hint={
            lastAccepted
              ? Date.parse(lastAccepted) <= Date.parse(receipt.committedAt)
                ? `${formatLatency(Date.parse(receipt.committedAt) - Date.parse(lastAccepted))} before the stop`
                : `${formatLatency(Date.parse(lastAccepted) - Date.parse(receipt.committedAt))} after the stop was stored`
              : undefined
          }
        />
      </dl>
    </section>
  );
}

function Figure({ term, value, hint }: { term: string; value: ReactNode; hint?: string | undefined }) {
  return (
    <div className="grid content-start gap-0.5 bg-surface px-4 py-3">
      <dt className="text-fg-2 text-xs">{term}</dt>
      <dd className="font-semibold text-2xl tracking-tight">{value}</dd>
      {hint && <dd className="text-fg-3 text-xs">{hint}</dd>}
    </div>
  );
}

function GuardLine({ guard }: { guard: GuardAnswer }) {
  return (
    <li className="grid gap-x-4 gap-y-1 border-line border-b px-4 py-2.5 text-sm last:border-b-0 sm:grid-cols-[minmax(8rem,1fr)_minmax(12rem,2fr)_minmax(10rem,1fr)]">
      <span className="font-medium">{guard.name}</span>
      <GuardStatus guard={guard} />
      <span className="text-fg-2 text-xs sm:text-end">
        {guard.firstRefusedAfterMs === null
          ? 'it has not called since'
          : `first refusal ${formatLatency(guard.firstRefusedAfterMs)} after`}
      </span>
    </li>
  );
}

function GuardStatus({ guard }: { guard: GuardAnswer }) {
  switch (guard.status) {
    case 'acknowledged':
      return (
        <Badge tone="success" plain icon={<CircleCheck aria-hidden />}>
          Acknowledged after {formatLatency(guard.acknowledgedAfterMs ?? 0)}
        </Badge>
      );
    case 'asked':
      return (
        <span className="inline-flex items-center gap-1.5 font-medium text-violet text-xs">
          <Spinner /> Asked, not heard back yet
        </span>
      );
    case 'revoked':
      return (
        <Badge tone="neutral" plain icon={<Clock aria-hidden />}>
          This guard was revoked itself
        </Badge>
      );
    case 'unreachable':
      return (
        <span className="grid gap-0.5">
          <Badge tone="danger" plain icon={<Unplug aria-hidden />}>
            Unreachable
          </Badge>
          <span className="text-fg-3 text-xs">
            {guard.lastSeenAt ? (
              <>
                Last seen <RelativeTime at={guard.lastSeenAt} />.{' '}
              </>
            ) : (
              'Never seen. '
            )}
            Without contact for five seconds it refuses every call by itself.
          </span>
        </span>
      );
  }
}

function cascadeItems({ cascade, effect, target }: ReceiptFacts) {
  const count = (value: number, one: string, many: string) =>
    `${value.toLocaleString('en')} ${value === 1 ? one : many}`;
  return [
    { term: 'Access tokens', value: count(cascade.tokens, 'token dead', 'tokens dead') },
    {
      term: 'Sign-ins',
      value: cascade.familiesKept
        ? count(cascade.families, 'kept, frozen', 'kept, frozen')
        : count(cascade.families, 'ended', 'ended'),
      hint:
        cascade.familiesKept && cascade.families > 0
          ? 'They work again after a reinstatement, without anybody signing in.'
          : undefined,
    },
    ...(target.kind === 'server'
      ? [{ term: 'Resource tokens', value: count(cascade.resourceTokens ?? 0, 'ended', 'ended') }]
      : [{ term: 'Clients', value: count(cascade.instances, 'stopped', 'stopped') }]),
    { term: 'Waiting browsers', value: count(cascade.waitingBrowsers, 'sent away', 'sent away') },
    ...(effect === 'revoke'
      ? [
          { term: 'Tool bindings', value: count(cascade.bindings, 'ended', 'ended') },
          ...(target.kind === 'server'
            ? []
            : [{ term: 'Open requests', value: count(cascade.requests, 'closed', 'closed') }]),
        ]
      : []),
  ];
}
