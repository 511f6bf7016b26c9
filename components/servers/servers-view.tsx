'use client';

import { useQuery } from '@tanstack/react-query';
import { Plus, Server } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { FilterBar, SearchInput } from '#components/console/filters.tsx';
import { useLive } from '#components/console/live.ts';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import { serversQuery } from './queries.ts';
import { type ServerRow, serverStanding } from './server-row.ts';
import { ServersTabs } from './servers-tabs.tsx';
import { StandingMark } from './standing-mark.tsx';

export type ServerFilter = { q: string; show: 'all' | 'unconfirmed' | 'failed' };

const columns: DataColumn<ServerRow>[] = [
  {
    id: 'name',
    header: 'Server',
    cell: (row) => row.name,
    sortValue: (row) => row.name.toLowerCase(),
  },
  { id: 'standing', header: 'State', cell: (row) => <StandingMark server={row} plain />, width: '10.5rem' },
  {
    id: 'resource',
    header: 'Public URL',
    cell: (row) => <code className="text-fg-2 text-xs">{row.resource}</code>,
    width: '17rem',
    hideBelow: 'lg',
  },
  {
    id: 'environment',
    header: 'Environment',
    cell: (row) => row.environment,
    width: '7.5rem',
    hideBelow: 'lg',
  },
  {
    id: 'tools',
    header: 'Tools',
    cell: (row) => row.tools,
    sortValue: (row) => row.tools,
    align: 'end',
    width: '5rem',
  },
  {
    id: 'unconfirmed',
    header: 'To confirm',
    cell: (row) =>
      row.unconfirmed > 0 ? (
        <span className="font-medium text-violet">{row.unconfirmed}</span>
      ) : (
        <span className="text-fg-3">0</span>
      ),
    sortValue: (row) => row.unconfirmed,
    align: 'end',
    width: '7rem',
  },
  {
    id: 'synced',
    header: 'Last sync',
    cell: (row) =>
      row.lastSyncedAt ? <RelativeTime at={row.lastSyncedAt} /> : <span className="text-fg-3">never</span>,
    sortValue: (row) => row.lastSyncedAt ?? '',
    width: '9rem',
    hideBelow: 'md',
  },
];

/** Every MCP server of the catalogue. */
export function ServersView({
  initial,
  filter,
  mayAdd,
}: {
  initial: ServerRow[];
  filter: ServerFilter;
  mayAdd: boolean;
}) {
  const router = useRouter();
  useLive(['servers']);
  const { data, isError, isRefetching } = useQuery(serversQuery(initial));
  const rows = data.filter((row) => matches(row, filter));
  const hrefOf = (next: Partial<ServerFilter>) => {
    const { q, show } = { ...filter, ...next };
    const parameters = new URLSearchParams({ ...(q ? { q } : {}), ...(show === 'all' ? {} : { show }) });
    return parameters.size > 0 ? `/servers?${parameters}` : '/servers';
  };
  const count = (show: ServerFilter['show']) => data.filter((row) => matches(row, { q: '', show })).length;
  const addButton = mayAdd ? (
    <LinkButton href="/servers/new" variant="primary" icon={<Plus aria-hidden />}>
      Add server
    </LinkButton>
  ) : null;
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Servers & tools"
        description="MCP servers behind a guard. An agent can be given exactly the tools listed here, and nothing else."
        actions={addButton}
      />
      <ServersTabs current="servers" />
      {isError && (
        <Callout tone="warning" title="This list may be out of date">
          The server could not be asked again. What you see is the last answer.
        </Callout>
      )}
      {data.length === 0 ? (
        <EmptyState icon={Server} title="No MCP server yet" actions={addButton}>
          {mayAdd
            ? 'Add the first one by its URL. Its tools are read with a real MCP client; then you confirm what each may do.'
            : 'An admin adds MCP servers. Once there is one, its tools can be asked for.'}
        </EmptyState>
      ) : (
        <>
          <FilterBar
            actions={
              <LinkTabs
                label="Show"
                current={filter.show}
                tabs={[
                  { value: 'all', label: 'All', href: hrefOf({ show: 'all' }) },
                  {
                    value: 'unconfirmed',
                    label: 'To confirm',
                    href: hrefOf({ show: 'unconfirmed' }),
                    count: count('unconfirmed'),
                  },
                  {
                    value: 'failed',
                    label: 'Failed',
                    href: hrefOf({ show: 'failed' }),
                    count: count('failed'),
                  },
                ]}
              />
            }
          >
            <SearchInput
              value={filter.q}
              onSearch={(q) => router.replace(hrefOf({ q }), { scroll: false })}
              label="Search servers"
              placeholder="Name or URL"
            />
          </FilterBar>
          <DataTable
            label="MCP servers"
            rows={rows}
            columns={columns}
            rowKey={(row) => row.id}
            rowHref={(row) => `/servers/${row.id}`}
            stale={isRefetching && isError}
            empty={<EmptyByFilter noun="servers" clearHref="/servers" />}
          />
        </>
      )}
    </div>
  );
}

function matches(row: ServerRow, filter: ServerFilter): boolean {
  if (filter.show === 'unconfirmed' && row.unconfirmed === 0) return false;
  if (filter.show === 'failed' && serverStanding(row) !== 'failed') return false;
  const text = filter.q.trim().toLowerCase();
  return text === '' || `${row.name} ${row.resource} ${row.description}`.toLowerCase().includes(text);
}
