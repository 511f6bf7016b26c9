import { z } from 'zod';
import { requireSession } from '#lib/access/require.ts';
import { createAgent } from '#lib/agents/create-agent.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import { claimClient } from '#lib/registration/claim-client.ts';
import { claimHandleInput, prepareClaim } from '#lib/registration/prepare-claim.ts';
import { requireRoomForRequest } from './open-limit.ts';
import { requestContentFields, writeRevision } from './revision.ts';
import { loadVisible } from './store.ts';
import { type SubmittedRequest, submitInTransaction } from './submit-request.ts';

export const submitClaimInput = z.strictObject({
  ...claimHandleInput,
  /** Needed only when the client did not say which server it wants. */
  serverId: z.string().max(64).optional(),
  ...requestContentFields,
});

export type SubmittedClaim = SubmittedRequest & { transactionId: string; agentId: string };

/**
 * A signed-in owner claims the client that waits in their browser and asks for what it may do, in one transaction:
 * pending agent, request with its first revision, instance, waiting authorization transaction, evidence, submission.
 * It takes the person's own session and the very sign-in link that session opened; of several claims of one link
 * exactly one commits.
 */
export async function submitClaim(
  ctx: Ctx,
  input: z.output<typeof submitClaimInput>,
): Promise<SubmittedClaim> {
  const person = requireSession(ctx);
  const { handle, claimKey, serverId, ...content } = input;
  const prepared = await prepareClaim(ctx, { handle, claimKey, serverId });
  return withTransaction(ctx, async (tx) => {
    await requireRoomForRequest(tx, person.personId);
    const requestId = newId('request');
    const now = ctx.clock.now();
    const agent = await createAgent(tx, ctx, {
      requestId,
      name: content.agentName,
      ownerId: person.personId,
      deputyId: content.deputyId,
      softwareIdentity: prepared.softwareIdentity,
      softwareIdentityKind: prepared.softwareIdentityKind,
      clientClass: 'interactive',
    });
    const { number } = await tx.registrationRequest.create({
      data: {
        id: requestId,
        kind: 'new',
        state: 'draft',
        agentId: agent.id,
        ownerId: person.personId,
        createdById: person.personId,
        currentRevision: 1,
        previousRequestId: prepared.previousRequestId,
        createdAt: now,
      },
      select: { number: true },
    });
    const revision = await writeRevision(tx, ctx, {
      request: { id: requestId, kind: 'new', ownerId: person.personId },
      agentId: agent.id,
      number: 1,
      content,
      evidence: prepared.facts,
      arriving: { instances: [prepared.snapshotInstance], sourceId: prepared.client.sourceId },
    });
    await tx.registrationRequest.update({
      where: { id: requestId },
      data: {
        risk: revision.risk,
        requiredApprovals: revision.requiredApprovals,
        expiresAt: revision.expiresAt,
      },
    });
    await recordEvent(tx, ctx, {
      kind: 'request.create',
      subjectId: requestId,
      agentId: agent.id,
      clientId: prepared.client.id,
      requestRef: requestId,
      after: { state: 'draft', kind: 'new', number, revision: 1, snapshotDigest: revision.snapshotDigest },
    });
    const claimed = await claimClient(tx, ctx, prepared, {
      agentId: agent.id,
      requestId,
      revisionId: revision.id,
    });
    const submitted = await submitInTransaction(tx, ctx, await loadVisible(tx, ctx, requestId));
    return { ...submitted, transactionId: claimed.transactionId, agentId: agent.id };
  });
}
