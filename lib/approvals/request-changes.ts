import { z } from 'zod';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { castVote, openDecision, requireCurrentDigest } from './decision.ts';
import { reasonSchema } from './reject-request.ts';
import { moveRequest, requireMove } from './store.ts';

export const requestChangesInput = z.strictObject({
  requestId: z.string().max(64),
  /** What has to change. */
  reason: reasonSchema,
  snapshotDigest: z.string().max(128).optional(),
});

/** Sends a request back to its owner, who answers with a new revision. Votes given so far were about the old one. */
export async function requestChanges(
  ctx: Ctx,
  input: z.output<typeof requestChangesInput>,
): Promise<{ id: string; state: 'changes requested' }> {
  return withTransaction(ctx, async (tx) => {
    const { person, request } = await openDecision(tx, ctx, input.requestId);
    const state = requireMove(request, 'request changes');
    if (input.snapshotDigest !== undefined) await requireCurrentDigest(tx, request, input.snapshotDigest);
    const voteId = await castVote(tx, ctx, request, person, {
      verdict: 'request changes',
      reason: input.reason,
    });
    await moveRequest(tx, request, { state });
    await recordEvent(tx, ctx, {
      kind: 'request.request_changes',
      subjectId: request.id,
      agentId: request.agentId,
      requestRef: request.id,
      reason: input.reason,
      before: { state: request.state },
      after: { state, revision: request.revision.number },
      data: { voteId, snapshotDigest: request.revision.snapshotDigest },
    });
    await notify(tx, ctx, {
      personIds: [request.ownerId, request.createdById],
      kind: 'request.request_changes',
      title: `${request.label} needs changes`,
      body: `${person.displayName}: ${input.reason} Edit the request and submit it again.`,
      href: `/requests/${request.id}`,
    });
    await notifyChange(tx, 'requests', request.id);
    return { id: request.id, state: 'changes requested' };
  });
}
