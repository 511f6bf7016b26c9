import { requirePerson } from '#lib/access/require.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { bindingStateAt } from './states.ts';
import { ownerFilter } from './visibility.ts';

export type ServerUse = {
  /** Agents that hold tools of this server now, as far as the actor may see them. */
  agents: {
    id: string;
    name: string;
    state: string;
    owner: string;
    tools: string[];
    lastUsedAt: string | null;
  }[];
  /** Agents of other people, of which an owner learns the number only. */
  hiddenAgents: number;
  guards: { id: string; name: string; state: string; version: string; lastSeenAt: string | null }[];
};

/** Who uses a server: agents with live bindings, and the guards in front of it. Throws `NotFound`. */
export async function readServerUse(ctx: Ctx, serverId: string): Promise<ServerUse> {
  requirePerson(ctx);
  const db = ctx.db.prisma;
  const now = ctx.clock.now();
  const server = await db.mcpServer.findUnique({ where: { id: serverId }, select: { id: true } });
  if (!server) throw new NotFound();
  const [bindings, visible, guards] = await Promise.all([
    db.toolBinding.findMany({
      where: { serverId, endedAt: null },
      include: { agent: { select: { id: true, name: true, state: true, ownerId: true, lastUsedAt: true } } },
      orderBy: { agent: { name: 'asc' } },
    }),
    ownerFilter(db, ctx),
    db.guard.findMany({ where: { serverIds: { has: serverId } }, orderBy: { enrolledAt: 'desc' } }),
  ]);
  const live = bindings.filter((binding) => bindingStateAt(binding, now) === 'active');
  const seen = live.filter(({ agent }) => !visible.ownerId || visible.ownerId.in.includes(agent.ownerId));
  const owners = await db.person.findMany({
    where: { id: { in: [...new Set(seen.map(({ agent }) => agent.ownerId))] } },
    select: { id: true, displayName: true },
  });
  const names = new Map(owners.map((owner) => [owner.id, owner.displayName]));
  return {
    agents: seen.map(({ agent, toolNames }) => ({
      id: agent.id,
      name: agent.name,
      state: agent.state,
      owner: names.get(agent.ownerId) ?? agent.ownerId,
      tools: toolNames,
      lastUsedAt: agent.lastUsedAt?.toISOString() ?? null,
    })),
    hiddenAgents: live.length - seen.length,
    guards: guards.map((guard) => ({
      id: guard.id,
      name: guard.name,
      state: guard.state,
      version: guard.version,
      lastSeenAt: guard.lastSeenAt?.toISOString() ?? null,
    })),
  };
}
