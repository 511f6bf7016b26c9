'use client';

import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { ExactTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import { OutgoingTabs } from './outgoing-tabs.tsx';

export type MessageRow = {
  id: string;
  channel: string;
  destination: string;
  kind: string;
  title: string;
  state: 'waiting' | 'delivered' | 'failed';
  attempts: number;
  createdAt: string;
  lastError: string | null;
};

type Actions = { replayDelivery: Action<{ messageId: string }, void> };

/** What leaves the house: each mail and call with its fate. */
export function MessagesView({
  webhooks,
  messages,
  show,
  nextHref,
  firstHref,
  mayEdit,
  actions,
}: {
  webhooks: ReadonlyArray<{ id: string; name: string; url: string }>;
  messages: ReadonlyArray<MessageRow>;
  show: 'all' | 'waiting' | 'failed';
  nextHref: string | null;
  firstHref: string | null;
  mayEdit: boolean;
  actions: Actions;
}) {
  const replay = useAction(actions.replayDelivery);
  const nameOf = (id: string) => {
    const webhook = webhooks.find((each) => each.id === id);
    return webhook ? webhook.name || webhook.url : id;
  };
  const columns: DataColumn<MessageRow>[] = [
    { id: 'title', header: 'Message', cell: (row) => <UntrustedText text={row.title} /> },
    {
      id: 'state',
      header: 'State',
      width: '11rem',
      cell: (row) => (
        <span className="inline-flex items-center gap-2">
          <StatePill state={row.state} plain />
          {row.attempts > 1 && <span className="text-fg-3 text-xs">{row.attempts} tries</span>}
        </span>
      ),
    },
    {
      id: 'to',
      header: 'To',
      width: '14rem',
      cell: (row) => (
        <UntrustedText
          text={row.channel === 'mail' ? row.destination : nameOf(row.destination)}
          className="block truncate"
        />
      ),
    },
    {
      id: 'problem',
      header: 'Problem',
      width: '14rem',
      hideBelow: 'lg',
      cell: (row) =>
        row.lastError ? (
          <UntrustedText text={row.lastError} className="text-danger text-xs" />
        ) : (
          <span className="text-fg-3">–</span>
        ),
    },
    {
      id: 'at',
      header: 'Written',
      width: '12.5rem',
      hideBelow: 'md',
      cell: (row) => <ExactTime at={row.createdAt} />,
    },
    ...(mayEdit
      ? [
          {
            id: 'again',
            header: 'Send again',
            hideHeader: true,
            width: '7.5rem',
            cell: (row: MessageRow) =>
              row.state === 'waiting' ? null : (
                <Button
                  className="relative z-1"
                  size="sm"
                  variant="ghost"
                  pending={replay.pending}
                  onClick={() => replay.run({ messageId: row.id })}
                >
                  Send again
                </Button>
              ),
          },
        ]
      : []),
  ];
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['webhooks']} />
      <PageHeader
        crumbs={[{ label: 'Notifications', href: '/notifications' }]}
        title="Outgoing messages"
        description="Mails and webhook calls. Failed deliveries are repeated with growing pauses for about eighteen hours; without a mail server, mails wait here."
      />
      <ActionProblemNote problem={replay.problem} />
      <OutgoingTabs current="messages" />
      <LinkTabs
        label="Which messages"
        current={show}
        tabs={[
          { value: 'all', label: 'All', href: '/notifications/messages' },
          { value: 'waiting', label: 'Waiting', href: '/notifications/messages?show=waiting' },
          { value: 'failed', label: 'Failed', href: '/notifications/messages?show=failed' },
        ]}
      />
      <DataTable
        label="Outgoing messages"
        rows={messages}
        columns={columns}
        rowKey={(row) => row.id}
        rowHref={(row) => `/notifications/messages/${row.id}`}
        empty={
          show === 'all' ? (
            <EmptyState title="Nothing was sent yet">
              A message is written whenever somebody is told something.
            </EmptyState>
          ) : (
            <EmptyByFilter noun="messages" clearHref="/notifications/messages" />
          )
        }
      />
      <Pagination previousHref={firstHref} nextHref={nextHref} />
    </div>
  );
}
