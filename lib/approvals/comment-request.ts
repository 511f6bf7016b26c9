import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import { loadVisible } from './store.ts';

export const commentRequestInput = z.strictObject({
  requestId: z.string().max(64),
  text: z.string().trim().min(1, 'Write something.').max(4000, 'Keep it under 4,000 characters.'),
});

/**
 * Adds a remark to a request, in any of its states: history may be commented too. Whoever sees the request may, except
 * auditors, who change nothing. The owner and those who spoke before are told.
 */
export async function commentRequest(
  ctx: Ctx,
  input: z.output<typeof commentRequestInput>,
): Promise<{ id: string }> {
  const person = requireRole(ctx, 'owner', 'approver', 'admin');
  return withTransaction(ctx, async (tx) => {
    const request = await loadVisible(tx, ctx, input.requestId);
    const earlier = await tx.requestComment.findMany({
      where: { requestId: request.id },
      select: { personId: true },
    });
    const id = newId('comment');
    await tx.requestComment.create({
      data: {
        id,
        requestId: request.id,
        personId: person.personId,
        text: input.text,
        createdAt: ctx.clock.now(),
      },
    });
    await recordEvent(tx, ctx, {
      kind: 'request.comment',
      subjectId: request.id,
      agentId: request.agentId,
      requestRef: request.id,
      data: { commentId: id, text: input.text },
    });
    const others = [request.ownerId, ...earlier.map((comment) => comment.personId)];
    await notify(tx, ctx, {
      personIds: others.filter((personId) => personId !== person.personId),
      kind: 'request.comment',
      title: `${person.displayName} commented on ${request.label}`,
      body: input.text,
      href: `/requests/${request.id}`,
    });
    await notifyChange(tx, 'requests', request.id);
    return { id };
  });
}
