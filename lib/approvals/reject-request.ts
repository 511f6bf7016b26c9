import { z } from 'zod';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { dropPendingMetadata } from '#lib/registration/pending-metadata.ts';
import { castVote, openDecision, requireCurrentDigest } from './decision.ts';
import { endRequest } from './end-request.ts';
import { requireMove } from './store.ts';

export const reasonSchema = z
  .string()
  .trim()
  .min(3, 'Give a reason; the owner reads it.')
  .max(2000, 'Keep it under 2,000 characters.');

export const rejectRequestInput = z.strictObject({
  requestId: z.string().max(64),
  reason: reasonSchema,
  /** Optional: saying no needs no proof of what was read, but a stale one is still refused. */
  snapshotDigest: z.string().max(128).optional(),
});

/**
 * Turns a request down for good, with a reason its owner reads. One approver is enough, whatever number an approval
 * needs. A reject wins against an approval that is not complete.
 */
export async function rejectRequest(
  ctx: Ctx,
  input: z.output<typeof rejectRequestInput>,
): Promise<{ id: string; state: 'rejected' }> {
  return withTransaction(ctx, async (tx) => {
    const { person, request } = await openDecision(tx, ctx, input.requestId);
    requireMove(request, 'reject');
    if (input.snapshotDigest !== undefined) await requireCurrentDigest(tx, request, input.snapshotDigest);
    const voteId = await castVote(tx, ctx, request, person, { verdict: 'reject', reason: input.reason });
    const voteEvent = await recordEvent(tx, ctx, {
      kind: 'request.vote',
      subjectId: request.id,
      agentId: request.agentId,
      requestRef: request.id,
      reason: input.reason,
      data: { voteId, verdict: 'reject', snapshotDigest: request.revision.snapshotDigest },
    });
    await endRequest(tx, ctx, request, {
      action: 'reject',
      kind: 'request.reject',
      cause: 'rejected',
      reason: input.reason,
      parentIds: [voteEvent],
    });
    await dropPendingMetadata(tx, ctx, request.revision.snapshot.instances, {
      agentId: request.agentId,
      requestId: request.id,
    });
    await notify(tx, ctx, {
      personIds: [request.ownerId, request.createdById],
      kind: 'request.reject',
      title: `${request.label} was rejected`,
      body: `${person.displayName}: ${input.reason} You can ask again with a new request that answers this.`,
      href: `/requests/${request.id}`,
    });
    return { id: request.id, state: 'rejected' };
  });
}
