import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { checkInclusion, type Inclusion } from './proofs.ts';
import { eventColumns } from './record.ts';
import { eventScope } from './search-events.ts';
import { digestOfRow } from './verify.ts';

export type LinkedEvent = {
  id: string;
  at: string;
  kind: string;
  outcome: 'done' | 'refused';
  actorName: string;
  subjectKind: string;
  subjectId: string;
};

export type EventDetail = {
  /** Every column the digest covers, and the digest, under the names of the record. */
  record: Record<string, unknown>;
  names: { agent: string | null; client: string | null; server: string | null; request: string | null };
  inclusion: Inclusion;
  /** What caused it, oldest first, followed up to the beginning. */
  ancestors: LinkedEvent[];
  /** What it caused, oldest first. */
  children: LinkedEvent[];
  /** Columns kept from this reader; without them the digest cannot be recomputed. */
  withheld: string[];
};

const maxAncestors = 30;
const maxChildren = 50;
/** Later events of the same agent, client or request that are looked through for children. */
const lookedThrough = 20_000;
const linkColumns = `id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, kind, outcome,
  actor_name AS "actorName", subject_kind AS "subjectKind", subject_id AS "subjectId"`;

/** One event with its place in the log and its neighbours. `NotFound` for what the reader may not see. */
export async function readEvent(ctx: Ctx, eventId: string): Promise<EventDetail> {
  const scope = await eventScope(ctx);
  const { rows } = await ctx.db.hot.query<{ event: Record<string, unknown> }>(
    `SELECT to_jsonb(e) - 'words' - 'arrival' AS event FROM audit_event e WHERE id = $1 AND ($2::text[] IS NULL OR agent_id = ANY ($2))`,
    [eventId, scope.all ? null : scope.agentIds],
  );
  const event = rows[0]?.event;
  if (!event) throw new NotFound();
  const [inclusion, links, names] = await Promise.all([
    checkInclusion(ctx, eventId, { stored: String(event.digest), computed: digestOfRow(event) }),
    readLinks(ctx, event, scope.all ? null : scope.agentIds),
    readNames(ctx, event),
  ]);
  // What others did to an agent is its owner's business; where they sat and in which session is not.
  const own = ctx.actor.kind === 'person' && event.actor_id === ctx.actor.personId;
  const withheld = scope.all || own ? [] : ['address', 'session_id'];
  const record = Object.fromEntries(
    eventColumns
      .filter((column) => !withheld.includes(column))
      .map((column) => [column, event[column] ?? null]),
  );
  record.at = new Date(String(event.at)).toISOString();
  return { record, names, inclusion, ...links, withheld };
}

async function readLinks(ctx: Pick<Ctx, 'db'>, event: Record<string, unknown>, agentIds: string[] | null) {
  const visible = '($2::text[] IS NULL OR agent_id = ANY ($2))';
  const [ancestors, children] = await Promise.all([
    ctx.db.hot.query<LinkedEvent>(
      `WITH RECURSIVE up AS (
         SELECT e.id, e.parent_ids, 1 AS depth FROM audit_event e WHERE e.id = ANY ($1::text[])
         UNION
         SELECT e.id, e.parent_ids, up.depth + 1 FROM up JOIN audit_event e ON e.id = ANY (up.parent_ids)
          WHERE up.depth < 12)
       SELECT ${linkColumns} FROM audit_event WHERE id IN (SELECT id FROM up LIMIT ${maxAncestors}) AND ${visible} ORDER BY audit_event.at, id`,
      [event.parent_ids, agentIds],
    ),
    ctx.db.hot.query<LinkedEvent>(
      `WITH later AS (
         ${['agent_id', 'client_id', 'request_ref', 'subject_id']
           .map(
             (column, index) =>
               `(SELECT id, at, parent_ids FROM audit_event WHERE ${column} = $${index + 4} AND at >= $3 ORDER BY at, id LIMIT ${lookedThrough})`,
           )
           .join(' UNION ALL ')}
       )
       SELECT ${linkColumns} FROM audit_event
        WHERE id IN (SELECT id FROM later WHERE parent_ids @> ARRAY[$1::text]) AND ${visible} ORDER BY audit_event.at, id LIMIT ${maxChildren}`,
      [event.id, agentIds, event.at, event.agent_id, event.client_id, event.request_ref, event.subject_id],
    ),
  ]);
  return { ancestors: ancestors.rows, children: children.rows };
}

async function readNames(
  ctx: Pick<Ctx, 'db'>,
  event: Record<string, unknown>,
): Promise<EventDetail['names']> {
  const { rows } = await ctx.db.hot.query<EventDetail['names']>(
    `SELECT (SELECT name FROM agent WHERE id = $1) AS agent, (SELECT name FROM client WHERE id = $2) AS client,
       (SELECT name FROM mcp_server WHERE id = $3) AS server,
       (SELECT 'CS-' || number FROM registration_request WHERE id = $4) AS request`,
    [event.agent_id, event.client_id, event.server_id, event.request_ref],
  );
  return rows[0] ?? { agent: null, client: null, server: null, request: null };
}

/** What the badge of the audit page says: the newest verification, and how far the log has come since. */
export type Integrity = {
  verification: {
    outcome: 'intact' | 'broken';
    size: number;
    finishedAt: Date;
    firstBadPosition: number | null;
    problem: string;
  } | null;
  head: { size: number; signedAt: Date } | null;
};

export async function readIntegrity(ctx: Ctx): Promise<Integrity> {
  await eventScope(ctx);
  const [verification, head] = await Promise.all([
    ctx.db.prisma.auditVerification.findFirst({ orderBy: { finishedAt: 'desc' } }),
    ctx.db.prisma.auditCheckpoint.findFirst({
      orderBy: { size: 'desc' },
      select: { size: true, signedAt: true },
    }),
  ]);
  return {
    verification: verification && {
      outcome: verification.outcome === 'broken' ? 'broken' : 'intact',
      size: Number(verification.size),
      finishedAt: verification.finishedAt,
      firstBadPosition: verification.firstBadPosition === null ? null : Number(verification.firstBadPosition),
      problem: verification.problem,
    },
    head: head && { size: Number(head.size), signedAt: head.signedAt },
  };
}
