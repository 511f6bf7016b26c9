import { z } from 'zod';
import { requireSession } from '#lib/access/require.ts';
import { bindingStateAt } from '#lib/agents/states.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { prepareCode } from '#lib/credentials/authorization-codes.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden } from '#lib/platform/errors.ts';
import { claimClient } from '#lib/registration/claim-client.ts';
import { claimHandleInput, prepareClaim } from '#lib/registration/prepare-claim.ts';

export const linkInstanceInput = z.strictObject({
  ...claimHandleInput,
  serverId: z.string().max(64).optional(),
  agentId: z.string().max(64),
});

/** Clients one agent may be used through at once: enough for every editor and computer of one person. */
export const maxInstances = 10;

/**
 * Adds the client that waits in the owner's browser to an agent of theirs that is already approved: the same software,
 * registered again. It is a decision of its own, in history with source and redirect, and it gives nothing new: only
 * the agent's owner can do it, the metadata must be what was approved (loopback port aside), nothing about the origin
 * may be contradicted, and the agent's tools and end stay as they are. Anything else is a new request.
 */
export async function linkInstance(
  ctx: Ctx,
  input: z.output<typeof linkInstanceInput>,
): Promise<{ transactionId: string; instanceId: string }> {
  const person = requireSession(ctx);
  const { agentId, ...handle } = input;
  const prepared = await prepareClaim(ctx, handle, 'link');
  const { similar } = prepared.standing;
  if (!similar || similar.agentId !== agentId || !similar.isLinkable) {
    throw new Conflict('This client is not the same as the approved one. Ask for it with a new request.', {
      reason: 'not linkable',
    });
  }
  const contradicted = prepared.facts.filter((fact) => fact.status === 'contradicted');
  if (contradicted.length > 0) {
    throw new Forbidden(
      `Facts about this client contradict each other (${contradicted.map((fact) => fact.kind).join(', ')}), so an approver has to look. Ask with a new request.`,
      { reason: 'contradicted' },
    );
  }
  return withTransaction(ctx, async (tx) => {
    const agent = await tx.agent.findUniqueOrThrow({ where: { id: agentId } });
    if (agent.ownerId !== person.personId || agent.state !== 'active') {
      throw new Conflict('The agent is no longer active under your name.', { agentState: agent.state });
    }
    const living = await tx.instance.count({
      where: { agentId, state: { in: ['active', 'suspended', 'quarantined'] } },
    });
    if (living >= maxInstances) {
      throw new Conflict(
        `This agent is used through ${living} clients already. End one of them, or ask with a new request.`,
      );
    }
    const binding = await tx.toolBinding.findFirst({
      where: { agentId, serverId: prepared.server.id, endedAt: null },
    });
    if (!binding || bindingStateAt(binding, ctx.clock.now()) === 'ended') {
      throw new Conflict('The agent has no approved tools on this server now. Ask with a new request.');
    }
    const claimed = await claimClient(tx, ctx, prepared, {
      agentId,
      requestId: null,
      revisionId: null,
      state: 'active',
    });
    const linkEvent = await recordEvent(tx, ctx, {
      kind: 'client.link',
      subjectId: claimed.instanceId,
      agentId,
      clientId: prepared.client.id,
      serverId: prepared.server.id,
      parentIds: [claimed.eventId],
      data: {
        sourceId: prepared.client.sourceId,
        redirectUri: prepared.handle.redirectUri,
        likeInstanceId: similar.instanceId,
        instances: living + 1,
      },
    });
    const transaction = await tx.authorizationTransaction.findUniqueOrThrow({
      where: { id: claimed.transactionId },
    });
    await prepareCode(tx, ctx, transaction, agent, { parentIds: [linkEvent] });
    await tx.authorizationTransaction.updateMany({
      where: { id: transaction.id, status: 'waiting' },
      data: { status: 'ready' },
    });
    await notifyChange(tx, 'agents', agentId);
    return { transactionId: claimed.transactionId, instanceId: claimed.instanceId };
  });
}
