import { requireSystem } from '#lib/access/require.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { toAgentFacts } from './agent-facts.ts';
import { appendFeedEntry } from './feed.ts';

/**
 * Writes down what time has ended: bindings past their end (or never used in time), and agents whose last binding
 * ended that way. Nothing waits for this to stop working, since every mint and every guard compares the instants
 * itself; this is what makes lists, history and guards' tables say so. Returns how many of each.
 */
export async function expireAgents(ctx: Ctx): Promise<{ bindings: number; agents: number }> {
  requireSystem(ctx);
  const now = ctx.clock.now();
  const due = await ctx.db.prisma.toolBinding.findMany({
    where: {
      endedAt: null,
      OR: [{ expiresAt: { lte: now } }, { firstIssuedAt: null, unusedEndsAt: { lte: now } }],
    },
    select: { agentId: true },
    distinct: ['agentId'],
    take: 200,
  });
  const done = { bindings: 0, agents: 0 };
  for (const { agentId } of due) {
    const ended = await expireOne(ctx, agentId, now);
    done.bindings += ended.bindings;
    done.agents += ended.agents;
  }
  return done;
}

async function expireOne(ctx: Ctx, agentId: string, now: Date) {
  requireSystem(ctx);
  return withTransaction(ctx, async (tx) => {
    const live = await tx.toolBinding.findMany({ where: { agentId, endedAt: null } });
    const over = live.filter((binding) =>
      binding.firstIssuedAt ? binding.expiresAt && binding.expiresAt <= now : binding.unusedEndsAt <= now,
    );
    if (over.length === 0) return { bindings: 0, agents: 0 };
    const parentIds: string[] = [];
    for (const binding of over) {
      const cause = binding.firstIssuedAt ? 'expired' : 'never used';
      await tx.toolBinding.update({ where: { id: binding.id }, data: { endedAt: now, endCause: cause } });
      parentIds.push(
        await recordEvent(tx, ctx, {
          kind: 'binding.end',
          subjectId: binding.id,
          agentId,
          serverId: binding.serverId,
          reason: cause,
          before: { version: binding.version, tools: binding.toolNames },
        }),
      );
    }
    let agents = 0;
    if (over.length === live.length) {
      const { count } = await tx.agent.updateMany({
        where: { id: agentId, state: { in: ['active', 'suspended'] } },
        data: { state: 'expired', stateSince: now, stateCause: 'approval ended', stateById: null },
      });
      agents = count;
      if (count > 0) {
        await tx.instance.updateMany({
          where: { agentId, state: { in: ['active', 'suspended'] } },
          data: { state: 'expired', stateSince: now, stateCause: 'approval ended' },
        });
        await tx.refreshFamily.updateMany({
          where: { agentId, state: { in: ['live', 'frozen'] } },
          data: { state: 'ended', endCause: 'expired', endedAt: now },
        });
        await recordEvent(tx, ctx, {
          kind: 'agent.expire',
          subjectId: agentId,
          agentId,
          parentIds,
          reason: 'approval ended',
          after: { state: 'expired' },
        });
      }
    }
    const servers = over.map((binding) => binding.serverId);
    const agent = await toAgentFacts(tx, agentId);
    await appendFeedEntry(tx, ctx, servers, { kind: 'agent.changed', agent }, { subject: agentId });
    for (const binding of over) {
      await appendFeedEntry(
        tx,
        ctx,
        [binding.serverId],
        { kind: 'binding.ended', bindingId: binding.id, cause: 'expired' },
        { subject: binding.id },
      );
    }
    await notifyChange(tx, 'agents', agentId);
    return { bindings: over.length, agents };
  });
}
