import { z } from 'zod';
import { requirePerson } from '#lib/access/require.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { decodeCursor, type Page, toPage } from '#lib/platform/cursor.ts';
import { notifyChange } from '#lib/platform/db.ts';

export type NotificationFacts = {
  id: string;
  kind: string;
  title: string;
  body: string;
  href: string;
  createdAt: Date;
  readAt: Date | null;
};

export const listNotificationsInput = z.strictObject({
  unread: z.boolean().default(false),
  limit: z.int().min(1).max(200).default(50),
  cursor: z.string().max(600).optional(),
});

/** The person's own notifications, newest first. */
export async function listNotifications(
  ctx: Ctx,
  query: z.input<typeof listNotificationsInput> = {},
): Promise<Page<NotificationFacts>> {
  const { personId } = requirePerson(ctx);
  const { unread, limit, cursor } = listNotificationsInput.parse(query);
  const before = decodeCursor(cursor, 1);
  const rows = await ctx.db.prisma.notification.findMany({
    where: {
      personId,
      ...(unread ? { readAt: null } : {}),
      ...(before ? { id: { lt: before[0] } } : {}),
    },
    orderBy: { id: 'desc' },
    take: limit + 1,
    select: { id: true, kind: true, title: true, body: true, href: true, createdAt: true, readAt: true },
  });
  return toPage(rows, limit, (row) => [row.id]);
}

/** The badge counts to here; beyond it shows "99+". */
export const countedNotifications = 100;

/** How many are unread, at most `countedNotifications`. */
export async function countUnread(ctx: Ctx): Promise<number> {
  const { personId } = requirePerson(ctx);
  const rows = await ctx.db.prisma.notification.findMany({
    where: { personId, readAt: null },
    take: countedNotifications,
    select: { id: true },
  });
  return rows.length;
}

export const markReadInput = z.strictObject({
  /** Nothing named means all of them. */
  notificationIds: z.array(z.string().max(80)).max(200).optional(),
});

/** Marks one's own notifications as read. Others' ids change nothing. No event: it is nobody's business but theirs. */
export async function markNotificationsRead(
  ctx: Ctx,
  input: z.output<typeof markReadInput>,
): Promise<{ read: number }> {
  const { personId } = requirePerson(ctx);
  return ctx.db.prisma.$transaction(async (tx) => {
    const { count } = await tx.notification.updateMany({
      where: {
        personId,
        readAt: null,
        ...(input.notificationIds ? { id: { in: input.notificationIds } } : {}),
      },
      data: { readAt: ctx.clock.now() },
    });
    if (count > 0) await notifyChange(tx, 'notifications', personId);
    return { read: count };
  });
}
