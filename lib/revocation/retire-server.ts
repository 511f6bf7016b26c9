import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { appendFeedEntry } from '#lib/agents/feed.ts';
import { notify } from '#lib/audit/notify.ts';
import { type EventInput, insertEvents, recordEvent, toEventRow } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withEmergencyTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';

/** What retiring a server would reach, counted now. */
export type ServerReach = {
  agents: { id: string; name: string; ownerId: string; tools: number; losesEverything: boolean }[];
  liveTokens: number;
  refreshFamilies: number;
  resourceTokens: number;
  waitingBrowsers: number;
  openRequests: number;
  guards: { id: string; name: string; reachable: boolean }[];
};

const reachableWithinMs = 10_000;

/** What retiring this server would reach. Only an admin asks. Throws `NotFound`. */
export async function readServerReach(ctx: Ctx, serverId: string): Promise<ServerReach> {
  requireRole(ctx, 'admin');
  const server = await ctx.db.prisma.mcpServer.findUnique({
    where: { id: serverId },
    select: { id: true, resource: true },
  });
  if (!server) throw new NotFound();
  return measureServerReach(ctx.db.prisma, ctx, server);
}

async function measureServerReach(
  tx: Tx,
  ctx: Pick<Ctx, 'clock'>,
  server: { id: string; resource: string },
): Promise<ServerReach> {
  const now = ctx.clock.now();
  // One after the other: a transaction is one connection, which answers one query at a time.
  const bindings = await tx.toolBinding.findMany({
    where: { serverId: server.id, endedAt: null },
    include: { agent: { select: { id: true, name: true, ownerId: true } } },
    orderBy: { agent: { name: 'asc' } },
  });
  const elsewhere = await tx.toolBinding.findMany({
    where: {
      endedAt: null,
      serverId: { not: server.id },
      agentId: { in: bindings.map((binding) => binding.agentId) },
    },
    distinct: ['agentId'],
    select: { agentId: true },
  });
  const keeps = new Set(elsewhere.map((binding) => binding.agentId));
  const liveTokens = await tx.credential.count({
    where: { serverId: server.id, endedAt: null, expiresAt: { gt: now } },
  });
  const refreshFamilies = await tx.refreshFamily.count({
    where: { serverId: server.id, state: { in: ['live', 'frozen'] } },
  });
  const resourceTokens = await tx.resourceToken.count({
    where: { serverId: server.id, endedAt: null, expiresAt: { gt: now } },
  });
  const waitingBrowsers = await tx.authorizationTransaction.count({
    where: { resource: server.resource, status: { in: ['waiting', 'ready'] } },
  });
  const [open] = await tx.$queryRaw<{ count: number }[]>`
    SELECT count(DISTINCT r.id)::int AS count
      FROM registration_request r
      JOIN request_revision v ON v.request_id = r.id AND v.number = r.current_revision
     WHERE r.state IN ('draft', 'submitted', 'changes requested')
       AND EXISTS (SELECT 1 FROM tool_line l WHERE l.revision_id = v.id AND l.server_id = ${server.id})`;
  const guards = await tx.guard.findMany({
    where: { state: 'enrolled', serverIds: { has: server.id } },
    orderBy: { name: 'asc' },
  });
  const agents = new Map<string, ServerReach['agents'][number]>();
  for (const { agent, toolNames } of bindings) {
    const known = agents.get(agent.id);
    agents.set(agent.id, {
      ...agent,
      tools: (known?.tools ?? 0) + toolNames.length,
      losesEverything: !keeps.has(agent.id),
    });
  }
  return {
    agents: [...agents.values()],
    liveTokens,
    refreshFamilies,
    resourceTokens,
    waitingBrowsers,
    openRequests: open?.count ?? 0,
    guards: guards.map((guard) => ({
      id: guard.id,
      name: guard.name,
      reachable: guard.lastSeenAt !== null && now.getTime() - guard.lastSeenAt.getTime() < reachableWithinMs,
    })),
  };
}

export const retireServerInput = z.strictObject({
  serverId: z.string().max(100),
  reason: z.string().trim().min(1, 'Say why: it stays in the history.').max(500),
});

/**
 * Takes a server out of service for good. In one transaction its bindings, tokens, sign-ins, waiting browsers and
 * resource tokens end with their events, and its guards are told; when this returns, it is durable and nothing is
 * minted for it any more. Agents stay, with what they hold elsewhere. It cannot come back: its tombstone keeps its name
 * and public URL for history. Two at once: the second finds nothing left to retire and says so.
 */
export async function retireServer(
  ctx: Ctx,
  input: z.output<typeof retireServerInput>,
): Promise<{ revocationId: string; committedAt: string }> {
  const admin = requireRole(ctx, 'admin');
  const requestedAt = ctx.clock.now();
  return withEmergencyTransaction(ctx, async (tx) => {
    const [server] = await tx.$queryRaw<{ id: string; state: string; name: string; resource: string }[]>`
      SELECT id, state, name, resource FROM mcp_server WHERE id = ${input.serverId} FOR UPDATE`;
    if (!server) throw new NotFound();
    if (server.state !== 'active') throw new Conflict('This server is already retired.');
    const revocationId = newId('revocation');
    const reach = await measureServerReach(tx, ctx, server);
    const now = ctx.clock.now();
    await tx.mcpServer.update({
      where: { id: server.id },
      data: { state: 'retired', retiredAt: now, nextSyncAt: null },
    });
    const retireEvent = await recordEvent(tx, ctx, {
      kind: 'server.retire',
      subjectId: server.id,
      serverId: server.id,
      reason: input.reason,
      before: { state: 'active' },
      after: { state: 'retired' },
      data: { revocationId, agents: reach.agents.length, liveTokens: reach.liveTokens },
    });
    const cascade = await endWhatItServes(tx, ctx, server, { now, retireEvent });
    for (const bindingId of cascade.bindingIds) {
      await appendFeedEntry(
        tx,
        ctx,
        [server.id],
        { kind: 'binding.ended', bindingId, cause: 'server retired' },
        { subject: bindingId },
      );
    }
    // Last, and with the receipt's number: a guard that confirms it has applied all before it.
    const { id, name, resource } = server;
    const sequences = await appendFeedEntry(
      tx,
      ctx,
      [server.id],
      { kind: 'server.changed', server: { id, name, resource }, tools: [] },
      { subject: server.id, revocationId },
    );
    await tx.revocation.create({
      data: {
        id: revocationId,
        effect: 'revoke',
        targetKind: 'server',
        targetId: server.id,
        cause: 'administrative',
        reason: input.reason,
        actorKind: 'person',
        actorId: admin.personId,
        blastRadius: {
          servers: [],
          agents: reach.agents.map(({ id: agentId, name: agentName, tools }) => ({
            id: agentId,
            name: agentName,
            tools,
          })),
        },
        cascade: cascade.counts,
        sequences,
        requestedAt,
        committedAt: now,
        acks: { create: reach.guards.map((guard) => ({ guardId: guard.id })) },
      },
    });
    await tellOwners(tx, ctx, server, reach, input.reason);
    await notifyChange(tx, 'servers', server.id);
    await notifyChange(tx, 'agents', server.id);
    await notifyChange(tx, 'revocations', revocationId);
    return { revocationId, committedAt: now.toISOString() };
  });
}

async function endWhatItServes(
  tx: Tx,
  ctx: Ctx,
  server: { id: string; resource: string },
  { now, retireEvent }: { now: Date; retireEvent: string },
) {
  const bindings = await tx.$queryRaw<{ id: string; agentId: string }[]>`
    UPDATE tool_binding SET ended_at = ${now}, end_cause = 'server retired'
     WHERE server_id = ${server.id} AND ended_at IS NULL RETURNING id, agent_id AS "agentId"`;
  const tokens = await tx.$queryRaw<{ id: string; agentId: string; clientId: string }[]>`
    UPDATE credential SET ended_at = ${now}, end_cause = 'revoked'
     WHERE server_id = ${server.id} AND ended_at IS NULL AND expires_at > ${now}
     RETURNING id, agent_id AS "agentId", client_id AS "clientId"`;
  const families = await tx.refreshFamily.updateMany({
    where: { serverId: server.id, state: { in: ['live', 'frozen'] } },
    data: { state: 'ended', endCause: 'server retired', endedAt: now },
  });
  const resourceTokens = await tx.$queryRaw<{ id: string }[]>`
    UPDATE resource_token SET ended_at = ${now}
     WHERE server_id = ${server.id} AND ended_at IS NULL AND expires_at > ${now} RETURNING id`;
  const waiting = await tx.authorizationTransaction.updateMany({
    where: { resource: server.resource, status: { in: ['waiting', 'ready'] } },
    data: { status: 'ended', endCause: 'server retired' },
  });
  await tx.$executeRaw`UPDATE authorization_code SET expires_at = ${now}
     WHERE resource = ${server.resource} AND used_at IS NULL AND expires_at > ${now}`;
  await tx.reveal.updateMany({
    where: { serverId: server.id, expiresAt: { gt: now } },
    data: { expiresAt: now },
  });
  const shared = { serverId: server.id, parentIds: [retireEvent], reason: 'server retired' } as const;
  const events: EventInput[] = [
    ...bindings.map(({ id, agentId }) => ({
      ...shared,
      kind: 'binding.end' as const,
      subjectId: id,
      agentId,
    })),
    ...tokens.map(({ id, agentId, clientId }) => ({
      ...shared,
      kind: 'credential.end' as const,
      subjectId: id,
      agentId,
      clientId,
    })),
    ...resourceTokens.map(({ id }) => ({ ...shared, kind: 'resource_token.end' as const, subjectId: id })),
  ];
  if (events.length > 0) {
    const rows = events.map((event) => toEventRow(ctx, event));
    await tx.$executeRawUnsafe(insertEvents('$1'), JSON.stringify(rows));
  }
  return {
    bindingIds: bindings.map(({ id }) => id),
    counts: {
      tokens: tokens.length,
      families: families.count,
      familiesKept: false,
      instances: 0,
      waitingBrowsers: waiting.count,
      bindings: bindings.length,
      requests: 0,
      resourceTokens: resourceTokens.length,
    },
  };
}

/** One word to each owner, about all of their agents it concerns. */
async function tellOwners(
  tx: Tx,
  ctx: Ctx,
  server: { id: string; name: string },
  reach: ServerReach,
  reason: string,
): Promise<void> {
  const byOwner = Map.groupBy(reach.agents, (agent) => agent.ownerId);
  for (const [ownerId, agents] of byOwner) {
    const names = new Intl.ListFormat('en').format(agents.map((agent) => agent.name));
    const idle = agents.filter((agent) => agent.losesEverything);
    await notify(tx, ctx, {
      personIds: [ownerId],
      kind: 'server.retire',
      title: `${server.name} was retired`,
      body: `${names} lost the tools of this server. ${
        idle.length > 0
          ? 'Without tools elsewhere an agent can do nothing: revoke it, or ask for others. '
          : ''
      }Reason: ${reason}.`,
      href: `/servers/${server.id}`,
    });
  }
}
