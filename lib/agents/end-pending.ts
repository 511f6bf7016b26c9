import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx } from '#lib/platform/db.ts';

/**
 * After a request for a new agent came to nothing (rejected, withdrawn, lapsed): its quarantined instances end as
 * `rejected`, so that the client is told exactly that, and the agent, which never had authority, expires. Agents that
 * were approved before are left as they are.
 */
export async function endPendingAgent(
  tx: Tx,
  ctx: Ctx,
  input: { agentId: string; requestId: string; cause: string; parentEventId: string },
): Promise<void> {
  const now = ctx.clock.now();
  await tx.instance.updateMany({
    where: { agentId: input.agentId, state: 'quarantined' },
    data: { state: 'rejected', stateSince: now, stateCause: input.cause, quarantineEndsAt: null },
  });
  const { count } = await tx.agent.updateMany({
    where: { id: input.agentId, state: 'pending' },
    data: { state: 'expired', stateSince: now, stateCause: input.cause },
  });
  if (count === 0) return;
  await recordEvent(tx, ctx, {
    kind: 'agent.expire',
    subjectId: input.agentId,
    agentId: input.agentId,
    requestRef: input.requestId,
    parentIds: [input.parentEventId],
    reason: input.cause,
    before: { state: 'pending' },
    after: { state: 'expired' },
  });
  await notifyChange(tx, 'agents', input.agentId);
}
