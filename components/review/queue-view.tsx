'use client';

import { useQuery } from '@tanstack/react-query';
import { ClipboardCheck, Monitor, TriangleAlert } from 'lucide-react';
import { useNowEvery } from '#components/console/clock.ts';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { useLive } from '#components/console/live.ts';
import { RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Countdown, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyState, ErrorState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import {
  queueQuery,
  requestsHref,
  requestsQuery,
  type QueueView as View,
} from '#components/requests/queries.ts';
import { useKeptQuery } from '#components/requests/use-kept-query.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import type { QueueRow } from '#lib/approvals/views.ts';

/** What waits for a decision, most urgent first. */
export function QueueView({
  view,
  initial,
  waitingCount,
  limit,
  canDecide,
}: {
  view: View;
  initial: { items: QueueRow[] };
  waitingCount: number;
  /** How many rows the queue shows at most. */
  limit: number;
  canDecide: boolean;
}) {
  useLive(['requests']);
  const query = useKeptQuery<{ items: QueueRow[] }>(queueQuery(view), initial);
  const rows = query.data.items;
  const now = useNowEvery(30) * 1000;
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Review"
        description="Somebody waiting in a browser first, then what is overdue, then by risk and age."
      />
      {canDecide && (
        <LinkTabs
          label="Which requests"
          current={view}
          tabs={[
            {
              value: 'waiting',
              label: 'Waiting on me',
              href: '/review',
              count: view === 'waiting' ? rows.length : waitingCount,
            },
            { value: 'all', label: 'All waiting', href: '/review?view=all' },
            { value: 'decided', label: 'Decided by me', href: '/review?view=decided' },
          ]}
        />
      )}
      {query.isError && rows.length === 0 ? (
        <ErrorState retry={<Button onClick={() => query.refetch()}>Try again</Button>} />
      ) : (
        <DataTable
          label={view === 'decided' ? 'Requests I decided' : 'Requests waiting for a decision'}
          rows={rows}
          columns={view === 'decided' ? decidedColumns : waitingColumns(now, view === 'all')}
          rowKey={(row) => row.id}
          rowHref={(row) => `/review/${row.id}`}
          empty={<Empty view={view} />}
        />
      )}
      {view !== 'decided' && rows.length >= limit && <MoreWaiting shown={rows.length} view={view} />}
    </div>
  );
}

/** The queue ends before what waits does: how much there is, and where to find the rest. */
function MoreWaiting({ shown, view }: { shown: number; view: View }) {
  const all = { scope: 'all', state: 'submitted' } as const;
  const { data } = useQuery(requestsQuery(all));
  const total = data?.counts.submitted ?? shown;
  if (data && total <= shown) return null;
  return (
    <p className="text-fg-2 text-sm">
      {view === 'waiting' ? `Of what waits on you the ${shown}` : `The ${shown}`} most urgent are shown.{' '}
      <TextLink href={requestsHref(all)}>
        {data ? `All ${total.toLocaleString('en')} that wait` : 'All that wait'}
      </TextLink>
    </p>
  );
}

function Empty({ view }: { view: View }) {
  if (view === 'decided') {
    return (
      <EmptyState icon={ClipboardCheck} title="You have not decided anything yet">
        Requests you approve, reject or send back are listed here.
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon={ClipboardCheck}
      title={view === 'waiting' ? 'Nothing waits on you' : 'Nothing waits for a decision'}
      actions={view === 'waiting' && <LinkButton href="/review?view=all">Everything that waits</LinkButton>}
    >
      New requests appear here by themselves, the most urgent on top.
    </EmptyState>
  );
}

const nameColumn: DataColumn<QueueRow> = {
  id: 'agent',
  header: 'Request',
  cell: (row) => (
    <>
      <UntrustedText text={row.agentName} />
      <span className="ml-2 font-normal text-fg-3 text-xs">{row.label}</span>
    </>
  ),
};
const riskColumn: DataColumn<QueueRow> = {
  id: 'risk',
  header: 'Risk',
  width: '8.5rem',
  cell: (row) => <RiskMark risk={row.risk} />,
};
const ownerColumn: DataColumn<QueueRow> = {
  id: 'owner',
  header: 'Owner',
  width: '8rem',
  cell: (row) => row.owner.displayName,
};

function waitingColumns(now: number, all: boolean): DataColumn<QueueRow>[] {
  return [
    nameColumn,
    riskColumn,
    ownerColumn,
    {
      id: 'widens',
      header: 'What widens',
      width: '12rem',
      cell: (row) => (
        <span className="inline-flex items-center gap-1.5 text-fg-2">
          {row.contradictions > 0 && (
            <Badge tone="danger" icon={<TriangleAlert aria-hidden />}>
              {row.contradictions} contradicted
            </Badge>
          )}
          {widens(row)}
        </span>
      ),
    },
    {
      id: 'due',
      header: 'Due',
      width: '11rem',
      cell: (row) =>
        row.browserWaitsUntil ? (
          <span className="inline-flex items-center gap-1.5" title="The client waits for this decision now">
            <Monitor aria-hidden className="size-3.5 shrink-0 text-violet" />
            <Countdown until={row.browserWaitsUntil} totalSeconds={285} over="client gave up" />
          </span>
        ) : row.reviewDueAt && Date.parse(row.reviewDueAt) < now ? (
          <span className="font-medium text-danger">
            Overdue, <RelativeTime at={row.reviewDueAt} />
          </span>
        ) : (
          <RelativeTime at={row.reviewDueAt} className="text-fg-2" />
        ),
    },
    {
      id: 'votes',
      header: 'Votes',
      width: '5rem',
      hideBelow: 'lg',
      cell: (row) => `${row.votes} of ${row.requiredApprovals}`,
    },
    all
      ? {
          id: 'conflict',
          header: 'You',
          width: '11rem',
          hideBelow: 'lg',
          cell: (row) =>
            row.conflict ? (
              <span className="text-fg-3" title={row.conflict}>
                {row.voted ? 'voted' : 'cannot decide'}
              </span>
            ) : (
              'can decide'
            ),
        }
      : {
          id: 'age',
          header: 'Age',
          width: '7rem',
          hideBelow: 'md',
          align: 'end',
          cell: (row) => <RelativeTime at={row.submittedAt} className="text-fg-2" />,
        },
  ];
}

const decidedColumns: DataColumn<QueueRow>[] = [
  nameColumn,
  {
    id: 'state',
    header: 'State',
    width: '12rem',
    cell: (row) => <StatePill state={row.state} cause={row.narrowed ? 'narrowed' : null} />,
  },
  riskColumn,
  ownerColumn,
  {
    id: 'decided',
    header: 'Decided',
    width: '8rem',
    align: 'end',
    cell: (row) => <RelativeTime at={row.decidedAt} className="text-fg-2" />,
  },
];

function widens(row: QueueRow): string {
  if (row.kind === 'reinstate') return 'reinstate as it was';
  if (row.kind === 'change')
    return row.widens === 0 ? 'nothing widens' : `${row.widens} ${row.widens === 1 ? 'line' : 'lines'}`;
  return `new, ${row.toolCount} ${row.toolCount === 1 ? 'tool' : 'tools'}`;
}
