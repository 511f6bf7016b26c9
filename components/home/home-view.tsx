'use client';

import {
  Bot,
  CircleCheck,
  ClipboardCheck,
  FileInput,
  KeyRound,
  MailX,
  MonitorSmartphone,
  OctagonX,
  Plus,
  ShieldHalf,
  Wrench,
} from 'lucide-react';
import type { ReactNode } from 'react';
import { IntegrityAlarm, IntegrityBadge } from '#components/audit/integrity-badge.tsx';
import { useNowEvery } from '#components/console/clock.ts';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Countdown, RelativeTime } from '#components/console/relative-time.tsx';
import { type Stat, StatRow } from '#components/console/stat.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { formatRelative } from '#components/console/time.ts';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { openPalette } from '#components/palette/open-palette.ts';
import { usePageActions } from '#components/palette/page-actions.ts';
import { formatLatency } from '#components/revocations/latency.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import type { DecisionTimes } from '#lib/approvals/read-decision-times.ts';
import type { Integrity } from '#lib/audit/read-event.ts';
import { Decisions } from './decisions.tsx';
import { type EndingAgent, EndsSoon } from './ends-soon.tsx';
import { type FirstSteps, FirstStepsCard, isComplete } from './first-steps.tsx';

type Request = {
  id: string;
  label: string;
  kind: string;
  risk: string;
  agentName: string;
  owner: { displayName: string };
  submittedAt: string | null;
  reviewDueAt: string | null;
  browserWaitsUntil: string | null;
  toolCount: number;
  servers: string[];
};
type Stop = {
  id: string;
  effect: 'suspend' | 'revoke';
  agent: { id: string; name: string };
  actorName: string;
  committedAt: string;
  closedAt: string | null;
  guardsAsked: number;
  guardsAcknowledged: number;
  slowestMs: number | null;
};
export type HomeFacts = {
  roles: ReadonlyArray<string>;
  agents: { active: number; suspended: number; mine: number; owned: number };
  ending: EndingAgent[];
  endingWithinDay: number;
  endingWithinFortnight: number;
  reveals: { agentId: string; agentName: string; expiresAt: string }[];
  platform: {
    unclaimedClients: number;
    unconfirmedTools: number;
    unconfirmedServerId: string | null;
    failedSyncs: number;
    failedMessages: number | null;
    silentGuards: number;
    guards: number;
    servers: number;
    tools: number;
  } | null;
  firstSteps: FirstSteps | null;
  /** Requests the person can decide now; null for who decides none. */
  waiting: { count: number; items: Request[]; oldestAt: string | null } | null;
  /** For those who see all decisions and all of history. */
  times: DecisionTimes | null;
  integrity: Integrity | null;
  /** The person's own requests; null for who files none. */
  own: {
    returned: Request[];
    submitted: Request[];
    returnedCount: number;
    submittedCount: number;
    draftCount: number;
  } | null;
  revocations: Stop[];
};

const topics = ['requests', 'agents', 'clients', 'servers', 'guards', 'revocations', 'people'];

/** Home: what waits for me, what ends soon, what was stopped, what is unowned. */
export function HomeView({ facts, name }: { facts: HomeFacts; name: string }) {
  const stats = statsOf(facts);
  const isOwner = facts.own !== null;
  const mayStop = ['owner', 'approver', 'admin'].some((role) => facts.roles.includes(role));
  usePageActions([mayStop && { label: 'Stop an agent…', icon: OctagonX, run: () => openPalette('stop') }]);
  const quiet =
    (facts.waiting?.count ?? 0) === 0 && (facts.own?.returnedCount ?? 0) === 0 && facts.reveals.length === 0;
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={topics} />
      <PageHeader
        title={`Hello, ${name.split(' ', 1)[0]}`}
        actions={
          <>
            {mayStop && (
              <Button
                variant="danger-outline"
                icon={<OctagonX aria-hidden />}
                aria-haspopup="dialog"
                onClick={() => openPalette('stop')}
              >
                Stop an agent
              </Button>
            )}
            {isOwner && (
              <LinkButton
                href="/requests/new"
                variant={quiet ? 'primary' : 'secondary'}
                icon={<Plus aria-hidden />}
              >
                Request an agent
              </LinkButton>
            )}
          </>
        }
      />
      {facts.firstSteps && !isComplete(facts.firstSteps) && (
        <FirstStepsCard steps={facts.firstSteps} isOwner={isOwner} />
      )}
      {facts.platform && facts.platform.silentGuards > 0 && (
        <Callout
          tone="danger"
          title={`${facts.platform.silentGuards} ${facts.platform.silentGuards === 1 ? 'guard is' : 'guards are'} not heard from`}
          actions={
            <LinkButton size="sm" href="/guards?show=silent">
              Show
            </LinkButton>
          }
        >
          Calls through {facts.platform.silentGuards === 1 ? 'it' : 'them'} are refused until contact is back.
        </Callout>
      )}
      {facts.integrity && <IntegrityAlarm integrity={facts.integrity} />}
      <StatRow stats={stats} />
      {isOwner && isFirstTime(facts) && <FirstAgent />}
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <div className="grid gap-4">
          <WaitsForMe facts={facts} quiet={quiet} />
          {facts.own && facts.own.submitted.length > 0 && <InReview own={facts.own} />}
          {facts.platform && <Platform platform={facts.platform} roles={facts.roles} />}
        </div>
        <div className="grid gap-4">
          <EndsSoon
            agents={facts.ending}
            withinDay={facts.endingWithinDay}
            withinFortnight={facts.endingWithinFortnight}
          />
          {facts.times && <Decisions times={facts.times} />}
          {facts.integrity && <HistoryCard integrity={facts.integrity} />}
          <Stops stops={facts.revocations} />
        </div>
      </div>
    </div>
  );
}

function statsOf(facts: HomeFacts): Stat[] {
  const stats: Stat[] = [];
  if (facts.waiting) {
    stats.push({
      label: 'Waiting for my decision',
      value: facts.waiting.count,
      href: '/review',
      tone: 'violet',
      hint: facts.waiting.items.some((item) => item.browserWaitsUntil) ? (
        'a browser is waiting'
      ) : facts.waiting.oldestAt ? (
        <OldestWait at={facts.waiting.oldestAt} />
      ) : undefined,
    });
  }
  if (facts.own) {
    stats.push({
      label: 'Need my answer',
      value: facts.own.returnedCount,
      href: '/requests?scope=mine&state=changes+requested',
      tone: 'warning',
    });
    stats.push({
      label: 'My active agents',
      value: facts.agents.mine,
      href: '/agents?scope=mine&state=active',
    });
  }
  if (!facts.own || facts.platform) {
    stats.push({ label: 'Active agents', value: facts.agents.active, href: '/agents?state=active' });
  }
  stats.push({
    label: 'End within 14 days',
    value: facts.endingWithinFortnight,
    href: '/agents?ends=fortnight',
    hint: facts.endingWithinDay > 0 ? `${facts.endingWithinDay} within 24 hours` : undefined,
    tone: facts.endingWithinDay > 0 ? 'warning' : undefined,
  });
  stats.push({
    label: 'Suspended',
    value: facts.agents.suspended,
    href: '/agents?state=suspended',
    tone: 'warning',
  });
  if (facts.platform) {
    stats.push({
      label: 'Unclaimed clients',
      value: facts.platform.unclaimedClients,
      href: '/clients?state=quarantined',
    });
  }
  return stats;
}

/** Ages by itself; the stat is a link already, so it takes no focus of its own. */
function OldestWait({ at }: { at: string }) {
  const now = useNowEvery(60);
  return (
    <span suppressHydrationWarning>
      oldest {formatRelative(Math.floor(Date.parse(at) / 1000) - now).replace(/^in .*/, 'just now')}
    </span>
  );
}

function isFirstTime({ agents, own }: HomeFacts): boolean {
  return agents.owned === 0 && own !== null && own.returnedCount + own.submittedCount + own.draftCount === 0;
}

function FirstAgent() {
  return (
    <Card title="Your first agent" id="first-agent">
      <ul className="grid gap-2 text-sm">
        <li>
          <span className="font-medium">With a browser:</span> point Claude Code, Cursor, VS Code or another
          MCP client at one of the <TextLink href="/servers">servers</TextLink>. Its sign-in brings you to a
          page that asks what it is for.
        </li>
        <li>
          <span className="font-medium">Without one:</span>{' '}
          <TextLink href="/requests/new">request an agent</TextLink> for a service that runs by itself.
        </li>
      </ul>
    </Card>
  );
}

function HistoryCard({ integrity }: { integrity: Integrity }) {
  return (
    <Card
      title="History"
      id="history"
      actions={
        <TextLink href="/audit" className="text-sm">
          Open
        </TextLink>
      }
    >
      <IntegrityBadge integrity={integrity} />
    </Card>
  );
}

function WaitsForMe({ facts, quiet }: { facts: HomeFacts; quiet: boolean }) {
  const deciding = facts.waiting?.items ?? [];
  const answering = facts.own?.returned ?? [];
  return (
    <Card
      flush
      title="Waits for me"
      actions={
        facts.waiting && facts.waiting.count > deciding.length ? (
          <TextLink href="/review" className="text-sm">
            All {facts.waiting.count}
          </TextLink>
        ) : undefined
      }
    >
      {quiet ? (
        <p className="flex items-center gap-2 p-4 text-fg-2 text-sm">
          <CircleCheck aria-hidden className="size-4 text-success" />
          Nothing waits for you.
        </p>
      ) : (
        <ul>
          {facts.reveals.map((reveal) => (
            <Line key={reveal.agentId} icon={<KeyRound aria-hidden />}>
              <TextLink href={`/agents/${reveal.agentId}/reveal`} className="font-medium">
                Reveal the token of <UntrustedText text={reveal.agentName} />
              </TextLink>
              <Aside>
                <Countdown until={reveal.expiresAt} />
              </Aside>
            </Line>
          ))}
          {answering.map((request) => (
            <Line key={request.id} icon={<FileInput aria-hidden />}>
              <TextLink href={`/requests/${request.id}`} className="font-medium">
                {request.label} <UntrustedText text={request.agentName} />
              </TextLink>
              <StatePill state="changes requested" plain />
            </Line>
          ))}
          {deciding.map((request) => (
            <Line key={request.id} icon={<ClipboardCheck aria-hidden />}>
              <TextLink href={`/review/${request.id}`} className="font-medium">
                {request.label} <UntrustedText text={request.agentName} />
              </TextLink>
              <RiskMark risk={request.risk} plain />
              <span className="text-fg-3 text-xs">
                {request.owner.displayName}, {request.toolCount} {request.toolCount === 1 ? 'tool' : 'tools'}
              </span>
              <Aside>
                {request.browserWaitsUntil ? (
                  <span className="text-violet">
                    browser waits, <Countdown until={request.browserWaitsUntil} />
                  </span>
                ) : (
                  <RelativeTime at={request.submittedAt} />
                )}
              </Aside>
            </Line>
          ))}
        </ul>
      )}
    </Card>
  );
}

function InReview({ own }: { own: NonNullable<HomeFacts['own']> }) {
  return (
    <Card
      flush
      title="My requests in review"
      actions={
        <TextLink href="/requests?scope=mine&state=submitted" className="text-sm">
          All {own.submittedCount}
        </TextLink>
      }
    >
      <ul>
        {own.submitted.map((request) => (
          <Line key={request.id} icon={<FileInput aria-hidden />}>
            <TextLink href={`/requests/${request.id}`} className="font-medium">
              {request.label} <UntrustedText text={request.agentName} />
            </TextLink>
            <RiskMark risk={request.risk} plain />
            <Aside>
              <RelativeTime at={request.submittedAt} />
            </Aside>
          </Line>
        ))}
      </ul>
    </Card>
  );
}

function Platform({
  platform,
  roles,
}: {
  platform: NonNullable<HomeFacts['platform']>;
  roles: ReadonlyArray<string>;
}) {
  const mayConfirm = roles.includes('admin');
  return (
    <Card flush title="Platform">
      <ul>
        <Line icon={<MonitorSmartphone aria-hidden />}>
          <TextLink href="/clients?state=quarantined" className="font-medium">
            {platform.unclaimedClients} unclaimed {platform.unclaimedClients === 1 ? 'client' : 'clients'}
          </TextLink>
          <span className="text-fg-3 text-xs">in quarantine; each ends by itself within 24 hours</span>
        </Line>
        <Line icon={<Wrench aria-hidden />}>
          <TextLink
            href={
              platform.unconfirmedServerId && mayConfirm
                ? `/servers/${platform.unconfirmedServerId}`
                : platform.unconfirmedTools > 0
                  ? '/servers?show=unconfirmed'
                  : '/servers'
            }
            className="font-medium"
          >
            {platform.unconfirmedTools > 0
              ? `${platform.unconfirmedTools} of ${platform.tools} tools to confirm`
              : `${platform.tools} tools, all confirmed`}
          </TextLink>
          <span className="text-fg-3 text-xs">
            on {platform.servers} {platform.servers === 1 ? 'server' : 'servers'}
          </span>
          {platform.failedSyncs > 0 && (
            <TextLink href="/servers?show=failed" className="text-xs">
              <Badge tone="danger" plain>
                {platform.failedSyncs} could not be synced
              </Badge>
            </TextLink>
          )}
        </Line>
        {platform.failedMessages !== null && platform.failedMessages > 0 && (
          <Line icon={<MailX aria-hidden />}>
            <TextLink href="/notifications/messages?show=failed" className="font-medium">
              {platform.failedMessages} {platform.failedMessages === 1 ? 'message was' : 'messages were'} not
              delivered
            </TextLink>
          </Line>
        )}
        <Line icon={<ShieldHalf aria-hidden />}>
          <TextLink
            href={platform.silentGuards > 0 ? '/guards?show=silent' : '/guards'}
            className="font-medium"
          >
            {platform.guards} {platform.guards === 1 ? 'guard' : 'guards'}
          </TextLink>
          {platform.silentGuards > 0 ? (
            <Badge tone="danger" plain>
              {platform.silentGuards} silent
            </Badge>
          ) : (
            <span className="text-fg-3 text-xs">
              {platform.guards > 0 ? 'all heard from' : 'none enrolled yet'}
            </span>
          )}
        </Line>
      </ul>
    </Card>
  );
}

function Stops({ stops }: { stops: Stop[] }) {
  return (
    <Card
      flush
      title="Stopped lately"
      actions={
        stops.length > 0 ? (
          <TextLink href="/revocations" className="text-sm">
            All
          </TextLink>
        ) : undefined
      }
    >
      {stops.length === 0 ? (
        <p className="p-4 text-fg-2 text-sm">Nothing was suspended or revoked.</p>
      ) : (
        <ul>
          {stops.map((stop) => (
            <Line key={stop.id} icon={<Bot aria-hidden />}>
              <TextLink href={`/revocations/${stop.id}`} className="font-medium">
                <UntrustedText text={stop.agent.name} />
              </TextLink>
              <StatePill state={stop.effect === 'suspend' ? 'suspended' : 'revoked'} plain />
              <span className="text-fg-3 text-xs">
                by {stop.actorName}
                {stop.guardsAcknowledged < stop.guardsAsked
                  ? `, ${stop.guardsAcknowledged} of ${stop.guardsAsked} guards confirmed`
                  : stop.slowestMs === null
                    ? ''
                    : `, every guard knew in ${formatLatency(stop.slowestMs)}`}
              </span>
              <Aside>
                <RelativeTime at={stop.committedAt} />
              </Aside>
            </Line>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Line({ icon, children }: { icon: ReactNode; children: ReactNode }) {
  return (
    <li className="grid grid-cols-[1rem_minmax(0,1fr)] gap-x-3 border-line border-b px-4 py-2.5 text-sm last:border-b-0 [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:text-fg-3">
      {icon}
      <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-0.5">{children}</div>
    </li>
  );
}

function Aside({ children }: { children: ReactNode }) {
  return <span className="ml-auto text-fg-3 text-xs">{children}</span>;
}
