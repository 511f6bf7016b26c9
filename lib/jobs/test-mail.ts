import { z } from 'zod';
import { requireRole, requireSession } from '#lib/access/require.ts';
import { enqueueDelivery } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { type Ctx, consoleUrl } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { LimitExceeded, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';

export const testMailInput = z.strictObject({});
const mostTestsWaiting = 3;

/**
 * Sends a mail to the admin who asks, and to nobody else, through the same queue as any other: its fate shows with the
 * outgoing messages. Only an admin, in the browser.
 */
export async function testMail(ctx: Ctx): Promise<{ messageId: string; to: string }> {
  const { personId } = requireRole(ctx, 'admin');
  requireSession(ctx);
  return withTransaction(ctx, async (tx) => {
    const person = await tx.person.findUnique({ where: { id: personId }, select: { email: true } });
    if (!person) throw new NotFound();
    const waiting = await tx.outboxMessage.count({
      where: { destination: person.email, kind: 'mail.test', deliveredAt: null, failedAt: null },
    });
    if (waiting >= mostTestsWaiting)
      throw new LimitExceeded('Several test mails wait already. Look at the outgoing messages first.');
    const now = ctx.clock.now();
    const messageId = newId('outbox');
    await tx.outboxMessage.create({
      data: {
        id: messageId,
        channel: 'mail',
        destination: person.email,
        kind: 'mail.test',
        payload: {
          kind: 'mail.test',
          title: 'This is a test',
          body: 'Mail of this installation arrives. Nothing happened.',
          url: consoleUrl(ctx.site, '/settings/configuration'),
        },
        createdAt: now,
        nextAttemptAt: now,
      },
    });
    await enqueueDelivery(tx, messageId);
    await recordEvent(tx, ctx, { kind: 'message.test', subjectId: messageId });
    return { messageId, to: person.email };
  });
}
