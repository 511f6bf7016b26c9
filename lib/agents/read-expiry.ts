import { z } from 'zod';
import { hasRole, requireRole } from '#lib/access/require.ts';
import { roles } from '#lib/platform/actor.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { decodeCursor, toPage } from '#lib/platform/cursor.ts';
import { Invalid } from '#lib/platform/errors.ts';
import { queryDay, queryText } from '#lib/platform/query-text.ts';
import { ownersVisibleTo } from './visibility.ts';

const daySeconds = 24 * 3600;
/** Thirteen whole weeks. */
export const expiryDays = 91;
/** More lanes nobody compares; the others are told together. */
const mostLanes = 12;

export const expirySorts = ['ends', '-ends', 'agent', '-agent'] as const;
export const expiryLanes = ['owner', 'server', 'risk'] as const;

export const expiryQuery = z.object({
  by: z.enum(expiryLanes).default('owner').meta({ description: 'What the lanes of the timeline are.' }),
  from: queryDay.optional().meta({ description: 'First day of the list, in UTC. Today unless told.' }),
  to: queryDay
    .optional()
    .meta({ description: 'Last day of the list, in UTC. The last day of the timeline unless told.' }),
  ownerId: queryText.max(64).optional(),
  serverId: queryText.max(64).optional(),
  risk: z.enum(['low', 'medium', 'high']).optional().meta({ description: 'The highest risk of its tools.' }),
  sort: z.enum(expirySorts).default('ends'),
  cursor: z.string().max(600).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(50),
});
export type ExpiryQuery = z.output<typeof expiryQuery>;

const named = z.object({ id: z.string(), name: z.string() });
const risk = z.enum(['low', 'medium', 'high']);

export const endingApprovalSchema = z
  .object({
    bindingId: z.string(),
    agent: named.extend({ state: z.string() }),
    owner: named,
    server: named,
    toolCount: z.int(),
    risk,
    endsAt: z.string(),
    neverUsed: z
      .boolean()
      .meta({ description: 'It ends because nobody used it in time; a first use starts its own clock.' }),
    mayAsk: z
      .boolean()
      .meta({ description: 'You may ask for more time: you own the agent or stand in for its owner.' }),
  })
  .meta({ id: 'EndingApproval' });

const lane = z.object({
  value: z.string().nullable().meta({ description: 'Null for all lanes that have none of their own.' }),
  label: z.string(),
  total: z.int(),
  days: z.array(z.object({ day: z.int(), count: z.int() })),
});
export type ExpiryLane = z.output<typeof lane>;

export const expirySchema = z
  .object({
    today: z.string().meta({ description: 'Midnight in UTC that day 0 begins with.' }),
    days: z.int(),
    lanes: z.array(lane),
    /** In the whole timeline, whatever range the list is narrowed to. */
    total: z.int(),
    later: z.int(),
    list: z.object({
      items: z.array(endingApprovalSchema),
      nextCursor: z.string().nullable(),
      total: z.int(),
      agents: z.int(),
    }),
  })
  .meta({ id: 'Expiry' });
export type Expiry = z.output<typeof expirySchema>;
export type EndingApproval = z.output<typeof endingApprovalSchema>;

/** When a binding `b` ends: the expression of the index tool_binding_ends, and what `bindingStateAt` computes. */
export const endsAt = '(CASE WHEN b.first_issued_at IS NULL THEN b.unused_ends_at ELSE b.expires_at END)';
const riskRank = `(SELECT max(CASE v.risk WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END)
  FROM tool_version v WHERE v.id = ANY (b.tool_version_ids))`;
const riskWords = ['low', 'medium', 'high'] as const;

/** $1 owners whose agents the person sees, null for all · $2 the person · $3 owner · $4 server · $5 rank of risk. */
const due = `tool_binding b JOIN agent a ON a.id = b.agent_id
  WHERE b.ended_at IS NULL AND a.state IN ('active', 'suspended')
    AND ($1::text[] IS NULL OR a.owner_id = ANY ($1) OR a.deputy_id = $2)
    AND ($3::text IS NULL OR a.owner_id = $3) AND ($4::text IS NULL OR b.server_id = $4)
    AND ($5::int IS NULL OR coalesce(${riskRank}, 2) = $5)`;

/** What a lane of each sort is told by. Nothing a caller sends becomes part of a statement. */
const laneOf: Record<ExpiryQuery['by'], { value: string; label: string }> = {
  owner: { value: 'a.owner_id', label: '(SELECT display_name FROM person WHERE id = lane)' },
  server: { value: 'b.server_id', label: '(SELECT name FROM mcp_server WHERE id = lane)' },
  risk: { value: `coalesce(${riskRank}, 2)::text`, label: 'lane' },
};

const orders: Record<ExpiryQuery['sort'], { by: string; cast: string; beyond: '<' | '>' }> = {
  ends: { by: endsAt, cast: 'timestamptz', beyond: '>' },
  '-ends': { by: endsAt, cast: 'timestamptz', beyond: '<' },
  agent: { by: 'a.name', cast: 'text', beyond: '>' },
  '-agent': { by: 'a.name', cast: 'text', beyond: '<' },
};

type Cell = { lane: string | null; label: string | null; day: number; count: number; total: number };
type Row = {
  id: string;
  agentId: string;
  agentName: string;
  agentState: string;
  ownerId: string;
  ownerName: string;
  deputyId: string | null;
  serverId: string;
  serverName: string;
  toolCount: number;
  risk: number | null;
  endsAt: Date;
  neverUsed: boolean;
};

/**
 * Which approvals end when: counted per day and lane over thirteen weeks, and as a list, a page at a time. An approval
 * is what one agent holds on one server; it ends by its clock, or unused by its own date. Owners see their own, their
 * team's, and those of agents they stand in for; others all. Days are days in UTC.
 */
export async function readExpiry(ctx: Ctx, query: ExpiryQuery): Promise<Expiry> {
  const person = requireRole(ctx, ...roles);
  const owners = await ownersVisibleTo(ctx.db.prisma, ctx);
  const now = ctx.clock.now();
  const today = new Date(`${now.toISOString().slice(0, 10)}T00:00:00Z`);
  const horizon = addSeconds(today, expiryDays * daySeconds);
  const scope = [
    owners === 'all' ? null : [...owners],
    person.personId,
    query.ownerId ?? null,
    query.serverId ?? null,
    query.risk ? riskWords.indexOf(query.risk) : null,
  ];
  const from = query.from ? dayStart(query.from) : now;
  const to = query.to ? addSeconds(dayStart(query.to), daySeconds) : horizon;
  const [cells, later, sums, rows] = await Promise.all([
    ask<Cell>(ctx, cellsSql(query.by), [...scope, now, horizon, today]),
    ask<{ count: number }>(ctx, `SELECT count(*)::int AS count FROM ${due} AND ${endsAt} >= $6`, [
      ...scope,
      horizon,
    ]),
    ask<{ total: number; agents: number }>(
      ctx,
      `SELECT count(*)::int AS total, count(DISTINCT b.agent_id)::int AS agents
         FROM ${due} AND ${endsAt} > $6 AND ${endsAt} >= $7 AND ${endsAt} < $8`,
      [...scope, now, from, to],
    ),
    ask<Row>(ctx, rowsSql(query), [...scope, now, from, to, query.limit + 1, ...keyOf(query)]),
  ]);
  const page = toPage(rows, query.limit, (row) => [
    query.sort.endsWith('agent') ? row.agentName : row.endsAt.toISOString(),
    row.id,
  ]);
  return {
    today: today.toISOString(),
    days: expiryDays,
    lanes: toLanes(cells, query.by),
    total: cells.reduce((sum, cell) => sum + cell.count, 0),
    later: later[0]?.count ?? 0,
    list: {
      items: page.items.map((row) => toItem(row, hasRole(person, 'owner') ? person.personId : null)),
      nextCursor: page.nextCursor,
      total: sums[0]?.total ?? 0,
      agents: sums[0]?.agents ?? 0,
    },
  };
}

function dayStart(text: string): Date {
  return new Date(`${text}T00:00:00Z`);
}

/** $6 now, $7 horizon, $8 today. The fullest lanes by themselves, the others in one. */
function cellsSql(by: ExpiryQuery['by']): string {
  const { value, label } = laneOf[by];
  return `WITH cell AS MATERIALIZED (
      SELECT ${value} AS lane, floor(extract(epoch FROM ${endsAt} - $8::timestamptz) / ${daySeconds})::int AS day,
             count(*)::int AS count
        FROM ${due} AND ${endsAt} > $6 AND ${endsAt} < $7 GROUP BY 1, 2
    ), lanes AS (
      SELECT lane, sum(count)::int AS total FROM cell GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ${mostLanes}
    ), told AS (
      SELECT l.lane, c.day, sum(c.count)::int AS count, coalesce(l.total, 0) AS total
        FROM cell c LEFT JOIN lanes l USING (lane) GROUP BY l.lane, c.day, l.total
    )
    SELECT lane, ${label} AS label, day, count, total FROM told ORDER BY total DESC, lane, day`;
}

/** $6 now, $7 from, $8 to, $9 limit, $10 and $11 where the page before ended. */
function rowsSql({ sort, cursor }: ExpiryQuery): string {
  const { by, cast, beyond } = orders[sort];
  const direction = beyond === '>' ? 'ASC' : 'DESC';
  const keyset = cursor === undefined ? '' : `AND (${by}, b.id) ${beyond} ($10::${cast}, $11)`;
  return `SELECT p.*, o.display_name AS "ownerName", s.name AS "serverName"
      FROM (SELECT b.id, a.id AS "agentId", a.name AS "agentName", a.state AS "agentState", a.owner_id AS "ownerId",
                   a.deputy_id AS "deputyId", b.server_id AS "serverId", cardinality(b.tool_names) AS "toolCount",
                   ${riskRank} AS risk, ${endsAt} AS "endsAt", b.first_issued_at IS NULL AS "neverUsed",
                   row_number() OVER (ORDER BY ${by} ${direction}, b.id ${direction}) AS place
              FROM ${due} AND ${endsAt} > $6 AND ${endsAt} >= $7 AND ${endsAt} < $8 ${keyset}
             ORDER BY ${by} ${direction}, b.id ${direction} LIMIT $9) p
      JOIN person o ON o.id = p."ownerId" JOIN mcp_server s ON s.id = p."serverId" ORDER BY p.place`;
}

function keyOf({ sort, cursor }: ExpiryQuery): unknown[] {
  const key = decodeCursor(cursor, 2);
  if (!key) return [];
  const [value = '', id = ''] = key;
  if (!sort.endsWith('agent') && Number.isNaN(Date.parse(value))) {
    throw new Invalid('This cursor is not one of ours. Start again without it.', {
      issues: [{ path: 'cursor', message: 'not a cursor of this list' }],
    });
  }
  return [value, id];
}

function toLanes(cells: readonly Cell[], by: ExpiryQuery['by']): ExpiryLane[] {
  const lanes = [...Map.groupBy(cells, (cell) => cell.lane)].map(([value, own]): ExpiryLane => {
    const word = by === 'risk' && value !== null ? (riskWords[Number(value)] ?? 'high') : value;
    return {
      value: word,
      label: value === null ? 'Others' : by === 'risk' ? (word ?? '') : (own[0]?.label ?? value),
      total: own.reduce((sum, cell) => sum + cell.count, 0),
      days: own.map(({ day: at, count }) => ({ day: at, count })),
    };
  });
  const isLast = (each: ExpiryLane) => (each.value === null ? 1 : 0);
  return by === 'risk'
    ? lanes.sort((a, b) => riskWords.indexOf(b.value as 'low') - riskWords.indexOf(a.value as 'low'))
    : lanes.sort((a, b) => isLast(a) - isLast(b) || b.total - a.total);
}

function toItem(row: Row, ownerPersonId: string | null): EndingApproval {
  return {
    bindingId: row.id,
    agent: { id: row.agentId, name: row.agentName, state: row.agentState },
    owner: { id: row.ownerId, name: row.ownerName },
    server: { id: row.serverId, name: row.serverName },
    toolCount: row.toolCount,
    risk: riskWords[row.risk ?? 2] ?? 'high',
    endsAt: row.endsAt.toISOString(),
    neverUsed: row.neverUsed,
    mayAsk:
      ownerPersonId !== null &&
      row.agentState === 'active' &&
      (row.ownerId === ownerPersonId || row.deputyId === ownerPersonId),
  };
}

/**
 * Asks by statements made of the fixed parts above. Not on the pool of searches: pages must not wait for somebody who
 * searches. Planned for these very values: for an owner it begins at their agents, for an admin at the days.
 */
function ask<Result>(ctx: Ctx, sql: string, values: unknown[]): Promise<Result[]> {
  return ctx.db.prisma.$queryRawUnsafe<Result[]>(sql, ...values);
}
