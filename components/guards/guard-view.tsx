'use client';

import { Ban, RadioTower } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { useNowEvery } from '#components/console/clock.ts';
import { CopyableId } from '#components/console/copyable-id.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { ClassMark, RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatRow } from '#components/console/stat.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { ProbeLine } from '#components/servers/probe-mark.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { ProbeResult } from '#lib/catalogue/probe-server.ts';
import type { GuardDetail } from '#lib/revocation/read-guard.ts';
import { RevokeGuard } from './guards-view.tsx';
import { guardStanding } from './types.ts';
import { type VersionStanding, versionStanding } from './version.ts';

export type ProbeAction = Action<{ serverId: string }, ProbeResult>;

const leaseSeconds = 5;

/** One guard: whether it is heard from, what it stands in front of, and what it says of itself. */
export function GuardView({
  guard,
  currentVersion,
  mayAdmin,
  actions,
}: {
  guard: GuardDetail;
  currentVersion: string;
  mayAdmin: boolean;
  actions: { revoke: Action<{ guardId: string; reason?: string }, void>; probe: ProbeAction };
}) {
  const [revoking, setRevoking] = useState(false);
  const nowMs = useNowEvery(5) * 1000;
  const standing = guardStanding(
    { state: guard.state, lastSeenAt: guard.lastSeenAt?.toISOString() ?? null },
    nowMs,
  );
  const lag = guard.servers.reduce((sum, server) => sum + Math.max(0, server.head - server.acknowledged), 0);
  const open = guard.servers.filter((server) => server.probe.outcome === 'answers');
  const toolCount = guard.servers.reduce((sum, server) => sum + server.tools.length, 0);
  const version = versionStanding(guard.version, currentVersion);
  const spoolFull =
    guard.conditions.find(({ condition }) => condition === 'spool_full' || condition === 'spool_free')
      ?.condition === 'spool_full';
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['guards', 'servers']} />
      <PageHeader
        title={guard.name}
        crumbs={[{ label: 'Guards', href: '/guards' }]}
        state={<StatePill state={standing} />}
        meta={
          <>
            <CopyableId id={guard.id} label="guard id" keep={40} />
            <span>
              Enrolled <RelativeTime at={guard.enrolledAt} />
              {guard.enrolledBy && ` by ${guard.enrolledBy}`}
            </span>
            <span>
              {guard.lastSeenAt ? (
                <>
                  Heard from <RelativeTime at={guard.lastSeenAt} />
                </>
              ) : (
                'Never heard from'
              )}
              {guard.state === 'enrolled' && `, its lease runs ${leaseSeconds} seconds`}
            </span>
            <TextLink href={`/audit?actor=${guard.id}`}>Its history</TextLink>
          </>
        }
        actions={
          mayAdmin && guard.state === 'enrolled' ? (
            <Button variant="danger-outline" icon={<Ban aria-hidden />} onClick={() => setRevoking(true)}>
              Revoke…
            </Button>
          ) : undefined
        }
      />
      {guard.state === 'enrolled' && open.length > 0 && (
        <Callout tone="danger" title={bypassTitle(open.map((server) => server.name))}>
          At {open.length === 1 ? 'its' : 'their'} own address{' '}
          {open.length === 1 ? 'it lists its' : 'they list their'} tools to anybody who asks, so this guard
          can be walked around. Have {open.length === 1 ? 'it' : 'them'} ask for a credential, or let only the
          guard reach {open.length === 1 ? 'it' : 'them'}.
        </Callout>
      )}
      {standing === 'unreachable' && (
        <Callout tone="warning" title="It is not heard from">
          Without word from here for {leaseSeconds} seconds it refuses every call by itself. Its host or the
          way there is down, or it was stopped.
        </Callout>
      )}
      {spoolFull && guard.state === 'enrolled' && (
        <Callout tone="warning" title="Its spool is full">
          What it cannot report it does not let through: high-risk calls are refused until it has delivered
          its reports. Look at the disk of its host and at the way here.
        </Callout>
      )}
      {version !== 'current' && guard.state === 'enrolled' && (
        <VersionNote standing={version} version={guard.version} currentVersion={currentVersion} />
      )}
      <StatRow
        stats={[
          {
            label: 'Behind by',
            href: '#coverage',
            value: guard.state === 'revoked' ? '–' : lag === 0 ? 'nothing' : lag.toLocaleString('en'),
            hint: lag === 0 ? 'it has all there is' : 'entries it has not confirmed',
          },
          {
            label: 'Stops not confirmed',
            value: guard.openStops.toLocaleString('en'),
            href: '/revocations?open=true',
            hint: 'receipts that wait for it',
          },
          {
            label: 'Tools behind it',
            href: '#coverage',
            value: toolCount.toLocaleString('en'),
            hint: `of ${guard.servers.length} ${guard.servers.length === 1 ? 'server' : 'servers'}`,
          },
        ]}
      />
      <Card
        flush
        id="coverage"
        title="What it stands in front of"
        description="Past the guard each server is asked from this installation's own place in the network"
      >
        {guard.servers.length === 0 ? (
          <p className="p-4 text-fg-2 text-sm">No server. It lets nothing through.</p>
        ) : (
          <ul className="divide-y divide-line">
            {guard.servers.map((server) => (
              <ServerLine
                key={server.id}
                server={server}
                revoked={guard.state === 'revoked'}
                probe={mayAdmin && server.hasUpstream && server.state === 'active' ? actions.probe : null}
              />
            ))}
          </ul>
        )}
      </Card>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Card id="reports" title="Reports" description="Signed, numbered, each bound to the one before">
          <DescriptionList
            items={[
              { term: 'Stored up to', value: `number ${guard.reports.lastNumber.toLocaleString('en')}` },
              {
                term: 'Chain',
                value:
                  guard.reports.gaps === 0 ? (
                    <Badge plain tone="success">
                      Holds, without a gap in 30 days
                    </Badge>
                  ) : (
                    <Badge plain tone="danger">
                      {guard.reports.gaps} {guard.reports.gaps === 1 ? 'gap' : 'gaps'} in 30 days
                    </Badge>
                  ),
                hint: guard.reports.lastGap && (
                  <>
                    {guard.reports.lastGap.chainHolds
                      ? `After ${guard.reports.lastGap.after} came ${guard.reports.lastGap.next}: what lies between is missing. `
                      : `Number ${guard.reports.lastGap.next} does not follow from the one before. `}
                    <TextLink href={`/audit/${guard.reports.lastGap.eventId}`}>The finding</TextLink>
                  </>
                ),
              },
              {
                term: 'Last call seen',
                value: guard.reports.lastCall ? <RelativeTime at={guard.reports.lastCall} /> : 'none yet',
              },
              {
                term: 'Spool',
                value: spoolFull ? 'full' : 'has room',
                hint: 'What it has not delivered waits on its own disk; it says when that is full.',
              },
            ]}
          />
        </Card>
        <Card id="identity" title="Identity">
          <DescriptionList
            items={[
              {
                term: 'Version',
                value: (
                  <>
                    {guard.version || 'not said'}{' '}
                    {version === 'current' && <span className="text-fg-3 text-xs">current</span>}
                  </>
                ),
              },
              {
                term: 'Key',
                value: <CopyableId id={guard.thumbprint} label="thumbprint of its key" keep={24} />,
                hint: 'Made by the guard; it signs every request, confirmation and report.',
              },
              guard.revokedAt && { term: 'Revoked', value: <RelativeTime at={guard.revokedAt} /> },
            ]}
          />
        </Card>
      </div>
      <Card flush id="condition" title="What it said of itself" description="Its own words, newest first">
        {guard.conditions.length === 0 ? (
          <p className="p-4 text-fg-2 text-sm">
            Nothing yet. It reports starts, lost leases and a full spool.
          </p>
        ) : (
          <ul className="divide-y divide-line">
            {guard.conditions.map((each) => (
              <li
                key={each.eventId}
                className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 px-4 py-2 text-sm"
              >
                <span className="font-medium">{conditionWord(each.condition)}</span>
                {each.detail && (
                  <span className="min-w-0 break-all text-fg-2 text-xs">
                    <UntrustedText text={each.detail.slice(0, 200)} />
                  </span>
                )}
                <TextLink href={`/audit/${each.eventId}`} className="ml-auto text-xs">
                  <RelativeTime at={each.at} />
                </TextLink>
              </li>
            ))}
          </ul>
        )}
      </Card>
      {revoking && <RevokeGuard guard={guard} revoke={actions.revoke} onClose={() => setRevoking(false)} />}
    </div>
  );
}

function ServerLine({
  server,
  revoked,
  probe,
}: {
  server: GuardDetail['servers'][number];
  revoked: boolean;
  probe: ProbeAction | null;
}) {
  const behind = Math.max(0, server.head - server.acknowledged);
  return (
    <li className="grid gap-3 px-4 py-3 text-sm">
      <div className="grid items-start gap-x-6 gap-y-2 md:grid-cols-[minmax(0,2fr)_minmax(0,1fr)_minmax(0,2fr)_auto]">
        <div className="grid gap-0.5">
          <TextLink href={`/servers/${server.id}`} className="font-medium">
            {server.name}
          </TextLink>
          <code className="break-all text-fg-3 text-xs">{server.resource}</code>
          {server.state !== 'active' && <StatePill state={server.state} plain />}
        </div>
        <div className="grid gap-0.5">
          <span>Head {server.head.toLocaleString('en')}</span>
          <span className={behind > 0 && !revoked ? 'text-warning text-xs' : 'text-fg-3 text-xs'}>
            {behind === 0 ? 'confirmed' : `confirmed up to ${server.acknowledged.toLocaleString('en')}`}
          </span>
        </div>
        <ProbeLine probe={server.probe} hasUpstream={server.hasUpstream} />
        {probe && <ProbeNow serverId={server.id} name={server.name} probe={probe} />}
      </div>
      {server.tools.length === 0 ? (
        <p className="text-fg-3 text-xs">No tool was read yet, so no call passes.</p>
      ) : (
        <details>
          <summary className="min-h-6 rounded-xs text-fg-2 text-xs">
            Covers {server.tools.length} {server.tools.length === 1 ? 'tool' : 'tools'}
          </summary>
          <ul className="grid gap-x-6 gap-y-1 pt-2 sm:grid-cols-2" aria-label={`Tools of ${server.name}`}>
            {server.tools.map((tool) => (
              <li key={tool.toolId} className="flex flex-wrap items-center gap-x-2">
                <TextLink
                  href={`/servers/${server.id}?tool=${tool.toolId}`}
                  className="inline-block min-h-6 font-mono text-xs leading-6"
                >
                  <UntrustedText text={tool.name} />
                </TextLink>
                <ClassMark toolClass={tool.class} plain />
                <RiskMark risk={tool.risk} plain />
              </li>
            ))}
          </ul>
        </details>
      )}
    </li>
  );
}

/** Asks the server past its guard, now. What came of it shows where the last answer was. */
export function ProbeNow({ serverId, name, probe }: { serverId: string; name: string; probe: ProbeAction }) {
  const { run, pending, problem } = useAction(probe);
  return (
    <span className="grid justify-items-start gap-1">
      <Button
        size="sm"
        icon={<RadioTower aria-hidden />}
        pending={pending}
        aria-label={`${pending ? 'Asking' : 'Ask now'}: ${name}, past its guard`}
        onClick={() => run({ serverId })}
      >
        {pending ? 'Asking' : 'Ask now'}
      </Button>
      {problem && (
        <span role="alert" className="max-w-60 text-danger text-xs">
          {problem.detail}
        </span>
      )}
    </span>
  );
}

function VersionNote({
  standing,
  version,
  currentVersion,
}: {
  standing: Exclude<VersionStanding, 'current'>;
  version: string;
  currentVersion: string;
}) {
  const titles: Record<typeof standing, ReactNode> = {
    older: `Its software is older (${version}) than what belongs here (${currentVersion})`,
    newer: `Its software is newer (${version}) than this installation (${currentVersion})`,
    unknown: 'It does not say which version it is',
  };
  const remedies: Record<typeof standing, string> = {
    older:
      'It goes on refusing what it must. Update it when you can: it may miss what has been mended since.',
    newer: 'Update this installation, so that both know the same.',
    unknown: 'Nobody can say what such a guard does. Put the released package in its place.',
  };
  return (
    <Callout tone={standing === 'unknown' ? 'danger' : 'warning'} title={titles[standing]}>
      {remedies[standing]}
    </Callout>
  );
}

function bypassTitle(names: readonly string[]): string {
  const listed = new Intl.ListFormat('en').format(names);
  return names.length === 1 ? `${listed} answers without its guard` : `${listed} answer without their guard`;
}

const conditionWords: Readonly<Record<string, string>> = {
  started: 'Started',
  lease_lost: 'Lost its lease, so refuses everything',
  lease_regained: 'Has a lease again',
  spool_full: 'Its spool is full',
  spool_free: 'Its spool has room again',
  feed_refused: 'Did not believe its feed',
  tools_differ: 'A tool differs from what was reviewed',
};

function conditionWord(condition: string): string {
  return conditionWords[condition] ?? 'Something this version does not know';
}
