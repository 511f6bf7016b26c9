import { z } from 'zod';
import { requirePerson } from '#lib/access/require.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Prisma } from '#lib/platform/db.ts';
import { visibleAgents } from './visibility.ts';

const daySeconds = 24 * 3600;
export const agentEnds = { day: daySeconds, fortnight: 14 * daySeconds } as const;
/** Not used for this long, an agent is worth a question. */
const idleAfterSeconds = 30 * daySeconds;

/** What narrows a list of agents beside its state. */
export const agentFilterFields = {
  serverId: z.string().max(64).optional().meta({ description: 'Holds tools of this server now.' }),
  ownerId: z.string().max(64).optional(),
  ends: z
    .enum(['day', 'fortnight'])
    .optional()
    .meta({ description: 'An approval of it ends within this time.' }),
  use: z
    .enum(['never', 'idle'])
    .optional()
    .meta({ description: 'Active and never used, or not for 30 days.' }),
};
type AgentFilter = { [Name in keyof typeof agentFilterFields]?: string };

/** The filter as Prisma reads it. Instants are compared here and now; nothing about them is stored. */
export function agentFilter(filter: AgentFilter, now: Date): Prisma.AgentWhereInput {
  return {
    AND: [
      filter.serverId ? { bindings: { some: { serverId: filter.serverId, endedAt: null } } } : {},
      filter.ownerId ? { ownerId: filter.ownerId } : {},
      filter.ends ? endsWithin(agentEnds[filter.ends as keyof typeof agentEnds], now) : {},
      filter.use === 'never' ? { state: 'active', lastUsedAt: null } : {},
      filter.use === 'idle'
        ? { state: 'active', lastUsedAt: { lt: addSeconds(now, -idleAfterSeconds) } }
        : {},
    ],
  };
}

/** An approval that was never used ends too, by its own date. */
function endsWithin(seconds: number, now: Date): Prisma.AgentWhereInput {
  const window = { gt: now, lte: addSeconds(now, seconds) };
  return {
    state: { in: ['active', 'suspended'] },
    bindings: {
      some: { endedAt: null, OR: [{ expiresAt: window }, { firstIssuedAt: null, unusedEndsAt: window }] },
    },
  };
}

export type AgentFacets = {
  servers: { value: string; label: string; count: number }[];
  owners: { value: string; label: string; count: number }[];
  ends: { value: keyof typeof agentEnds; count: number }[];
  use: { value: 'never' | 'idle'; count: number }[];
};

/** Counts for the filters of the list, over every agent the actor may see. */
export async function readAgentFacets(ctx: Ctx): Promise<AgentFacets> {
  requirePerson(ctx);
  const db = ctx.db.prisma;
  const now = ctx.clock.now();
  const visible = await visibleAgents(db, ctx);
  const count = (filter: AgentFilter) =>
    db.agent.count({ where: { AND: [visible, agentFilter(filter, now)] } });
  const [bindings, owners, day, fortnight, never, idle] = await Promise.all([
    db.toolBinding.groupBy({
      by: ['serverId', 'agentId'],
      where: { endedAt: null, agent: visible },
    }),
    db.agent.groupBy({
      by: ['ownerId'],
      where: visible,
      _count: { _all: true },
      orderBy: { _count: { id: 'desc' } },
      take: 30,
    }),
    count({ ends: 'day' }),
    count({ ends: 'fortnight' }),
    count({ use: 'never' }),
    count({ use: 'idle' }),
  ]);
  const held = Map.groupBy(bindings, (binding) => binding.serverId);
  const [servers, people] = await Promise.all([
    db.mcpServer.findMany({ where: { id: { in: [...held.keys()] } }, select: { id: true, name: true } }),
    db.person.findMany({
      where: { id: { in: owners.map((owner) => owner.ownerId) } },
      select: { id: true, displayName: true },
    }),
  ]);
  const nameOf = new Map(people.map((person) => [person.id, person.displayName]));
  return {
    servers: servers
      .map((server) => ({ value: server.id, label: server.name, count: held.get(server.id)?.length ?? 0 }))
      .sort((a, b) => b.count - a.count),
    owners: owners.map((owner) => ({
      value: owner.ownerId,
      label: nameOf.get(owner.ownerId) ?? owner.ownerId,
      count: owner._count._all,
    })),
    ends: [
      { value: 'day', count: day },
      { value: 'fortnight', count: fortnight },
    ],
    use: [
      { value: 'never', count: never },
      { value: 'idle', count: idle },
    ],
  };
}
