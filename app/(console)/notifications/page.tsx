import { NotificationsView } from '#components/notifications/notifications-view.tsx';
import { countUnread, listNotifications } from '#lib/jobs/notifications.ts';
import { Invalid } from '#lib/platform/errors.ts';
import { requireSignedIn } from '../../page-context.ts';
import { markNotificationsRead } from './actions.ts';

export const metadata = { title: 'Notifications' };

type Search = { show?: string | string[]; cursor?: string | string[] };

export default async function NotificationsPage({ searchParams }: { searchParams: Promise<Search> }) {
  const [{ ctx }, { show, cursor }] = await Promise.all([requireSignedIn(), searchParams]);
  const unreadOnly = show !== 'all';
  const read = (at: string | undefined) =>
    listNotifications(ctx, { unread: unreadOnly, limit: 30, cursor: at });
  const at = typeof cursor === 'string' ? cursor : undefined;
  const [page, unread] = await Promise.all([
    // An address cut short on its way starts at the beginning.
    read(at).catch((error) => (error instanceof Invalid ? read(undefined) : Promise.reject(error))),
    countUnread(ctx),
  ]);
  const base = unreadOnly ? '/notifications' : '/notifications?show=all';
  return (
    <NotificationsView
      rows={page.items.map((item) => ({
        id: item.id,
        title: item.title,
        body: item.body,
        href: item.href,
        createdAt: item.createdAt.toISOString(),
        readAt: item.readAt?.toISOString() ?? null,
      }))}
      unreadOnly={unreadOnly}
      unread={unread}
      firstHref={at ? base : null}
      nextHref={
        page.nextCursor && `${base}${unreadOnly ? '?' : '&'}cursor=${encodeURIComponent(page.nextCursor)}`
      }
      maySeeOutgoing={ctx.actor.roles.some((role) => role === 'admin' || role === 'auditor')}
      markRead={markNotificationsRead}
    />
  );
}
