import guardPackage from '#guard/package.json' with { type: 'json' };
import { requireRole } from '#lib/access/require.ts';
import type { ToolClass, ToolRisk } from '#lib/catalogue/definition.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';

/** Version of the guard's software that belongs to this installation. */
export const currentGuardVersion: string = guardPackage.version;

export type GuardDetail = {
  id: string;
  name: string;
  state: string;
  version: string;
  thumbprint: string;
  enrolledAt: Date;
  enrolledBy: string | null;
  lastSeenAt: Date | null;
  revokedAt: Date | null;
  servers: {
    id: string;
    name: string;
    resource: string;
    state: string;
    acknowledged: number;
    head: number;
    /** What an anonymous caller gets past the guard, and when that was found. */
    probe: { outcome: string | null; detail: string; probedAt: Date | null; since: Date | null };
    hasUpstream: boolean;
    tools: { toolId: string; name: string; class: ToolClass; risk: ToolRisk; confirmed: boolean }[];
  }[];
  /** Its reports: how many are stored, whether each followed the one before, and what it said of itself last. */
  reports: {
    lastNumber: number;
    gaps: number;
    lastGap: { at: Date; eventId: string; after: number; next: number; chainHolds: boolean } | null;
    lastCall: Date | null;
  };
  /** What it said of its own condition, newest first. */
  conditions: { eventId: string; at: Date; condition: string; serverId: string | null; detail: string }[];
  /** Stops it has been asked to acknowledge and has not. */
  openStops: number;
};

const shownConditions = 20;
/** Gaps further back are history; the page counts these. */
const gapDays = 30;

/** One guard with everything known about it. For admins, auditors and approvers. Throws `NotFound`. */
export async function getGuard(ctx: Ctx, guardId: string): Promise<GuardDetail> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, 'admin', 'auditor', 'approver');
  const db = ctx.db.prisma;
  const guard = await db.guard.findUnique({ where: { id: guardId } });
  if (!guard) throw new NotFound();
  const since = addSeconds(ctx.clock.now(), -gapDays * 86_400);
  const [servers, heads, enroller, gaps, gapCount, conditions, lastCall, openStops] = await Promise.all([
    db.mcpServer.findMany({
      where: { id: { in: guard.serverIds } },
      orderBy: { name: 'asc' },
      omit: { upstreamCredential: true },
      include: {
        tools: {
          where: { removedAt: null },
          orderBy: { name: 'asc' },
          include: { versions: { orderBy: { version: 'desc' }, take: 1 } },
        },
      },
    }),
    db.feedHead.findMany({ where: { serverId: { in: guard.serverIds } } }),
    guard.enrolledById
      ? db.person.findUnique({ where: { id: guard.enrolledById }, select: { displayName: true } })
      : null,
    db.auditEvent.findMany({
      where: { subjectId: guardId, kind: 'guard.gap', at: { gt: since } },
      orderBy: [{ at: 'desc' }, { id: 'desc' }],
      take: 1,
    }),
    db.auditEvent.count({ where: { subjectId: guardId, kind: 'guard.gap', at: { gt: since } } }),
    db.auditEvent.findMany({
      where: { subjectId: guardId, kind: 'guard.report' },
      orderBy: [{ at: 'desc' }, { id: 'desc' }],
      take: shownConditions,
    }),
    db.auditEvent.findFirst({
      where: { actorId: guardId, kind: 'guard.call' },
      orderBy: [{ at: 'desc' }, { id: 'desc' }],
      select: { at: true },
    }),
    db.revocationAck.count({ where: { guardId, acknowledgedAt: null } }),
  ]);
  const acks = (guard.lastAcks ?? {}) as Record<string, number>;
  const headOf = new Map(heads.map((head) => [head.serverId, Number(head.sequence)]));
  const [gap] = gaps;
  return {
    id: guard.id,
    name: guard.name,
    state: guard.state,
    version: guard.version,
    thumbprint: guard.thumbprint,
    enrolledAt: guard.enrolledAt,
    enrolledBy: enroller?.displayName ?? null,
    lastSeenAt: guard.lastSeenAt,
    revokedAt: guard.revokedAt,
    servers: servers.map((server) => ({
      id: server.id,
      name: server.name,
      resource: server.resource,
      state: server.state,
      acknowledged: acks[server.id] ?? 0,
      head: headOf.get(server.id) ?? 0,
      probe: {
        outcome: server.probeOutcome,
        detail: server.probeDetail,
        probedAt: server.probedAt,
        since: server.probeSince,
      },
      hasUpstream: server.upstreamUrl !== null,
      tools: server.tools.flatMap((tool) => {
        const [version] = tool.versions;
        return version
          ? [
              {
                toolId: tool.id,
                name: tool.name,
                class: version.class as ToolClass,
                risk: version.risk as ToolRisk,
                confirmed: version.confirmedAt !== null,
              },
            ]
          : [];
      }),
    })),
    reports: {
      lastNumber: Number(guard.lastReportNumber),
      gaps: gapCount,
      lastGap: gap
        ? {
            at: gap.at,
            eventId: gap.id,
            after: numberIn(gap.data, 'after'),
            next: numberIn(gap.data, 'next'),
            chainHolds: (gap.data as { chainHolds?: unknown } | null)?.chainHolds === true,
          }
        : null,
      lastCall: lastCall?.at ?? null,
    },
    conditions: conditions.map((event) => ({
      eventId: event.id,
      at: event.at,
      condition: textIn(event.data, 'condition'),
      serverId: event.serverId,
      detail: textIn(event.data, 'detail'),
    })),
    openStops,
  };
}

export type UnguardedServer = {
  id: string;
  name: string;
  /** Agents that hold tools of it now. */
  agents: number;
  /** It asks about tokens by itself, with a token of its own. */
  asksItself: boolean;
};

/** Servers in service in front of which no enrolled guard stands. For admins, auditors and approvers. */
export async function listUnguarded(ctx: Ctx): Promise<UnguardedServer[]> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, 'admin', 'auditor', 'approver');
  const now = ctx.clock.now();
  return ctx.db.prisma.$queryRaw<UnguardedServer[]>`
    SELECT s.id, s.name,
           (SELECT count(DISTINCT b.agent_id)::int FROM tool_binding b
             WHERE b.server_id = s.id AND b.ended_at IS NULL
               AND (b.expires_at IS NULL OR b.expires_at > ${now})) AS agents,
           EXISTS (SELECT 1 FROM resource_token t
                    WHERE t.server_id = s.id AND t.ended_at IS NULL AND t.expires_at > ${now}) AS "asksItself"
      FROM mcp_server s
     WHERE s.state = 'active'
       AND NOT EXISTS (SELECT 1 FROM guard g WHERE g.state = 'enrolled' AND s.id = ANY (g.server_ids))
     ORDER BY s.name`;
}

function numberIn(data: unknown, name: string): number {
  const value = (data as Record<string, unknown> | null)?.[name];
  return typeof value === 'number' ? value : 0;
}

function textIn(data: unknown, name: string): string {
  const value = (data as Record<string, unknown> | null)?.[name];
  return typeof value === 'string' ? value : '';
}
