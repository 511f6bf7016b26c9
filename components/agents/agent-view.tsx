'use client';

import { Ban, ChartNoAxesGantt, CirclePause, FilePen, KeyRound, RotateCcw, ScrollText } from 'lucide-react';
import { useState } from 'react';
import { useNowEvery } from '#components/console/clock.ts';
import { CopyableId } from '#components/console/copyable-id.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { ClassMark, RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Countdown, Duration, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { usePageActions } from '#components/palette/page-actions.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { Table, TableCell, TableHeader, TableRow } from '#components/ui/table.tsx';
import { describeConstraint } from './constraint-words.ts';
import { type CredentialRow, Credentials } from './credentials.tsx';
import { HealthMark, healthOf } from './health.tsx';
import { Lifeline, type LifelineEntry } from './lifeline.tsx';
import { type ReinstateAction, ReinstateDialog } from './reinstate-dialog.tsx';
import { type StopAction, StopDialog } from './stop-dialog.tsx';
import type { AgentRow, StopEffect } from './types.ts';

type Constraint = { pointer: string; operator: string; value: unknown };
export type Binding = {
  id: string;
  serverId: string;
  server: string;
  resource: string;
  version: number;
  state: 'active' | 'ended';
  tools: { name: string; class: string; risk: string; constraints: Constraint[] }[];
  lifetimeSeconds: number;
  requestId: string;
  requestLabel: string;
  validFrom: string;
  firstIssuedAt: string | null;
  expiresAt: string | null;
  unusedEndsAt: string;
  endedAt: string | null;
  endCause: string | null;
};
export type AgentFacts = AgentRow & {
  softwareIdentity: string;
  softwareIdentityKind: string;
  epoch: number;
  stateBy: { personId: string; displayName: string } | null;
  purpose: {
    task: string;
    systems: string[];
    dataClass: string;
    attended: boolean;
    endCondition: string;
    ticket: string | null;
  } | null;
  bindings: Binding[];
  instances: {
    id: string;
    clientId: string;
    clientName: string;
    clientKind: string;
    state: string;
    stateCause: string | null;
    stateSince: string;
    redirectUris: string[];
  }[];
  requests: {
    id: string;
    label: string;
    kind: string;
    state: string;
    createdAt: string;
    decidedAt: string | null;
  }[];
  reveals: { id: string; serverId: string; expiresAt: string }[];
  can: { change: boolean; reinstate: boolean; stop: boolean };
};
type Stop = { id: string; effect: StopEffect; cause: string; committedAt: string; closedAt: string | null };

/** One agent: what it may do now, through which clients, by whose word, and its whole life. */
export function AgentView({
  agent,
  lifeline,
  credentials,
  moreCredentials,
  revocations,
  stopAsked = false,
  actions,
}: {
  agent: AgentFacts;
  lifeline: LifelineEntry[];
  credentials: CredentialRow[];
  moreCredentials: boolean;
  revocations: Stop[];
  /** The address asks for this question to be open. */
  stopAsked?: boolean;
  actions: { suspend: StopAction; revoke: StopAction; reinstate: ReinstateAction };
}) {
  const [stopping, setStopping] = useState<StopEffect | null>(
    stopAsked && agent.can.stop ? (agent.state === 'active' ? 'suspend' : 'revoke') : null,
  );
  const [reinstating, setReinstating] = useState(false);
  const nowMs = useNowEvery(5) * 1000;
  const live = agent.bindings.filter((binding) => binding.state === 'active');
  const past = agent.bindings.filter((binding) => binding.state === 'ended');
  const openRequest = agent.requests.find((request) =>
    ['submitted', 'changes requested'].includes(request.state),
  );
  const openReinstatement = agent.requests.find(
    (request) =>
      request.kind === 'reinstate' && ['submitted', 'changes requested', 'draft'].includes(request.state),
  );
  const [lastStop] = revocations;
  usePageActions([
    agent.can.change && { label: 'Ask for a change', icon: FilePen, href: `/requests/new?agent=${agent.id}` },
    agent.can.reinstate &&
      !openReinstatement && { label: 'Ask to reinstate…', icon: RotateCcw, run: () => setReinstating(true) },
    agent.can.stop &&
      agent.state === 'active' && { label: 'Suspend…', icon: CirclePause, run: () => setStopping('suspend') },
    agent.can.stop && { label: 'Revoke…', icon: Ban, run: () => setStopping('revoke') },
    { label: 'Its whole life', icon: ChartNoAxesGantt, href: `/agents/${agent.id}/lifeline` },
    { label: 'All events of this agent', icon: ScrollText, href: `/audit?agent=${agent.id}` },
  ]);
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['agents', 'revocations']} />
      <PageHeader
        title={<UntrustedText text={agent.name} />}
        crumbs={[{ label: 'Agents', href: '/agents' }]}
        state={<StatePill state={agent.state} cause={agent.state === 'active' ? null : agent.stateCause} />}
        meta={
          <>
            <span>Owned by {agent.owner.displayName}</span>
            <span>{agent.clientClass}</span>
            <span>{agent.environment}</span>
            <CopyableId id={agent.id} label="agent id" />
            {agent.state === 'active' && <HealthMark health={healthOf(agent, nowMs)} />}
          </>
        }
        actions={
          <>
            {agent.can.change && (
              <LinkButton href={`/requests/new?agent=${agent.id}`} icon={<FilePen aria-hidden />}>
                Ask for a change
              </LinkButton>
            )}
            {agent.can.reinstate && (
              <Button
                icon={<RotateCcw aria-hidden />}
                disabledReason={openReinstatement ? `${openReinstatement.label} asks for it already.` : null}
                onClick={() => setReinstating(true)}
              >
                Ask to reinstate
              </Button>
            )}
            {agent.can.stop && agent.state === 'active' && (
              <Button
                variant="danger-outline"
                icon={<CirclePause aria-hidden />}
                onClick={() => setStopping('suspend')}
              >
                Suspend
              </Button>
            )}
            {agent.can.stop && (
              <Button variant="danger" icon={<Ban aria-hidden />} onClick={() => setStopping('revoke')}>
                Revoke
              </Button>
            )}
          </>
        }
      />
      <StandingNote agent={agent} lastStop={lastStop} openRequest={openRequest} />
      {agent.reveals.length > 0 && agent.state === 'active' && (
        <Callout
          tone="info"
          title="A token waits to be revealed"
          actions={
            <LinkButton variant="primary" href={`/agents/${agent.id}/reveal`} icon={<KeyRound aria-hidden />}>
              Reveal token
            </LinkButton>
          }
        >
          Only you can do this, until <RelativeTime at={agent.reveals[0]?.expiresAt} exact />. It is minted at
          that moment and shown once.
        </Callout>
      )}
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,5fr)_minmax(0,3fr)]">
        <div className="grid gap-4">
          <Card flush title={agent.state === 'active' ? 'What it may do' : 'What it was granted'} id="tools">
            {live.length === 0 ? (
              <p className="p-4 text-fg-2 text-sm">
                {agent.state === 'pending'
                  ? 'Nothing until a request is approved.'
                  : 'Nothing. It holds no tool any more.'}
              </p>
            ) : (
              live.map((binding) => <LiveBinding key={binding.id} binding={binding} />)
            )}
            {past.length > 0 && <PastBindings bindings={past} />}
          </Card>
          <Card
            flush
            title="Credentials"
            id="credentials"
            description="Facts only. Whether one is live is worked out now."
          >
            <Credentials rows={credentials} more={moreCredentials} agentId={agent.id} />
          </Card>
          <Card flush title="Clients" id="clients">
            {agent.instances.length === 0 ? (
              <p className="p-4 text-fg-2 text-sm">No client acts for it.</p>
            ) : (
              <ul>
                {agent.instances.map((instance) => (
                  <li
                    key={instance.id}
                    className="grid gap-x-3 gap-y-0.5 border-line border-b px-4 py-2 text-sm last:border-b-0 sm:grid-cols-[minmax(0,1fr)_auto]"
                  >
                    <div className="min-w-0">
                      <TextLink
                        href={`/clients/${encodeURIComponent(instance.clientId)}`}
                        className="font-medium"
                      >
                        <UntrustedText text={instance.clientName || instance.clientId} />
                      </TextLink>
                      <div className="truncate text-fg-3 text-xs" title={instance.redirectUris.join('\n')}>
                        {instance.clientKind} · {instance.redirectUris[0] ?? 'no redirect URI'}
                        {instance.redirectUris.length > 1 && ` and ${instance.redirectUris.length - 1} more`}
                      </div>
                    </div>
                    <div className="flex items-center gap-2 sm:justify-end">
                      <StatePill
                        state={instance.state}
                        cause={instance.state === 'active' ? null : instance.stateCause}
                        plain
                      />
                      <span className="text-fg-3 text-xs">
                        <RelativeTime at={instance.stateSince} />
                      </span>
                    </div>
                  </li>
                ))}
              </ul>
            )}
          </Card>
          <Card
            title="Lifeline"
            id="lifeline"
            actions={
              <LinkButton
                size="sm"
                href={`/agents/${agent.id}/lifeline`}
                icon={<ChartNoAxesGantt aria-hidden />}
              >
                Whole life
              </LinkButton>
            }
          >
            {lifeline.length === 0 ? (
              <p className="text-fg-2 text-sm">Nothing has happened yet.</p>
            ) : (
              <Lifeline entries={lifeline} />
            )}
          </Card>
        </div>
        <div className="grid gap-4">
          <Card title="Purpose">
            {agent.purpose ? (
              <div className="grid gap-3">
                <div className="text-sm">
                  <UntrustedText text={agent.purpose.task} multiline />
                </div>
                <DescriptionList
                  items={[
                    agent.purpose.systems.length > 0 && {
                      term: 'Systems',
                      value: <UntrustedText text={agent.purpose.systems.join(', ')} />,
                    },
                    { term: 'Data', value: agent.purpose.dataClass },
                    {
                      term: 'A person watches',
                      value: agent.purpose.attended ? 'yes' : 'no, it runs unattended',
                    },
                    { term: 'Done when', value: <UntrustedText text={agent.purpose.endCondition} /> },
                    agent.purpose.ticket !== null && {
                      term: 'Ticket',
                      value: <UntrustedText text={agent.purpose.ticket} />,
                    },
                  ]}
                />
              </div>
            ) : (
              <p className="text-fg-2 text-sm">
                {openRequest ? (
                  <>
                    Not approved yet;{' '}
                    <TextLink href={`/requests/${openRequest.id}`}>{openRequest.label}</TextLink> says what it
                    is for.
                  </>
                ) : (
                  'No purpose was ever approved.'
                )}
              </p>
            )}
          </Card>
          <Card title="Facts">
            <DescriptionList
              items={[
                { term: 'Owner', value: agent.owner.displayName },
                agent.deputy && { term: 'Deputy', value: agent.deputy.displayName },
                {
                  term: 'Software identity',
                  value: (
                    <span className="break-all text-xs">
                      <UntrustedText text={agent.softwareIdentity} />
                    </span>
                  ),
                  hint: agent.softwareIdentityKind,
                },
                {
                  term: 'Epoch',
                  value: agent.epoch,
                  hint: 'Raised by every stop; tokens of an earlier one are dead.',
                },
                {
                  term: 'Last use',
                  value: agent.lastUsedAt ? <RelativeTime at={agent.lastUsedAt} /> : 'never',
                },
                { term: 'Created', value: <RelativeTime at={agent.createdAt} /> },
              ]}
            />
          </Card>
          <Card flush title="Requests">
            {agent.requests.length === 0 ? (
              <p className="p-4 text-fg-2 text-sm">None.</p>
            ) : (
              <ul>
                {agent.requests.map((request) => (
                  <li
                    key={request.id}
                    className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b px-4 py-2 text-sm last:border-b-0"
                  >
                    <TextLink href={`/requests/${request.id}`} className="font-medium">
                      {request.label}
                    </TextLink>
                    <span className="text-fg-2 text-xs">{request.kind}</span>
                    <StatePill state={request.state} plain />
                    <span className="ml-auto text-fg-3 text-xs">
                      <RelativeTime at={request.decidedAt ?? request.createdAt} />
                    </span>
                  </li>
                ))}
              </ul>
            )}
          </Card>
          {revocations.length > 0 && (
            <Card flush title="Stops">
              <ul>
                {revocations.map((stop) => (
                  <li
                    key={stop.id}
                    className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b px-4 py-2 text-sm last:border-b-0"
                  >
                    <TextLink href={`/revocations/${stop.id}`} className="font-medium">
                      {stop.effect === 'suspend' ? 'Suspended' : 'Revoked'}
                    </TextLink>
                    <span className="text-fg-2 text-xs">{stop.cause}</span>
                    <span className="ml-auto text-fg-3 text-xs">
                      <RelativeTime at={stop.committedAt} />
                    </span>
                  </li>
                ))}
              </ul>
            </Card>
          )}
        </div>
      </div>
      {stopping && (
        <StopDialog
          agent={agent}
          effect={stopping}
          stop={stopping === 'suspend' ? actions.suspend : actions.revoke}
          onClose={() => {
            setStopping(null);
            // Loaded again, the page asks no more.
            if (stopAsked) window.history.replaceState(null, '', `/agents/${agent.id}`);
          }}
        />
      )}
      {reinstating && (
        <ReinstateDialog agentId={agent.id} ask={actions.reinstate} onClose={() => setReinstating(false)} />
      )}
    </div>
  );
}

function StandingNote({
  agent,
  lastStop,
  openRequest,
}: {
  agent: AgentFacts;
  lastStop: Stop | undefined;
  openRequest: AgentFacts['requests'][number] | undefined;
}) {
  const receipt = lastStop && (
    <LinkButton size="sm" href={`/revocations/${lastStop.id}`}>
      Receipt
    </LinkButton>
  );
  const by = agent.stateBy ? ` by ${agent.stateBy.displayName}` : '';
  switch (agent.state) {
    case 'pending':
      return (
        <Callout
          tone="info"
          title="It can do nothing yet"
          actions={
            openRequest && (
              <LinkButton size="sm" href={`/requests/${openRequest.id}`}>
                Open {openRequest.label}
              </LinkButton>
            )
          }
        >
          {openRequest
            ? 'An approver decides about its request.'
            : 'No request about it is waiting for a decision.'}
        </Callout>
      );
    case 'suspended':
      return (
        <Callout tone="warning" title={`Suspended${by}`} actions={receipt}>
          <RelativeTime at={agent.stateSince} />. Every call is refused. It comes back only by a reinstatement
          that somebody other than its owner and the suspender approves.
        </Callout>
      );
    case 'revoked':
      return (
        <Callout tone="danger" title={`Revoked${by}`} actions={receipt}>
          <RelativeTime at={agent.stateSince} />. This is final; what follows is history.
        </Callout>
      );
    case 'expired':
      return (
        <Callout tone="info" title="Its approval has ended">
          <RelativeTime at={agent.stateSince} />. Nothing it held works any more; what follows is history.
        </Callout>
      );
    default:
      return null;
  }
}

function LiveBinding({ binding }: { binding: Binding }) {
  return (
    <section aria-label={`Tools on ${binding.server}`} className="border-line border-b last:border-b-0">
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1 px-4 pt-3 pb-1">
        <h3 className="font-medium text-sm">
          <TextLink href={`/servers/${binding.serverId}`} className="inline-block min-h-6 leading-6">
            {binding.server}
          </TextLink>
        </h3>
        <span className="text-fg-3 text-xs">
          version {binding.version}, by{' '}
          <TextLink href={`/requests/${binding.requestId}`} className="inline-block min-h-6 leading-6">
            {binding.requestLabel || 'its request'}
          </TextLink>
        </span>
        <span className="ml-auto text-xs">
          {binding.expiresAt ? (
            <Countdown until={binding.expiresAt} totalSeconds={binding.lifetimeSeconds} />
          ) : (
            <span className="text-fg-2">
              <Duration seconds={binding.lifetimeSeconds} /> from its first token; lapses unused{' '}
              <RelativeTime at={binding.unusedEndsAt} />
            </span>
          )}
        </span>
      </div>
      <ul className="px-4 pb-3">
        {binding.tools.map((tool) => (
          <li key={tool.name} className="flex flex-wrap items-center gap-x-3 gap-y-0.5 py-1 text-sm">
            <span className="w-full break-all font-mono text-xs sm:w-auto sm:min-w-40">
              <UntrustedText text={tool.name} />
            </span>
            <ClassMark toolClass={tool.class} plain />
            <RiskMark risk={tool.risk} plain />
            {tool.constraints.length > 0 && (
              <span className="w-full text-fg-2 text-xs">
                only if <UntrustedText text={tool.constraints.map(describeConstraint).join(' and ')} />
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function PastBindings({ bindings }: { bindings: Binding[] }) {
  return (
    <details className="border-line border-t">
      <summary className="cursor-pointer px-4 py-2 text-fg-2 text-sm hover:bg-hover">
        {bindings.length} earlier {bindings.length === 1 ? 'binding' : 'bindings'}
      </summary>
      <Table label="Earlier bindings">
        <thead>
          <TableRow>
            <TableHeader>Server</TableHeader>
            <TableHeader>Tools</TableHeader>
            <TableHeader>From</TableHeader>
            <TableHeader>Ended</TableHeader>
          </TableRow>
        </thead>
        <tbody>
          {bindings.map((binding) => (
            <TableRow key={binding.id}>
              <TableCell>{binding.server}</TableCell>
              <TableCell className="font-mono text-xs">
                <UntrustedText text={binding.tools.map((tool) => tool.name).join(', ')} />
              </TableCell>
              <TableCell>
                <RelativeTime at={binding.validFrom} />
              </TableCell>
              <TableCell>
                {binding.endCause ?? 'by time'}{' '}
                <RelativeTime at={binding.endedAt ?? binding.expiresAt ?? binding.unusedEndsAt} />
              </TableCell>
            </TableRow>
          ))}
        </tbody>
      </Table>
    </details>
  );
}
