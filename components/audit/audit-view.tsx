'use client';

import { useQuery } from '@tanstack/react-query';
import { ArrowUp, Download, ScrollText, TriangleAlert } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { useQueryStates } from 'nuqs';
import { useTransition } from 'react';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { getJson } from '#components/console/fetch-json.ts';
import { Facet, FacetList, FilterBar, SearchInput } from '#components/console/filters.tsx';
import { useLive } from '#components/console/live.ts';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { ExactTime } from '#components/console/relative-time.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import type { Integrity } from '#lib/audit/read-event.ts';
import { type AuditAddress, auditApiPath, auditHref, auditParameters } from './address.ts';
import { actorText, eventSentence } from './event-words.ts';
import { Histogram, type HistogramData } from './histogram.tsx';
import { IntegrityAlarm, IntegrityBadge } from './integrity-badge.tsx';

export type EventRow = {
  id: string;
  at: string;
  kind: string;
  outcome: 'done' | 'refused';
  actorKind: string;
  actorId: string | null;
  actorName: string;
  subjectKind: string;
  subjectId: string;
  agentName: string | null;
  serverName: string | null;
  tool: string | null;
  reason: string;
};

type FacetKey = 'kind' | 'outcome' | 'actor' | 'agent' | 'client' | 'server' | 'tool';
const facets: ReadonlyArray<{ key: FacetKey; title: string }> = [
  { key: 'outcome', title: 'Outcome' },
  { key: 'kind', title: 'Event' },
  { key: 'actor', title: 'Actor' },
  { key: 'agent', title: 'Agent' },
  { key: 'server', title: 'Server' },
  { key: 'tool', title: 'Tool' },
  { key: 'client', title: 'Client' },
];

export type AuditSummary = {
  total: number;
  more: boolean;
  facets: Record<FacetKey, { value: string; label: string; count: number }[]>;
  histogram: HistogramData | null;
};

const columns: ReadonlyArray<DataColumn<EventRow>> = [
  { id: 'at', header: 'Time', width: '14rem', cell: (row) => <ExactTime at={row.at} milliseconds /> },
  {
    id: 'event',
    header: 'Event',
    // The reason stands below the event: beside it there is no room for it once the window is as wide as a laptop.
    wrap: true,
    cell: (row) => (
      <>
        <span className="flex flex-wrap items-center gap-x-2">
          {eventSentence(row.kind)}
          {row.outcome === 'refused' && (
            <Badge tone="danger" plain icon={<TriangleAlert aria-hidden />}>
              Refused
            </Badge>
          )}
        </span>
        {row.reason && (
          <UntrustedText text={row.reason} className="line-clamp-3 max-w-[80ch] text-fg-3 text-xs" />
        )}
      </>
    ),
  },
  {
    id: 'actor',
    header: 'By',
    width: '10rem',
    cell: (row) => <UntrustedText text={actorText(row)} className="block truncate" />,
  },
  {
    id: 'about',
    header: 'About',
    width: '12rem',
    hideBelow: 'md',
    cell: (row) => (
      <span className="block truncate">
        {row.agentName ? (
          <UntrustedText text={row.agentName} />
        ) : (
          <>
            <span className="text-fg-3">{row.subjectKind} </span>
            <code className="text-xs">{row.subjectId.slice(0, 48)}</code>
          </>
        )}
      </span>
    ),
  },
  {
    id: 'tool',
    header: 'Server and tool',
    width: '12rem',
    hideBelow: 'lg',
    cell: (row) =>
      row.serverName || row.tool ? (
        <span className="block truncate">
          {row.serverName && <UntrustedText text={row.serverName} />}
          {row.serverName && row.tool && ' · '}
          {row.tool && <UntrustedText text={row.tool} className="font-mono text-xs" />}
        </span>
      ) : (
        <span className="text-fg-3">–</span>
      ),
  },
  {
    id: 'kind',
    header: 'Kind',
    width: '10.5rem',
    hideBelow: 'lg',
    cell: (row) => <code className="text-fg-3 text-xs">{row.kind}</code>,
  },
];

/** History as the address asks for it. The server finds and counts; this changes the address and shows the answer. */
export function AuditView({
  address,
  rows,
  olderCursor,
  newerCursor,
  watchCursor,
  summary,
  integrity,
  problem,
  ownOnly,
  mayExport,
}: {
  address: AuditAddress;
  rows: ReadonlyArray<EventRow>;
  olderCursor: string | null;
  newerCursor: string | null;
  /** Everything newer than the first row, where new events can appear at the top. */
  watchCursor: string | null;
  summary: AuditSummary | null;
  integrity: Integrity;
  /** Why the search could not be answered. */
  problem: string | null;
  ownOnly: boolean;
  mayExport: boolean;
}) {
  const [pending, startTransition] = useTransition();
  const [, setAddress] = useQueryStates(auditParameters, {
    shallow: false,
    history: 'push',
    startTransition,
  });
  const change = (values: Partial<AuditAddress>) => void setAddress({ ...values, cursor: null });
  const applied = appliedFilters(address, summary);
  const bare = auditHref({});
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Audit"
        state={<IntegrityBadge integrity={integrity} />}
        description={
          ownOnly
            ? 'The history of your agents: who asked, who decided, what was issued, called, refused and ended. Times are UTC.'
            : 'Everything that happened, and everything that was refused. Nothing here can be changed or removed. Times are UTC.'
        }
        actions={
          mayExport && (
            <>
              <Export address={address} format="csv" />
              <Export address={address} format="jsonl" />
            </>
          )
        }
      />
      <IntegrityAlarm integrity={integrity} />
      <FilterBar applied={applied} clearHref={bare}>
        <SearchInput
          value={address.q ?? ''}
          onSearch={(text) => change({ q: text || null })}
          label="Search history"
          placeholder="Words, a name, an id or CS-12"
          className="sm:w-96"
        />
      </FilterBar>
      {problem ? (
        <Callout
          tone="warning"
          title="This search could not be answered"
          actions={
            <LinkButton href={bare} size="sm">
              Clear filters
            </LinkButton>
          }
        >
          {problem}
        </Callout>
      ) : (
        <>
          {summary && (
            <Histogram
              data={summary.histogram}
              total={summary.total}
              more={summary.more}
              from={address.from}
              to={address.to}
              onRange={change}
            />
          )}
          <div className="grid items-start gap-4 lg:grid-cols-[13rem_minmax(0,1fr)]">
            {summary && (
              <FacetList label="Filter history">
                {facets.map(({ key, title }) => {
                  const values = summary.facets[key];
                  if (values.length === 0) return null;
                  return (
                    <Facet
                      key={key}
                      title={title}
                      initiallyShown={6}
                      values={values.map((entry) => ({
                        ...entry,
                        mark: <FacetLabel facet={key} entry={entry} />,
                      }))}
                      chosen={address[key] ?? []}
                      onChange={(chosen) => change({ [key]: chosen.length > 0 ? chosen : null })}
                    />
                  );
                })}
                {summary.more && (
                  <p className="pt-2 text-fg-3 text-xs">
                    Counts are of the newest 10,000 events of this search.
                  </p>
                )}
              </FacetList>
            )}
            <div className="grid min-w-0 gap-3">
              <NewEvents address={address} watchCursor={watchCursor} startTransition={startTransition} />
              <DataTable
                label="Events"
                rows={rows}
                columns={columns}
                rowKey={(row) => row.id}
                rowHref={(row) => `/audit/${row.id}`}
                stale={pending}
                empty={
                  applied.length > 0 ? (
                    <EmptyByFilter noun="events" clearHref={bare} />
                  ) : (
                    <EmptyState
                      icon={ScrollText}
                      title={ownOnly ? 'Nothing about your agents yet' : 'Nothing happened yet'}
                    >
                      {ownOnly
                        ? 'Claim a client or file a request; from then on its whole life is told here.'
                        : 'The first event appears here with the first change.'}
                    </EmptyState>
                  )
                }
              />
              {rows.length > 0 && (
                <Pagination
                  previousHref={newerCursor && auditHref(address, { cursor: newerCursor })}
                  nextHref={olderCursor && auditHref(address, { cursor: olderCursor })}
                  summary={
                    summary &&
                    (summary.more
                      ? 'More than 10,000 events'
                      : `${summary.total.toLocaleString('en')} ${summary.total === 1 ? 'event' : 'events'}`)
                  }
                />
              )}
            </div>
          </div>
        </>
      )}
    </div>
  );
}

function FacetLabel({ facet, entry }: { facet: FacetKey; entry: { value: string; label: string } }) {
  if (facet === 'outcome') return <span>{entry.value === 'refused' ? 'Refused' : 'Done'}</span>;
  if (facet === 'kind' || facet === 'tool') {
    return <UntrustedText text={entry.label} className="block truncate font-mono text-xs leading-5" />;
  }
  return <UntrustedText text={entry.label} className="block truncate" />;
}

/** Newer events wait behind this bar, so that no row moves under the eye that reads it. */
function NewEvents({
  address,
  watchCursor,
  startTransition,
}: {
  address: AuditAddress;
  watchCursor: string | null;
  startTransition: (work: () => void) => void;
}) {
  const router = useRouter();
  useLive(['audit']);
  const { data: count = 0 } = useQuery({
    queryKey: ['audit', 'newer', watchCursor, auditHref(address)],
    enabled: watchCursor !== null,
    queryFn: async ({ signal }) => {
      const path = auditApiPath(address, { cursor: watchCursor ?? '', limit: '100' });
      return (await getJson<{ items: unknown[] }>(path, signal)).items.length;
    },
  });
  return (
    <div role="status" className={count > 0 ? 'no-print' : 'sr-only'}>
      {count > 0 && (
        <Button
          size="sm"
          className="w-full"
          icon={<ArrowUp aria-hidden />}
          onClick={() => startTransition(() => router.refresh())}
        >
          {count >= 100 ? '100 or more' : count} new {count === 1 ? 'event' : 'events'}
        </Button>
      )}
    </div>
  );
}

function Export({ address, format }: { address: AuditAddress; format: 'csv' | 'jsonl' }) {
  const href = auditHref(address, {}, '/audit/export');
  return (
    <a
      href={`${href}${href.includes('?') ? '&' : '?'}format=${format}`}
      className="inline-flex h-8 items-center gap-1.5 rounded-md border border-line-strong bg-surface px-2.5 font-medium text-sm hover:bg-hover pointer-coarse:min-h-11"
    >
      <Download aria-hidden className="size-3.5" />
      {format === 'csv' ? 'CSV' : 'JSON lines'}
    </a>
  );
}

const names: Record<string, string> = {
  kind: 'Event',
  outcome: 'Outcome',
  actor: 'Actor',
  agent: 'Agent',
  client: 'Client',
  server: 'Server',
  tool: 'Tool',
  subject: 'Subject',
  request: 'Request',
};

function appliedFilters(address: AuditAddress, summary: AuditSummary | null) {
  const applied: { label: string; removeHref: string }[] = [];
  for (const [key, title] of Object.entries(names)) {
    const chosen = address[key as keyof typeof address] as string[] | null;
    for (const value of chosen ?? []) {
      const label = summary?.facets[key as FacetKey]?.find((entry) => entry.value === value)?.label ?? value;
      const rest = (chosen ?? []).filter((other) => other !== value);
      applied.push({
        label: `${title}: ${label.slice(0, 60)}`,
        removeHref: auditHref(address, { [key]: rest.length > 0 ? rest : null }),
      });
    }
  }
  if (address.q) {
    applied.push({ label: `“${address.q.slice(0, 60)}”`, removeHref: auditHref(address, { q: null }) });
  }
  if (address.from) {
    applied.push({ label: `From ${address.from}`, removeHref: auditHref(address, { from: null }) });
  }
  if (address.to) applied.push({ label: `To ${address.to}`, removeHref: auditHref(address, { to: null }) });
  return applied;
}
