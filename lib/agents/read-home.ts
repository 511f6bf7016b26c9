import { hasRole, requirePerson } from '#lib/access/require.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { agentEnds } from './agent-filter.ts';
import { endsAt } from './read-expiry.ts';
import { ownersVisibleTo } from './visibility.ts';

export type EndingAgent = {
  id: string;
  name: string;
  owner: string;
  /** When its first approval ends: by its clock, or because nobody used it. */
  endsAt: string;
  neverUsed: boolean;
};

export type HomeFacts = {
  /** `mine` are the person's own that are active, `owned` all they ever had. */
  agents: { active: number; suspended: number; mine: number; owned: number };
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
    /** Mails and webhook calls given up on; null for who may not see them. */
    failedMessages: number | null;
    silentGuards: number;
    guards: number;
    servers: number;
    tools: number;
  } | null;
};

const mostEnding = 12;
const mostReveals = 5;
/** A connected guard is marked as seen every two seconds. */
const silentAfterSeconds = 10;

type EndingRow = {
  id: string;
  name: string;
  owner: string;
  endsAt: Date;
  neverUsed: boolean;
  withinDay: number;
  all: number;
};

/**
 * What a home page counts about agents and the platform, as far as the actor may see it. Each number is what the list
 * behind it shows: the same people see the same agents here and there.
 */
export async function readHome(ctx: Ctx): Promise<HomeFacts> {
  const person = requirePerson(ctx);
  const db = ctx.db.prisma;
  const now = ctx.clock.now();
  const owners = await ownersVisibleTo(db, ctx);
  const visible =
    owners === 'all' ? {} : { OR: [{ ownerId: { in: [...owners] } }, { deputyId: person.personId }] };
  const ownOnly = !hasRole(person, 'approver', 'auditor', 'admin');
  const [states, mine, owned, ending, reveals, platform] = await Promise.all([
    db.agent.groupBy({ by: ['state'], where: visible, _count: { _all: true } }),
    db.agent.count({ where: { ownerId: person.personId, state: 'active' } }),
    db.agent.count({ where: { ownerId: person.personId } }),
    // By the very condition of the lists: the index tool_binding_ends answers it.
    db.$queryRawUnsafe<EndingRow[]>(
      `WITH ending AS (
         SELECT a.id, a.name, a.owner_id, min(${endsAt}) AS ends_at,
                (array_agg(b.first_issued_at IS NULL ORDER BY ${endsAt}))[1] AS never_used
           FROM tool_binding b JOIN agent a ON a.id = b.agent_id
          WHERE b.ended_at IS NULL AND a.state IN ('active', 'suspended') AND ${endsAt} > $3 AND ${endsAt} <= $5
            AND ($1::text[] IS NULL OR a.owner_id = ANY ($1) OR a.deputy_id = $2)
          GROUP BY a.id
       )
       SELECT e.id, e.name, p.display_name AS owner, e.ends_at AS "endsAt", e.never_used AS "neverUsed",
              (count(*) FILTER (WHERE e.ends_at <= $4) OVER ())::int AS "withinDay", (count(*) OVER ())::int AS "all"
         FROM ending e JOIN person p ON p.id = e.owner_id ORDER BY e.ends_at, e.id LIMIT ${mostEnding}`,
      owners === 'all' ? null : [...owners],
      person.personId,
      now,
      addSeconds(now, agentEnds.day),
      addSeconds(now, agentEnds.fortnight),
    ),
    db.$queryRawUnsafe<{ agentId: string; agentName: string; expiresAt: Date }[]>(
      `SELECT r.agent_id AS "agentId", a.name AS "agentName", r.expires_at AS "expiresAt"
         FROM reveal r JOIN agent a ON a.id = r.agent_id AND a.state = 'active'
        WHERE r.owner_id = $1 AND r.expires_at > $2 ORDER BY r.expires_at LIMIT ${mostReveals}`,
      person.personId,
      now,
    ),
    ownOnly ? null : readPlatform(ctx),
  ]);
  const count = (state: string) => states.find((row) => row.state === state)?._count._all ?? 0;
  const [first] = ending;
  return {
    agents: { active: count('active'), suspended: count('suspended'), mine, owned },
    ending: ending.map(({ id, name, owner, endsAt: at, neverUsed }) => ({
      id,
      name,
      owner,
      endsAt: at.toISOString(),
      neverUsed,
    })),
    endingWithinDay: first?.withinDay ?? 0,
    endingWithinFortnight: first?.all ?? 0,
    reveals: reveals.map((row) => ({ ...row, expiresAt: row.expiresAt.toISOString() })),
    platform,
  };
}

async function readPlatform(ctx: Ctx): Promise<NonNullable<HomeFacts['platform']>> {
  const db = ctx.db.prisma;
  const silentSince = addSeconds(ctx.clock.now(), -silentAfterSeconds);
  const [unclaimedClients, [tools], failedSyncs, failedMessages, silentGuards, guards, servers] =
    await Promise.all([
      db.client.count({ where: { forgottenAt: null, claimedAt: null } }),
      db.$queryRaw<{ tools: bigint; unconfirmed: bigint; serverId: string | null }[]>`
      SELECT count(*) AS tools, count(*) FILTER (WHERE v.confirmed_at IS NULL) AS unconfirmed,
             CASE WHEN count(DISTINCT t.server_id) FILTER (WHERE v.confirmed_at IS NULL) = 1
                  THEN min(t.server_id) FILTER (WHERE v.confirmed_at IS NULL) END AS "serverId"
        FROM tool t JOIN tool_version v ON v.tool_id = t.id AND v.version = t.current_version
        JOIN mcp_server s ON s.id = t.server_id
       WHERE t.removed_at IS NULL AND s.state = 'active'`,
      db.mcpServer.count({ where: { state: 'active', lastSyncError: { not: null } } }),
      hasRole(ctx.actor, 'admin', 'auditor')
        ? db.outboxMessage.count({ where: { failedAt: { not: null } } })
        : null,
      db.guard.count({ where: { state: 'enrolled', lastSeenAt: { lt: silentSince } } }),
      db.guard.count({ where: { state: 'enrolled' } }),
      db.mcpServer.count({ where: { state: 'active' } }),
    ]);
  return {
    unclaimedClients,
    unconfirmedTools: Number(tools?.unconfirmed ?? 0),
    unconfirmedServerId: tools?.serverId ?? null,
    failedSyncs,
    failedMessages,
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
