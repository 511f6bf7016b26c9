import { requireRole } from '#lib/access/require.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';

const weekSeconds = 7 * 24 * 3600;
const weeks = 8;
/** What the numbers are about; the weeks before it are the trend. */
export const recentSeconds = 4 * weekSeconds;

export type DecisionTimes = {
  /** Start of the time the numbers are about. */
  since: string;
  /** Approved or rejected since then, and how many of the approvals granted less than was asked. */
  decided: number;
  approved: number;
  narrowed: number;
  /** Clients their owners linked to an approved agent since then, which policy lets them without another decision. */
  linked: number;
  /** From being submitted to being decided; null when nothing was. */
  medianSeconds: number | null;
  /** Eight weeks, the oldest first. */
  trend: { decided: number; medianSeconds: number | null }[];
};

/** How fast and how decisions were made lately, for those who see all of them. */
export async function readDecisionTimes(ctx: Ctx): Promise<DecisionTimes> {
  requireRole(ctx, 'approver', 'auditor', 'admin');
  const now = ctx.clock.now();
  const since = addSeconds(now, -recentSeconds);
  type Line = {
    week: number | null;
    decided: number;
    approved: number;
    narrowed: number;
    median: number | null;
  };
  const [rows, linked] = await Promise.all([
    ctx.db.prisma.$queryRawUnsafe<Line[]>(
      `WITH decided AS (
         SELECT floor(extract(epoch FROM $1::timestamptz - r.decided_at) / ${weekSeconds})::int AS week, r.decided_at,
                extract(epoch FROM r.decided_at - r.submitted_at)::float8 AS seconds, r.state, ${isNarrowed} AS narrowed
           FROM registration_request r
          WHERE r.state IN ('approved', 'rejected') AND r.submitted_at IS NOT NULL
            AND r.decided_at > $1::timestamptz - interval '${weeks * weekSeconds} seconds' AND r.decided_at <= $1
       )
       SELECT week, count(*)::int AS decided, count(*) FILTER (WHERE state = 'approved')::int AS approved,
              count(*) FILTER (WHERE narrowed)::int AS narrowed,
              percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median
         FROM decided GROUP BY week
       UNION ALL
       SELECT NULL, count(*)::int, count(*) FILTER (WHERE state = 'approved')::int,
              count(*) FILTER (WHERE narrowed)::int, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)
         FROM decided WHERE decided_at > $2`,
      now,
      since,
    ),
    ctx.db.prisma.auditEvent.count({ where: { kind: 'client.link', at: { gte: since, lte: now } } }),
  ]);
  const recent = rows.find((row) => row.week === null);
  return {
    since: since.toISOString(),
    decided: recent?.decided ?? 0,
    approved: recent?.approved ?? 0,
    narrowed: recent?.narrowed ?? 0,
    linked,
    medianSeconds: recent?.median == null ? null : Math.round(recent.median),
    trend: Array.from({ length: weeks }, (_, index) => {
      const row = rows.find((each) => each.week === weeks - 1 - index);
      return {
        decided: row?.decided ?? 0,
        medianSeconds: row?.median == null ? null : Math.round(row.median),
      };
    }),
  };
}

/** Of a request `r`: the last approval of its last revision took something away. */
const isNarrowed = `(r.state = 'approved' AND (
  SELECT v.verdict FROM decision_vote v JOIN request_revision n ON n.id = v.revision_id AND n.number = r.current_revision
   WHERE v.request_id = r.id AND v.verdict LIKE 'approve%' ORDER BY v.decided_at DESC LIMIT 1) = 'approve narrowed')`;

/** More than these no list is read to its end. */
const mostNarrowed = 5_000;

/** Which requests were approved narrowed since then, for a list of them. */
export async function findNarrowed(ctx: Pick<Ctx, 'db'>, since: Date): Promise<string[]> {
  const rows = await ctx.db.prisma.$queryRawUnsafe<{ id: string }[]>(
    `SELECT r.id FROM registration_request r WHERE r.decided_at > $1 AND ${isNarrowed}
      ORDER BY r.id DESC LIMIT ${mostNarrowed}`,
    since,
  );
  return rows.map((row) => row.id);
}
