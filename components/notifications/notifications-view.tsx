'use client';

import { BellOff, CheckCheck } from 'lucide-react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { cn } from '#components/ui/cn.ts';
import { TextLink } from '#components/ui/link-button.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';

export type NotificationRow = {
  id: string;
  title: string;
  body: string;
  href: string;
  createdAt: string;
  readAt: string | null;
};

/** The person's own notifications. Opening what one is about marks it as read. */
export function NotificationsView({
  rows,
  unreadOnly,
  unread,
  nextHref,
  firstHref,
  maySeeOutgoing,
  markRead,
}: {
  rows: ReadonlyArray<NotificationRow>;
  unreadOnly: boolean;
  unread: number;
  nextHref: string | null;
  firstHref: string | null;
  maySeeOutgoing: boolean;
  markRead: Action<{ notificationIds?: string[] }, { read: number }>;
}) {
  const { run, pending, problem } = useAction(markRead);
  return (
    <div className="grid max-w-200 gap-4">
      <LiveRefresh topics={['notifications']} />
      <PageHeader
        title="Notifications"
        description="What was decided about yours, and what waits for you. The same goes out by mail where a mail server is configured."
        actions={
          unread > 0 && (
            <Button pending={pending} icon={<CheckCheck aria-hidden />} onClick={() => run({})}>
              Mark all as read
            </Button>
          )
        }
      />
      <ActionProblemNote problem={problem} />
      <LinkTabs
        label="Which notifications"
        current={unreadOnly ? 'unread' : 'all'}
        tabs={[
          { value: 'unread', label: 'Unread', href: '/notifications', count: unread },
          { value: 'all', label: 'All', href: '/notifications?show=all' },
          ...(maySeeOutgoing
            ? [{ value: 'outgoing', label: 'Outgoing messages', href: '/notifications/messages' }]
            : []),
        ]}
      />
      {rows.length === 0 ? (
        <EmptyState icon={BellOff} title={unreadOnly ? 'Nothing unread' : 'No notifications yet'}>
          {unreadOnly
            ? 'New ones appear here by themselves.'
            : 'You are told when something of yours is decided, ends or waits for you.'}
        </EmptyState>
      ) : (
        <ul className="grid rounded-lg border border-line bg-surface">
          {rows.map((row) => (
            <li
              key={row.id}
              className="flex items-start gap-3 border-line border-b px-4 py-3 last:border-b-0"
            >
              <span
                aria-hidden
                className={cn(
                  'mt-2 size-1.5 shrink-0 rounded-full',
                  row.readAt ? 'bg-transparent' : 'bg-accent',
                )}
              />
              <div className="grid min-w-0 flex-1 gap-0.5">
                <div className="flex flex-wrap items-baseline justify-between gap-x-4">
                  <TextLink
                    href={row.href}
                    className={cn('min-w-0', !row.readAt && 'font-medium')}
                    onClick={() => {
                      if (!row.readAt) run({ notificationIds: [row.id] });
                    }}
                  >
                    <UntrustedText text={row.title} />
                    {!row.readAt && <span className="sr-only"> (unread)</span>}
                  </TextLink>
                  <RelativeTime at={row.createdAt} className="text-fg-3 text-xs" />
                </div>
                <p className="text-fg-2 text-sm">
                  <UntrustedText text={row.body} multiline />
                </p>
              </div>
              {!row.readAt && (
                <Button
                  variant="ghost"
                  size="sm"
                  pending={pending}
                  onClick={() => run({ notificationIds: [row.id] })}
                >
                  Read
                  <span className="sr-only">: {row.title}</span>
                </Button>
              )}
            </li>
          ))}
        </ul>
      )}
      <Pagination previousHref={firstHref} nextHref={nextHref} />
    </div>
  );
}
