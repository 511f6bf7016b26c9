import { hasRole, requirePerson } from '#lib/access/require.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { agentEnds } from './agent-filter.ts';
import { ownerFilter } from './visibility.ts';

export type EndingAgent = {
  id: string;
  name: string;
  owner: string;
  /** When its first approval ends: by its clock, or because nobody used it. */
  endsAt: string;
  neverUsed: boolean;
};

export type HomeFacts = {
  agents: { active: number; suspended: number; mine: number };
  /** Next fortnight, soonest first, at most twelve. */
  ending: EndingAgent[];
  endingWithinDay: number;
  endingWithinFortnight: number;
  /** Tokens only this person can reveal now. */
  reveals: { agentId: string; agentName: string; expiresAt: string }[];
  /** For those who see the platform; null for others. */
  platform: {
    unclaimedClients: number;
    unconfirmedTools: number;
    unconfirmedServerId: string | null;
    failedSyncs: number;
    silentGuards: number;
    guards: number;
    servers: number;
    tools: number;
  } | null;
};

const mostEnding = 12;
/** A connected guard is marked as seen every two seconds. */
const silentAfterSeconds = 10;

/** What a home page counts about agents and the platform, as far as the actor may see it. */
export async function readHome(ctx: Ctx): Promise<HomeFacts> {
  const person = requirePerson(ctx);
  const db = ctx.db.prisma;
  const now = ctx.clock.now();
  const visible = await ownerFilter(db, ctx);
  const ownOnly = !hasRole(person, 'approver', 'auditor', 'admin');
  const window = { gt: now, lte: addSeconds(now, agentEnds.fortnight) };
  const [states, mine, bindings, reveals, platform] = await Promise.all([
    db.agent.groupBy({ by: ['state'], where: visible, _count: { _all: true } }),
    db.agent.count({
      where: { ownerId: person.personId, state: { in: ['active', 'suspended', 'pending'] } },
    }),
    db.toolBinding.findMany({
      where: {
        endedAt: null,
        agent: { ...visible, state: { in: ['active', 'suspended'] } },
        OR: [{ expiresAt: window }, { firstIssuedAt: null, unusedEndsAt: window }],
      },
      select: {
        expiresAt: true,
        firstIssuedAt: true,
        unusedEndsAt: true,
        agent: { select: { id: true, name: true, ownerId: true } },
      },
    }),
    db.reveal.findMany({
      where: { ownerId: person.personId, expiresAt: { gt: now } },
      orderBy: { expiresAt: 'asc' },
      take: 5,
      select: { agentId: true, expiresAt: true },
    }),
    ownOnly ? null : readPlatform(ctx),
  ]);
  const byAgent = new Map<string, EndingAgent & { ownerId: string }>();
  for (const { agent, ...binding } of bindings) {
    const neverUsed = binding.firstIssuedAt === null;
    const endsAt = (
      neverUsed ? binding.unusedEndsAt : (binding.expiresAt ?? binding.unusedEndsAt)
    ).toISOString();
    const known = byAgent.get(agent.id);
    if (known && known.endsAt <= endsAt) continue;
    byAgent.set(agent.id, {
      id: agent.id,
      name: agent.name,
      ownerId: agent.ownerId,
      owner: '',
      endsAt,
      neverUsed,
    });
  }
  const ending = [...byAgent.values()].sort((a, b) => a.endsAt.localeCompare(b.endsAt));
  const shown = ending.slice(0, mostEnding);
  const dayEnd = addSeconds(now, agentEnds.day).toISOString();
  const [people, revealed] = await Promise.all([
    db.person.findMany({
      where: { id: { in: shown.map((agent) => agent.ownerId) } },
      select: { id: true, displayName: true },
    }),
    db.agent.findMany({
      where: { id: { in: reveals.map((reveal) => reveal.agentId) }, state: 'active' },
      select: { id: true, name: true },
    }),
  ]);
  const nameOf = new Map(people.map((each) => [each.id, each.displayName]));
  const count = (state: string) => states.find((row) => row.state === state)?._count._all ?? 0;
  return {
    agents: { active: count('active'), suspended: count('suspended'), mine },
    ending: shown.map(({ ownerId, ...agent }) => ({ ...agent, owner: nameOf.get(ownerId) ?? ownerId })),
    endingWithinDay: ending.filter((agent) => agent.endsAt <= dayEnd).length,
    endingWithinFortnight: ending.length,
    reveals: reveals.flatMap((reveal) => {
      const agent = revealed.find((each) => each.id === reveal.agentId);
      return agent
        ? [{ agentId: agent.id, agentName: agent.name, expiresAt: reveal.expiresAt.toISOString() }]
        : [];
    }),
    platform,
  };
}

async function readPlatform(ctx: Ctx): Promise<NonNullable<HomeFacts['platform']>> {
  const db = ctx.db.prisma;
  const silentSince = addSeconds(ctx.clock.now(), -silentAfterSeconds);
  const [unclaimedClients, [tools], failedSyncs, silentGuards, guards, servers] = await Promise.all([
    db.client.count({ where: { forgottenAt: null, claimedAt: null } }),
    db.$queryRaw<{ tools: bigint; unconfirmed: bigint; serverId: string | null }[]>`
      SELECT count(*) AS tools, count(*) FILTER (WHERE v.confirmed_at IS NULL) AS unconfirmed,
             CASE WHEN count(DISTINCT t.server_id) FILTER (WHERE v.confirmed_at IS NULL) = 1
                  THEN min(t.server_id) FILTER (WHERE v.confirmed_at IS NULL) END AS "serverId"
        FROM tool t JOIN tool_version v ON v.tool_id = t.id AND v.version = t.current_version
        JOIN mcp_server s ON s.id = t.server_id
       WHERE t.removed_at IS NULL AND s.state = 'active'`,
    db.mcpServer.count({ where: { state: 'active', lastSyncError: { not: null } } }),
    db.guard.count({ where: { state: 'enrolled', lastSeenAt: { lt: silentSince } } }),
    db.guard.count({ where: { state: 'enrolled' } }),
    db.mcpServer.count({ where: { state: 'active' } }),
  ]);
  return {
    unclaimedClients,
    unconfirmedTools: Number(tools?.unconfirmed ?? 0),
    unconfirmedServerId: tools?.serverId ?? null,
    failedSyncs,
    silentGuards,
    guards,
    servers,
    tools: Number(tools?.tools ?? 0),
  };
}

export type FirstSteps = {
  server: boolean;
  confirmed: boolean;
  guard: boolean;
  owner: boolean;
  approver: boolean;
  request: boolean;
  approval: boolean;
};

/** What a new installation still lacks before the first agent can work. For admins. */
export async function readFirstSteps(ctx: Ctx): Promise<FirstSteps | null> {
  const person = requirePerson(ctx);
  if (!hasRole(person, 'admin')) return null;
  const db = ctx.db.prisma;
  const now = ctx.clock.now();
  const holders = (role: string) =>
    db.roleGrant.findMany({
      where: { role, endedAt: null, effectiveAt: { lte: now }, person: { state: 'active' } },
      select: { personId: true },
      take: 50,
    });
  const [server, confirmed, guard, owners, approvers, request, approval] = await Promise.all([
    db.mcpServer.count({ where: { state: 'active', lastSyncedAt: { not: null } }, take: 1 }),
    db.toolVersion.count({ where: { confirmedAt: { not: null } }, take: 1 }),
    db.guard.count({ where: { state: 'enrolled', lastSeenAt: { not: null } }, take: 1 }),
    holders('owner'),
    holders('approver'),
    db.registrationRequest.count({ where: { submittedAt: { not: null } }, take: 1 }),
    db.registrationRequest.count({ where: { state: 'approved' }, take: 1 }),
  ]);
  return {
    server: server > 0,
    confirmed: confirmed > 0,
    guard: guard > 0,
    owner: owners.length > 0,
    // Nobody approves their own: one person who is both leaves everything undecided.
    approver: approvers.some((each) => owners.some((owner) => owner.personId !== each.personId)),
    request: request > 0,
    approval: approval > 0,
  };
}
