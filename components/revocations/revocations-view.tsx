'use client';

import { useQuery } from '@tanstack/react-query';
import { CircleCheck, Hourglass, OctagonX } from 'lucide-react';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { useLive } from '#components/console/live.ts';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import { formatLatency } from './latency.ts';
import {
  type RevocationFilters,
  type RevocationPage,
  type RevocationRow,
  revocationsQuery,
  toSearch,
} from './queries.ts';

const columns: DataColumn<RevocationRow>[] = [
  { id: 'agent', header: 'Stopped', cell: (row) => <UntrustedText text={row.agent.name} /> },
  {
    id: 'effect',
    header: 'Effect',
    cell: (row) =>
      row.targetKind === 'server' ? (
        <StatePill state="retired" plain />
      ) : (
        <StatePill state={row.effect === 'suspend' ? 'suspended' : 'revoked'} plain />
      ),
    width: '8rem',
  },
  { id: 'cause', header: 'Cause', cell: (row) => row.cause, width: '9rem' },
  { id: 'by', header: 'By', cell: (row) => row.actorName, width: '9rem', hideBelow: 'md' },
  {
    id: 'reason',
    header: 'Reason',
    cell: (row) => (
      <span className="text-fg-2">{row.reason ? <UntrustedText text={row.reason} /> : '–'}</span>
    ),
    width: '14rem',
    hideBelow: 'lg',
  },
  {
    id: 'guards',
    header: 'Guards',
    cell: (row) =>
      row.guardsAcknowledged < row.guardsAsked ? (
        <Badge tone="warning" plain>
          {row.guardsAcknowledged} of {row.guardsAsked}
        </Badge>
      ) : row.slowestMs === null ? (
        <span className="text-fg-3">none asked</span>
      ) : (
        `all in ${formatLatency(row.slowestMs)}`
      ),
    align: 'end',
    width: '8.5rem',
  },
  {
    id: 'closed',
    header: 'Receipt',
    cell: (row) =>
      row.closedAt ? (
        <Badge tone="success" plain icon={<CircleCheck aria-hidden />}>
          Closed
        </Badge>
      ) : (
        <Badge tone="violet" plain icon={<Hourglass aria-hidden />}>
          Open
        </Badge>
      ),
    width: '6.5rem',
  },
  { id: 'at', header: 'When', cell: (row) => <RelativeTime at={row.committedAt} />, width: '8rem' },
];

/** Every stop the person may see, newest first. */
export function RevocationsView({
  initial,
  filters,
}: {
  initial: RevocationPage;
  filters: RevocationFilters;
}) {
  useLive(['revocations']);
  const { data, isError } = useQuery(revocationsQuery(filters, initial));
  const current = filters.open ? 'open' : (filters.effect ?? 'all');
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Revocations"
        description="Each stop with its receipt: who pulled it, what ended, and how fast every guard knew."
      />
      {isError && (
        <Callout tone="warning" title="This list may be out of date">
          The server could not be asked again. What you see is the last answer.
        </Callout>
      )}
      <LinkTabs
        label="Show"
        current={current}
        tabs={[
          { value: 'all', label: 'All', href: '/revocations' },
          { value: 'suspend', label: 'Suspended', href: '/revocations?effect=suspend' },
          { value: 'revoke', label: 'Revoked', href: '/revocations?effect=revoke' },
          { value: 'open', label: 'Open receipts', href: '/revocations?open=true' },
        ]}
      />
      <DataTable
        label="Revocations"
        rows={data.items}
        columns={columns}
        rowKey={(row) => row.id}
        rowHref={(row) => `/revocations/${row.id}`}
        stale={isError}
        empty={
          current === 'open' ? (
            <EmptyState icon={CircleCheck} title="Every receipt is closed">
              All guards have confirmed every stop.
            </EmptyState>
          ) : current === 'all' ? (
            <EmptyState icon={OctagonX} title="Nothing was ever stopped">
              Suspend or revoke an agent from its page; the receipt appears here while it happens.
            </EmptyState>
          ) : (
            <EmptyByFilter noun="revocations" clearHref="/revocations" />
          )
        }
      />
      {(data.nextCursor || filters.cursor) && (
        <Pagination
          summary={
            filters.cursor ? (
              <TextLink href={`/revocations${toSearch({ ...filters, cursor: '' })}`}>First page</TextLink>
            ) : undefined
          }
          nextHref={
            data.nextCursor ? `/revocations${toSearch({ ...filters, cursor: data.nextCursor })}` : null
          }
        />
      )}
    </div>
  );
}
