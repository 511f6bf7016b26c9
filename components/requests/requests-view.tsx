'use client';

import { FileInput, Plus } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { FilterBar, SearchInput } from '#components/console/filters.tsx';
import { useLive } from '#components/console/live.ts';
import { RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill, stateWord } from '#components/console/state-pill.tsx';
import { EmptyByFilter, EmptyState, ErrorState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Button } from '#components/ui/button.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { Select } from '#components/ui/select.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import type { RequestPage, RequestRow } from '#lib/approvals/views.ts';
import { type RequestsAddress, requestsHref, requestsQuery } from './queries.ts';
import { useKeptQuery } from './use-kept-query.ts';

const states = [
  'draft',
  'submitted',
  'changes requested',
  'approved',
  'rejected',
  'withdrawn',
  'expired',
] as const;

const decidedWords: Record<string, string> = {
  recently: 'Decided in the last 4 weeks',
  narrowed: 'Narrowed in the last 4 weeks',
};

const scopeWords: Record<RequestsAddress['scope'], string> = { mine: 'Mine', team: 'Team', all: 'All' };

/** Requests as a list: whose, in which state, newest first. */
export function RequestsView({
  address,
  initial,
  canAsk,
  scopes,
}: {
  address: RequestsAddress;
  initial: RequestPage;
  canAsk: boolean;
  scopes: readonly RequestsAddress['scope'][];
}) {
  const router = useRouter();
  useLive(['requests']);
  const query = useKeptQuery<RequestPage>(requestsQuery(address), initial);
  const page = query.data;
  const filtered = Boolean(address.state || address.q || address.decided);
  const total = Object.values(page.counts).reduce((sum, count) => sum + count, 0);
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Requests"
        description="What was asked for, what was decided, and what to do next."
        actions={
          canAsk && (
            <LinkButton href="/requests/new" variant="primary" icon={<Plus aria-hidden />}>
              New request
            </LinkButton>
          )
        }
      />
      {scopes.length > 1 && (
        <LinkTabs
          label="Whose requests"
          current={address.scope}
          tabs={scopes.map((scope) => ({
            value: scope,
            label: scopeWords[scope],
            href: requestsHref({ ...address, scope, cursor: undefined }),
          }))}
        />
      )}
      <FilterBar
        applied={[
          ...(address.state
            ? [
                {
                  label: stateWord(address.state),
                  removeHref: requestsHref({ ...address, state: undefined, cursor: undefined }),
                },
              ]
            : []),
          ...(address.decided
            ? [
                {
                  label: decidedWords[address.decided] ?? address.decided,
                  removeHref: requestsHref({ ...address, decided: undefined, cursor: undefined }),
                },
              ]
            : []),
          ...(address.q
            ? [
                {
                  label: `“${address.q}”`,
                  removeHref: requestsHref({ ...address, q: undefined, cursor: undefined }),
                },
              ]
            : []),
        ]}
        clearHref={requestsHref({ scope: address.scope })}
      >
        <SearchInput
          label="Find by name or number"
          value={address.q ?? ''}
          onSearch={(q) => router.replace(requestsHref({ ...address, q: q || undefined, cursor: undefined }))}
        />
        <Select
          aria-label="State"
          className="w-48"
          value={address.state ?? 'any'}
          options={[
            { value: 'any', label: `Any state (${total})` },
            ...states.map((state) => ({
              value: state as string,
              label: `${stateWord(state)} (${page.counts[state] ?? 0})`,
            })),
          ]}
          onValueChange={(state) =>
            router.replace(
              requestsHref({ ...address, state: state === 'any' ? undefined : state, cursor: undefined }),
            )
          }
        />
      </FilterBar>
      {query.isError && page.items.length === 0 ? (
        <ErrorState retry={<Button onClick={() => query.refetch()}>Try again</Button>} />
      ) : (
        <DataTable
          label="Requests"
          rows={page.items}
          columns={columnsFor(address.scope)}
          rowKey={(row) => row.id}
          rowHref={(row) => `/requests/${row.id}`}
          empty={
            filtered ? (
              <EmptyByFilter noun="requests" clearHref={requestsHref({ scope: address.scope })} />
            ) : (
              <EmptyState
                icon={FileInput}
                title={address.scope === 'mine' ? 'You have not asked for anything yet' : 'No requests yet'}
                actions={canAsk && <LinkButton href="/requests/new">New request</LinkButton>}
              >
                {canAsk
                  ? 'Connect an MCP client to a guarded server and its request starts in your browser, or file one here for an agent without a browser.'
                  : 'Requests appear here as soon as an owner files one.'}
              </EmptyState>
            )
          }
        />
      )}
      <Pagination
        previousHref={address.cursor ? requestsHref({ ...address, cursor: undefined }) : null}
        nextHref={page.nextCursor ? requestsHref({ ...address, cursor: page.nextCursor }) : null}
        summary={address.cursor ? 'Older requests' : null}
      />
    </div>
  );
}

function columnsFor(scope: RequestsAddress['scope']): DataColumn<RequestRow>[] {
  return [
    {
      id: 'agent',
      header: 'Request',
      cell: (row) => (
        <>
          <UntrustedText text={row.agentName} />
          <span className="ml-2 font-normal text-fg-3 text-xs">{row.label}</span>
        </>
      ),
    },
    {
      id: 'state',
      header: 'State',
      width: '11rem',
      cell: (row) => <StatePill state={row.state} cause={row.narrowed ? 'narrowed' : null} />,
    },
    { id: 'risk', header: 'Risk', width: '6rem', cell: (row) => <RiskMark risk={row.risk} plain /> },
    ...(scope === 'mine'
      ? []
      : [
          {
            id: 'owner',
            header: 'Owner',
            width: '9rem',
            cell: (row: RequestRow) => row.owner.displayName,
          } satisfies DataColumn<RequestRow>,
        ]),
    {
      id: 'tools',
      header: 'Asks for',
      width: '14rem',
      hideBelow: 'md',
      cell: (row) => (
        <span className="text-fg-2">
          {kindWords[row.kind]}
          {row.toolCount} {row.toolCount === 1 ? 'tool' : 'tools'} on {row.servers.join(', ')}
        </span>
      ),
    },
    {
      id: 'when',
      header: 'Asked',
      width: '8rem',
      align: 'end',
      cell: (row) => <RelativeTime at={row.submittedAt ?? row.createdAt} className="text-fg-2" />,
    },
  ];
}

const kindWords: Record<RequestRow['kind'], string> = {
  new: '',
  change: 'Change: ',
  reinstate: 'Reinstate: ',
};
