'use client';

import { CircleQuestionMark, RefreshCw, ShieldHalf, Wrench } from 'lucide-react';
import Link from 'next/link';
import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { useNowEvery } from '#components/console/clock.ts';
import { CopyableId } from '#components/console/copyable-id.tsx';
import { formatDuration } from '#components/console/duration.ts';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { type ProbeAction, ProbeNow } from '#components/guards/guard-view.tsx';
import { guardStanding } from '#components/guards/types.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import type { CatalogueServer, CatalogueTool, ToolHistoryEntry } from '#lib/catalogue/read-catalogue.ts';
import type { Succession } from '#lib/catalogue/rename-tool.ts';
import type { ResourceTokenFacts } from '#lib/credentials/resource-tokens.ts';
import { ConfirmTools } from './confirm-tools.tsx';
import { EditServer, type EditServerInput } from './edit-server.tsx';
import { ProbeLine } from './probe-mark.tsx';
import { GoneTools, type RenameAction } from './rename-tool.tsx';
import { type ResourceTokenActions, ResourceTokens } from './resource-tokens.tsx';
import { type RetireAction, RetireServer } from './retire-server.tsx';
import { toServerRow } from './server-row.ts';
import { StandingMark } from './standing-mark.tsx';
import { SyncReport, type SyncResult } from './sync-report.tsx';
import { ToolDrawer } from './tool-drawer.tsx';
import { ToolsTable } from './tools-table.tsx';
import type { ClassifyLine, UseFacts } from './types.ts';

/** `every day`, or that nobody reads it by itself. */
function scheduleWord(everySeconds: number | null): string {
  switch (everySeconds) {
    case null:
      return 'only when somebody asks';
    case 3_600:
      return 'every hour';
    case 86_400:
      return 'every day';
    case 604_800:
      return 'every week';
    default:
      return `every ${formatDuration(everySeconds)}`;
  }
}

/** One MCP server: what its tools are, who confirmed them, and who uses them. */
export function ServerView({
  server,
  use,
  successions,
  history,
  mayAdmin,
  hasUpstream,
  seesInside,
  seesGuards,
  resourceTokens,
  justAdded,
  actions,
}: {
  server: CatalogueServer;
  use: UseFacts;
  /** What admins said about tools that go on under another name. */
  successions: Succession[];
  history: { tool: CatalogueTool; entries: ToolHistoryEntry[] } | null;
  mayAdmin: boolean;
  /** It has an address of its own, whether or not this person may read it. */
  hasUpstream: boolean;
  seesInside: boolean;
  seesGuards: boolean;
  /** Null for those who may not see them. */
  resourceTokens: { rows: ResourceTokenFacts[]; nowMs: number; introspectUrl: string } | null;
  justAdded: boolean;
  actions: {
    sync: Action<{ serverId: string }, SyncResult>;
    classify: Action<{ serverId: string; tools: ClassifyLine[] }, void>;
    edit: Action<EditServerInput, void>;
    probe: ProbeAction;
    rename: RenameAction;
    retire: RetireAction;
    resourceTokens: ResourceTokenActions;
  };
}) {
  const [report, setReport] = useState<SyncResult | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [confirming, setConfirming] = useState<CatalogueTool[] | null>(null);
  const sync = useAction(actions.sync);
  const nowMs = useNowEvery(5) * 1000;
  const row = toServerRow(server);
  const offered = server.tools.filter((tool) => tool.removedAt === null);
  const unconfirmed = offered.filter((tool) => tool.confirmedAt === null);
  const guarded = use.guards.some((guard) => guard.state === 'enrolled');
  const syncNow = () => {
    setReport(null);
    sync.run({ serverId: server.id }, setReport);
  };
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['servers']} id={server.id} />
      <PageHeader
        title={server.name}
        crumbs={[{ label: 'Servers & tools', href: '/servers' }]}
        state={<StandingMark server={row} />}
        meta={
          <>
            <span>{server.environment}</span>
            <CopyableId id={server.resource} label="public URL" keep={60} />
            <span>Last sync {server.lastSyncedAt ? <RelativeTime at={server.lastSyncedAt} /> : 'never'}</span>
          </>
        }
        description={server.description || undefined}
        actions={
          mayAdmin && server.state === 'active' ? (
            <>
              <RetireServer server={server} retire={actions.retire} />
              <EditServer server={server} edit={actions.edit} />
              <Button
                variant={offered.length === 0 ? 'primary' : 'secondary'}
                icon={<RefreshCw aria-hidden />}
                pending={sync.pending}
                onClick={syncNow}
              >
                {sync.pending ? 'Reading tools' : 'Sync now'}
              </Button>
            </>
          ) : undefined
        }
      />
      {server.state !== 'active' && (
        <Callout tone="info" title="This server is retired">
          Nothing is issued for it and no call to it passes. It stays here as history.
        </Callout>
      )}
      {sync.problem && (
        <Callout tone="danger" announce title="The tools could not be read">
          <span className="break-words">{sync.problem.detail}</span>
          {offered.length > 0 && ' The last good list stays.'}
          {sync.problem.code === 'internal' &&
            sync.problem.requestId &&
            ` Reference ${sync.problem.requestId}.`}
        </Callout>
      )}
      {report && <SyncReport report={report} onClose={() => setReport(null)} />}
      {!report && !sync.problem && server.lastSyncError && (
        <Callout tone="danger" title="The last sync failed">
          <span className="break-words">{server.lastSyncError}</span>{' '}
          {server.lastSyncedAt ? (
            <>
              The tools below are from <RelativeTime at={server.lastSyncedAt} />.
            </>
          ) : (
            'No tool has been read yet.'
          )}
        </Callout>
      )}
      {justAdded && offered.length === 0 && !server.lastSyncError && !sync.problem && (
        <Callout tone="success" title={`${server.name} is in the catalogue`}>
          {guarded || server.upstreamUrl
            ? 'Next, read its tools with “Sync now”. Then confirm what each may do.'
            : 'Next, enrol a guard for it: its tools are read through the guard.'}
        </Callout>
      )}
      {server.state === 'active' && server.probe.outcome === 'answers' && (
        <Callout
          tone="danger"
          title="This server answers without its guard"
          actions={mayAdmin && <ProbeNow serverId={server.id} name={server.name} probe={actions.probe} />}
        >
          At its own address it lists its tools to anybody who asks
          {server.probe.since && (
            <>
              , since <RelativeTime at={server.probe.since} />
            </>
          )}
          . Whoever reaches that address needs no approval. Have it ask for a credential, or let only its
          guard reach it.
        </Callout>
      )}
      {mayAdmin && server.state === 'active' && unconfirmed.length > 0 && (
        <Callout
          tone="info"
          title={`${unconfirmed.length} ${unconfirmed.length === 1 ? 'tool waits' : 'tools wait'} for a person to confirm what ${unconfirmed.length === 1 ? 'it does' : 'they do'}`}
          actions={
            <Button
              variant="primary"
              icon={<CircleQuestionMark aria-hidden />}
              onClick={() => setConfirming(unconfirmed)}
            >
              Review and confirm
            </Button>
          }
        >
          Until then they count as unclassified and high risk. What the server says about itself is only a
          proposal.
        </Callout>
      )}
      <Card
        flush
        title={`Tools${offered.length > 0 ? ` (${offered.length})` : ''}`}
        actions={
          mayAdmin && chosen.size > 0 ? (
            <Button
              size="sm"
              variant="primary"
              onClick={() => setConfirming(offered.filter((tool) => chosen.has(tool.toolId)))}
            >
              Confirm {chosen.size} selected
            </Button>
          ) : undefined
        }
      >
        {server.tools.length === 0 ? (
          <EmptyState icon={Wrench} title="No tools read yet" boxed={false} level={3}>
            {mayAdmin
              ? 'Sync reads tools/list with a real MCP client, page by page, and stores every definition with its digest.'
              : 'An admin reads them with a sync.'}
          </EmptyState>
        ) : (
          <ToolsTable
            serverId={server.id}
            tools={server.tools}
            chosen={chosen}
            onChoose={mayAdmin ? setChosen : undefined}
          />
        )}
      </Card>
      <GoneTools
        tools={server.tools}
        successions={successions}
        rename={mayAdmin && server.state === 'active' ? actions.rename : null}
      />
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <div className="grid gap-4">
          <Card flush title="Used by" description="Agents that hold tools of this server now">
            {use.agents.length === 0 ? (
              <p className="p-4 text-fg-2 text-sm">
                {use.hiddenAgents > 0
                  ? `${use.hiddenAgents} ${use.hiddenAgents === 1 ? 'agent' : 'agents'} of other owners.`
                  : 'No agent holds a tool of this server.'}
              </p>
            ) : (
              <ul>
                {use.agents.map((agent) => (
                  <li
                    key={agent.id}
                    className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b px-4 py-2 text-sm last:border-b-0"
                  >
                    <TextLink href={`/agents/${agent.id}`} className="min-w-0 font-medium">
                      <UntrustedText text={agent.name} />
                    </TextLink>
                    <StatePill state={agent.state} plain />
                    <span className="text-fg-3 text-xs">{agent.owner}</span>
                    <span className="ml-auto text-fg-3 text-xs" title={agent.tools.join(', ')}>
                      {agent.tools.length} {agent.tools.length === 1 ? 'tool' : 'tools'}
                    </span>
                  </li>
                ))}
                {use.hiddenAgents > 0 && (
                  <li className="px-4 py-2 text-fg-3 text-xs">and {use.hiddenAgents} of other owners</li>
                )}
              </ul>
            )}
          </Card>
          <Card title="Facts">
            <DescriptionList
              columns={2}
              items={[
                { term: 'Id', value: <CopyableId id={server.id} label="server id" keep={40} /> },
                seesInside && {
                  term: 'Server URL',
                  value: server.upstreamUrl ? (
                    <code className="break-all text-xs">{server.upstreamUrl}</code>
                  ) : (
                    'Hosted by its guard over stdio'
                  ),
                },
                seesGuards &&
                  server.state === 'active' && {
                    term: 'Past its guard',
                    value: (
                      <span className="grid gap-1.5">
                        <ProbeLine probe={server.probe} hasUpstream={hasUpstream} />
                        {mayAdmin && hasUpstream && server.probe.outcome !== 'answers' && (
                          <ProbeNow serverId={server.id} name={server.name} probe={actions.probe} />
                        )}
                      </span>
                    ),
                  },
                {
                  term: 'Protocol',
                  value: server.protocolRevision ? `MCP ${server.protocolRevision}` : null,
                },
                server.state === 'active' && {
                  term: 'Read',
                  value: scheduleWord(server.syncEverySeconds),
                  hint:
                    server.syncFailures > 0 ? (
                      <span className="text-danger">
                        failed {server.syncFailures} {server.syncFailures === 1 ? 'time' : 'times'} in a row
                        {server.nextSyncAt && (
                          <>
                            , tried again <RelativeTime at={server.nextSyncAt} />
                          </>
                        )}
                      </span>
                    ) : (
                      server.nextSyncAt && (
                        <>
                          next <RelativeTime at={server.nextSyncAt} />
                        </>
                      )
                    ),
                },
                server.retiredAt && { term: 'Retired', value: <RelativeTime at={server.retiredAt} /> },
                { term: 'Added', value: <RelativeTime at={server.createdAt} /> },
                {
                  term: 'History',
                  value: <TextLink href={`/audit?server=${server.id}`}>Events of this server</TextLink>,
                },
              ]}
            />
          </Card>
        </div>
        <div className="grid gap-4">
          <Card
            flush
            title="Guards"
            actions={
              mayAdmin ? (
                <LinkButton size="sm" href={`/guards?invite=${server.id}`} icon={<ShieldHalf aria-hidden />}>
                  Add guard
                </LinkButton>
              ) : undefined
            }
          >
            {use.guards.length === 0 ? (
              <p className="p-4 text-fg-2 text-sm">
                No guard stands in front of it, so nothing can be called through Countersign yet.
              </p>
            ) : (
              <ul>
                {use.guards.map((guard) => (
                  <li
                    key={guard.id}
                    className="flex flex-wrap items-center gap-x-3 gap-y-1 border-line border-b px-4 py-2 text-sm last:border-b-0"
                  >
                    {seesGuards ? (
                      <Link href={`/guards/${guard.id}`} className="font-medium hover:underline">
                        {guard.name}
                      </Link>
                    ) : (
                      <span className="font-medium">{guard.name}</span>
                    )}
                    <StatePill state={guardStanding(guard, nowMs)} plain />
                    <span className="ml-auto text-fg-3 text-xs">
                      {guard.lastSeenAt ? (
                        <>
                          seen <RelativeTime at={guard.lastSeenAt} />
                        </>
                      ) : (
                        'never seen'
                      )}
                    </span>
                  </li>
                ))}
              </ul>
            )}
          </Card>
          {resourceTokens && (
            <ResourceTokens
              server={server}
              tokens={resourceTokens.rows}
              nowMs={resourceTokens.nowMs}
              introspectUrl={resourceTokens.introspectUrl}
              mayAdmin={mayAdmin}
              actions={actions.resourceTokens}
            />
          )}
        </div>
      </div>
      {history && <ToolDrawer serverId={server.id} tool={history.tool} entries={history.entries} />}
      {confirming && (
        <ConfirmTools
          serverId={server.id}
          tools={confirming}
          classify={actions.classify}
          onClose={(done) => {
            setConfirming(null);
            if (done) setChosen(new Set());
          }}
        />
      )}
    </div>
  );
}
