import { maySeeOwnedBy } from '#lib/access/read-people.ts';
import { requirePerson } from '#lib/access/require.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { NotFound } from '#lib/platform/errors.ts';

/** What a stop would reach, counted now. */
export type BlastRadius = {
  agent: { id: string; name: string; state: string; ownerName: string };
  liveTokens: number;
  refreshFamilies: number;
  instances: number;
  waitingBrowsers: number;
  openRequests: number;
  servers: {
    serverId: string;
    name: string;
    tools: string[];
    guards: { guardId: string; name: string; reachable: boolean }[];
  }[];
  lastIssuedAt: string | null;
  lastUsedAt: string | null;
};

/** A guard heard from within this long counts as reachable; its lease is shorter, so a silent one denies anyway. */
const reachableWithinMs = 10_000;

/** Counts what suspending or revoking this agent reaches. Returns null for an agent that does not exist. */
export async function measureBlastRadius(
  tx: Tx,
  ctx: Pick<Ctx, 'clock'>,
  agentId: string,
): Promise<BlastRadius | null> {
  const now = ctx.clock.now();
  const agent = await tx.agent.findUnique({ where: { id: agentId } });
  if (!agent) return null;
  // One after the other: a transaction is one connection, which answers one query at a time.
  const owner = await tx.person.findUnique({ where: { id: agent.ownerId }, select: { displayName: true } });
  const liveTokens = await tx.credential.count({
    where: { agentId, epoch: agent.epoch, endedAt: null, expiresAt: { gt: now } },
  });
  const refreshFamilies = await tx.refreshFamily.count({
    where: { agentId, state: { in: ['live', 'frozen'] } },
  });
  const instances = await tx.instance.findMany({ where: { agentId }, select: { id: true, state: true } });
  const openRequests = await tx.registrationRequest.count({
    where: { agentId, state: { in: ['draft', 'submitted', 'changes requested'] } },
  });
  const waitingBrowsers = await tx.authorizationTransaction.count({
    where: {
      status: { in: ['waiting', 'ready'] },
      instanceId: { in: instances.map((instance) => instance.id) },
    },
  });
  const last = await tx.credential.findFirst({
    where: { agentId },
    orderBy: { issuedAt: 'desc' },
    select: { issuedAt: true },
  });
  const bindings = await tx.toolBinding.findMany({
    where: { agentId, endedAt: null },
    include: { server: { select: { name: true } } },
  });
  const guards = await tx.guard.findMany({ where: { state: 'enrolled' } });
  return {
    agent: { id: agent.id, name: agent.name, state: agent.state, ownerName: owner?.displayName ?? '' },
    liveTokens,
    refreshFamilies,
    instances: instances.filter((instance) => ['active', 'quarantined', 'suspended'].includes(instance.state))
      .length,
    waitingBrowsers,
    openRequests,
    servers: bindings.map((binding) => ({
      serverId: binding.serverId,
      name: binding.server.name,
      tools: binding.toolNames,
      guards: guards
        .filter((guard) => guard.serverIds.includes(binding.serverId))
        .map((guard) => ({
          guardId: guard.id,
          name: guard.name,
          reachable:
            guard.lastSeenAt !== null && now.getTime() - guard.lastSeenAt.getTime() < reachableWithinMs,
        })),
    })),
    lastIssuedAt: last?.issuedAt.toISOString() ?? null,
    lastUsedAt: agent.lastUsedAt?.toISOString() ?? null,
  };
}

/** What stopping this agent would reach, for the person about to do it. `NotFound` for who may not see the agent. */
export async function readBlastRadius(ctx: Ctx, agentId: string): Promise<BlastRadius> {
  requirePerson(ctx);
  const agent = await ctx.db.prisma.agent.findUnique({ where: { id: agentId }, select: { ownerId: true } });
  if (!agent || !(await maySeeOwnedBy(ctx, agent.ownerId))) throw new NotFound();
  const radius = await measureBlastRadius(ctx.db.prisma, ctx, agentId);
  if (!radius) throw new NotFound();
  return radius;
}
