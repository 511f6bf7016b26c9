import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx } from '#lib/platform/db.ts';
import { Conflict } from '#lib/platform/errors.ts';
import { toAgentFacts } from './agent-facts.ts';
import { appendFeedEntry } from './feed.ts';
import { nextAgentState } from './states.ts';

/**
 * Brings a suspended agent back, in the transaction of the decision that allows it. The epoch stays as the suspension
 * raised it, so tokens from before stay dead; frozen refresh families live again and yield new ones without anybody
 * signing in. Families that a compromise killed stay ended. `Conflict` when the agent is no longer suspended.
 */
export async function reinstateAgent(
  tx: Tx,
  ctx: Ctx,
  input: { agentId: string; requestId: string; parentEventId: string },
): Promise<{ families: number; instances: number }> {
  const { agentId } = input;
  const now = ctx.clock.now();
  const agent = await tx.agent.findUniqueOrThrow({ where: { id: agentId } });
  const next = nextAgentState(agent.state as 'suspended', 'reinstate');
  if (!next.ok)
    throw new Conflict(`The agent is ${agent.state}, not suspended.`, { agentState: agent.state });
  const { count } = await tx.agent.updateMany({
    where: { id: agentId, state: 'suspended', epoch: agent.epoch },
    data: { state: next.value, stateSince: now, stateCause: 'reinstated', stateById: null },
  });
  if (count === 0) throw new Conflict('The agent changed while this was being decided. Look again.');
  const instances = await tx.instance.updateMany({
    where: { agentId, state: 'suspended' },
    data: { state: 'active', stateSince: now, stateCause: 'reinstated' },
  });
  const families = await tx.refreshFamily.updateMany({
    where: { agentId, state: 'frozen' },
    data: { state: 'live', endCause: null },
  });
  await recordEvent(tx, ctx, {
    kind: 'agent.reinstate',
    subjectId: agentId,
    agentId,
    requestRef: input.requestId,
    parentIds: [input.parentEventId],
    before: { state: 'suspended', cause: agent.stateCause, suspendedBy: agent.stateById },
    after: { state: 'active', epoch: agent.epoch },
    data: { instances: instances.count, families: families.count },
  });
  const servers = await tx.toolBinding.findMany({
    where: { agentId, endedAt: null },
    select: { serverId: true },
  });
  await appendFeedEntry(
    tx,
    ctx,
    servers.map(({ serverId }) => serverId),
    { kind: 'agent.changed', agent: await toAgentFacts(tx, agentId) },
    { subject: agentId },
  );
  await notifyChange(tx, 'agents', agentId);
  return { families: families.count, instances: instances.count };
}
