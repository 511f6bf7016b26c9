'use client';

import { useRouter } from 'next/navigation';
import { DataTable } from '#components/console/data-table.tsx';
import { Facet, FacetList, FilterBar, SearchInput } from '#components/console/filters.tsx';
import { useLive } from '#components/console/live.ts';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import type { ClientFacets, ClientGroup } from '#lib/registration/read-clients.ts';
import { clientColumns } from './client-columns.tsx';
import { clientHref, kindWord } from './words.ts';

export type ClientsFilter = {
  state?: string | undefined;
  kind?: string | undefined;
  source?: string | undefined;
  fingerprint?: string | undefined;
  q?: string | undefined;
};

/** Every client somebody may see, look-alikes under one entry with a count. Filters live in the address. */
export function ClientsView({
  groups,
  facets,
  filter,
  nextCursor,
  isFirstPage,
}: {
  groups: readonly ClientGroup[];
  facets: ClientFacets;
  filter: ClientsFilter;
  nextCursor: string | null;
  isFirstPage: boolean;
}) {
  const router = useRouter();
  useLive(['clients'], { refresh: true });
  const hrefWith = (changes: ClientsFilter & { cursor?: string }) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...filter, ...changes })) if (value) query.set(name, value);
    return query.size > 0 ? `/clients?${query}` : '/clients';
  };
  const choose = (name: 'state' | 'kind' | 'source') => (chosen: string[]) =>
    router.push(hrefWith({ [name]: chosen.at(-1) }));
  const applied = [
    filter.state && { label: `State: ${filter.state}`, removeHref: hrefWith({ state: undefined }) },
    filter.kind && { label: kindWord(filter.kind), removeHref: hrefWith({ kind: undefined }) },
    filter.source && { label: `From ${filter.source}`, removeHref: hrefWith({ source: undefined }) },
    filter.fingerprint && {
      label: 'Look-alikes of one client',
      removeHref: hrefWith({ fingerprint: undefined }),
    },
    filter.q && { label: `“${filter.q}”`, removeHref: hrefWith({ q: undefined }) },
  ].filter((entry): entry is { label: string; removeHref: string } => typeof entry === 'object');
  const isFiltered = applied.length > 0;
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Clients"
        description="Programs that asked to connect. A client has no rights of its own: what it may do belongs to its agent."
      />
      <div className="grid gap-4 lg:grid-cols-[12rem_minmax(0,1fr)] lg:gap-6">
        <FacetList>
          <Facet
            title="State"
            values={facets.states.map(({ value, count }) => ({
              value,
              count,
              mark: <StatePill state={value} plain />,
            }))}
            chosen={filter.state ? [filter.state] : []}
            onChange={choose('state')}
          />
          <Facet
            title="Way in"
            values={facets.kinds.map(({ value, count }) => ({ value, count, label: kindWord(value) }))}
            chosen={filter.kind ? [filter.kind] : []}
            onChange={choose('kind')}
          />
          {facets.sources.length > 0 && (
            <Facet
              title="Registered from"
              values={facets.sources}
              chosen={filter.source ? [filter.source] : []}
              onChange={choose('source')}
            />
          )}
        </FacetList>
        <div className="grid min-w-0 content-start gap-3">
          <FilterBar applied={applied} clearHref="/clients">
            <SearchInput
              value={filter.q ?? ''}
              label="Find a client"
              placeholder="Name or client_id"
              onSearch={(q) => router.replace(hrefWith({ q: q || undefined }))}
            />
          </FilterBar>
          <DataTable
            label="Clients"
            rows={groups}
            columns={clientColumns}
            rowKey={(group) => group.latest.id}
            rowHref={(group) =>
              group.count > 1 && !filter.fingerprint
                ? hrefWith({ fingerprint: group.fingerprint })
                : clientHref(group.latest.id)
            }
            empty={
              isFiltered ? (
                <EmptyByFilter noun="clients" clearHref="/clients" />
              ) : (
                <EmptyState title="No client has asked yet">
                  Point a client such as Claude Code, Codex, Cursor or VS Code at one of the servers. It
                  registers itself and appears here, without any right, until its owner claims it.
                </EmptyState>
              )
            }
          />
          <Pagination
            previousHref={isFirstPage ? null : hrefWith({})}
            nextHref={nextCursor ? hrefWith({ cursor: nextCursor }) : null}
          />
        </div>
      </div>
    </div>
  );
}
