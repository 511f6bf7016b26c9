'use client';

import { useQuery } from '@tanstack/react-query';
import { Bot, Plus } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { useNowEvery } from '#components/console/clock.ts';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { Facet, FacetList, FilterBar, SearchInput } from '#components/console/filters.tsx';
import { useLive } from '#components/console/live.ts';
import { RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill, stateWord } from '#components/console/state-pill.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { DaysLeft, HealthMark, healthOf } from './health.tsx';
import { agentsQuery, toSearch } from './queries.ts';
import type { AgentFacets, AgentFilters, AgentPage, AgentRow } from './types.ts';

const endsWords: Record<string, string> = { day: 'within 24 hours', fortnight: 'within 14 days' };
const useWords: Record<string, string> = { never: 'never used', idle: 'unused for 30 days' };
const states = ['active', 'pending', 'suspended', 'revoked', 'expired'] as const;

/** Agents the person may see, with what wants attention about each. */
export function AgentsView({
  initial,
  facets,
  filters,
  mayRequest,
}: {
  initial: AgentPage;
  facets: AgentFacets;
  filters: AgentFilters;
  mayRequest: boolean;
}) {
  const router = useRouter();
  useLive(['agents']);
  const nowMs = useNowEvery(5) * 1000;
  const { data, isError } = useQuery(agentsQuery(filters, initial));
  // Another filter starts at its first page again.
  const hrefOf = (change: AgentFilters) => `/agents${toSearch({ ...filters, cursor: '', ...change })}`;
  const go = (change: AgentFilters) => router.replace(hrefOf(change), { scroll: false });
  const applied = appliedFilters(filters, facets, hrefOf);
  const requestButton = mayRequest ? (
    <LinkButton href="/requests/new" variant="primary" icon={<Plus aria-hidden />}>
      Request an agent
    </LinkButton>
  ) : null;
  const total = Object.values(data.counts).reduce((sum, count) => sum + count, 0);

  const columns: DataColumn<AgentRow>[] = [
    { id: 'name', header: 'Agent', cell: (agent) => <UntrustedText text={agent.name} /> },
    {
      id: 'state',
      header: 'State',
      cell: (agent) => <StatePill state={agent.state} plain />,
      width: '7.5rem',
    },
    {
      id: 'health',
      header: 'Health',
      cell: (agent) => <HealthMark health={healthOf(agent, nowMs)} />,
      width: '9.5rem',
      hideBelow: 'md',
    },
    {
      id: 'owner',
      header: 'Owner',
      cell: (agent) => agent.owner.displayName,
      width: '9rem',
      hideBelow: 'md',
    },
    {
      id: 'tools',
      header: 'Tools',
      cell: (agent) =>
        agent.toolCount > 0 ? (
          <span title={agent.servers.join(', ')}>
            {agent.toolCount} on{' '}
            {agent.servers.length === 1 ? agent.servers[0] : `${agent.servers.length} servers`}
          </span>
        ) : (
          <span className="text-fg-3">none</span>
        ),
      width: '9.5rem',
    },
    {
      id: 'risk',
      header: 'Risk',
      cell: (agent) =>
        agent.risk ? <RiskMark risk={agent.risk} plain /> : <span className="text-fg-3">–</span>,
      width: '6rem',
      hideBelow: 'lg',
    },
    {
      id: 'used',
      header: 'Last use',
      cell: (agent) =>
        agent.lastUsedAt ? <RelativeTime at={agent.lastUsedAt} /> : <span className="text-fg-3">never</span>,
      width: '7.5rem',
      hideBelow: 'lg',
    },
    {
      id: 'left',
      header: 'Left',
      cell: (agent) => (
        <DaysLeft
          endsAt={agent.state === 'active' || agent.state === 'suspended' ? agent.endsAt : null}
          nowMs={nowMs}
        />
      ),
      align: 'end',
      width: '4.5rem',
    },
  ];
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Agents"
        description="What may call tools: each with an owner, a purpose, exact tools and an end."
        actions={requestButton}
      />
      {isError && (
        <Callout tone="warning" title="This list may be out of date">
          The server could not be asked again. What you see is the last answer.
        </Callout>
      )}
      <div className="grid items-start gap-x-6 gap-y-4 lg:grid-cols-[12rem_minmax(0,1fr)]">
        <FacetList>
          <Facet
            title="State"
            values={states
              .filter((state) => (data.counts[state] ?? 0) > 0 || filters.state === state)
              .map((state) => ({ value: state, label: stateWord(state), count: data.counts[state] ?? 0 }))}
            chosen={filters.state ? [filters.state] : []}
            onChange={(chosen) => go({ state: chosen.at(-1) ?? '' })}
          />
          <Facet
            title="Ends"
            values={facets.ends.map((entry) => ({ ...entry, label: endsWords[entry.value] ?? entry.value }))}
            chosen={filters.ends ? [filters.ends] : []}
            onChange={(chosen) => go({ ends: chosen.at(-1) ?? '' })}
          />
          <Facet
            title="Use"
            values={facets.use.map((entry) => ({ ...entry, label: useWords[entry.value] ?? entry.value }))}
            chosen={filters.use ? [filters.use] : []}
            onChange={(chosen) => go({ use: chosen.at(-1) ?? '' })}
          />
          {facets.servers.length > 0 && (
            <Facet
              title="Server"
              values={facets.servers}
              chosen={filters.serverId ? [filters.serverId] : []}
              onChange={(chosen) => go({ serverId: chosen.at(-1) ?? '' })}
            />
          )}
          {facets.owners.length > 1 && (
            <Facet
              title="Owner"
              values={facets.owners}
              chosen={filters.ownerId ? [filters.ownerId] : []}
              onChange={(chosen) => go({ ownerId: chosen.at(-1) ?? '' })}
            />
          )}
        </FacetList>
        <div className="grid min-w-0 gap-3">
          <FilterBar applied={applied} clearHref="/agents">
            <SearchInput value={filters.q ?? ''} onSearch={(q) => go({ q })} label="Search agents by name" />
          </FilterBar>
          <DataTable
            label="Agents"
            rows={data.items}
            columns={columns}
            rowKey={(agent) => agent.id}
            rowHref={(agent) => `/agents/${agent.id}`}
            stale={isError}
            empty={
              applied.length > 0 ? (
                <EmptyByFilter noun="agents" clearHref="/agents" />
              ) : (
                <EmptyState icon={Bot} title="No agent yet" actions={requestButton}>
                  {mayRequest
                    ? 'Point an MCP client at a guarded server and claim it, or request an agent here.'
                    : 'Agents appear here when an owner claims a client or requests one.'}
                </EmptyState>
              )
            }
          />
          {(data.nextCursor || filters.cursor) && (
            <Pagination
              nextHref={data.nextCursor ? hrefOf({ cursor: data.nextCursor }) : null}
              summary={
                <>
                  {data.items.length} of {total.toLocaleString('en')}
                  {filters.cursor && (
                    <>
                      {' · '}
                      <TextLink href={hrefOf({})}>First page</TextLink>
                    </>
                  )}
                </>
              }
            />
          )}
        </div>
      </div>
    </div>
  );
}

function appliedFilters(
  filters: AgentFilters,
  facets: AgentFacets,
  hrefOf: (change: AgentFilters) => string,
) {
  const labelIn = (list: AgentFacets['servers'], value: string) =>
    list.find((entry) => entry.value === value)?.label ?? value;
  const entries: [keyof AgentFilters, string | null][] = [
    ['scope', filters.scope === 'mine' ? 'Mine' : filters.scope === 'team' ? 'My team' : null],
    ['state', filters.state ? stateWord(filters.state) : null],
    ['ends', filters.ends ? `Ends ${endsWords[filters.ends] ?? filters.ends}` : null],
    ['use', filters.use ? (useWords[filters.use] ?? filters.use) : null],
    ['serverId', filters.serverId ? labelIn(facets.servers, filters.serverId) : null],
    ['ownerId', filters.ownerId ? labelIn(facets.owners, filters.ownerId) : null],
    ['q', filters.q ? `“${filters.q}”` : null],
  ];
  return entries.flatMap(([name, label]) => (label ? [{ label, removeHref: hrefOf({ [name]: '' }) }] : []));
}
