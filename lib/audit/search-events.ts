import type pg from 'pg';
import type { Ctx } from '#lib/platform/ctx.ts';
import { decodeCursor, encodeCursor } from '#lib/platform/cursor.ts';
import { Forbidden, Invalid, LimitExceeded, Unauthenticated } from '#lib/platform/errors.ts';
import {
  containsPattern,
  type EventQuery,
  type FacetName,
  facetColumns,
  facetNames,
  requestNumberPattern,
  wordsQuery,
} from './event-query.ts';
import { idPattern } from './words.ts';

/** One line of history in a list. */
export type EventLine = {
  id: string;
  at: Date;
  kind: string;
  outcome: 'done' | 'refused';
  actorKind: string;
  actorId: string | null;
  actorName: string;
  subjectKind: string;
  subjectId: string;
  agentId: string | null;
  agentName: string | null;
  clientId: string | null;
  serverId: string | null;
  serverName: string | null;
  tool: string | null;
  requestRef: string | null;
  reason: string;
};

export type EventPage = { items: EventLine[]; olderCursor: string | null; newerCursor: string | null };

/** Counts are exact up to here; beyond it they say "more". */
export const countedEvents = 10_000;

/** Who may see which events: everything, or the lifelines of these agents. */
export type EventScope = { all: true } | { all: false; agentIds: string[] };

/**
 * Approvers, auditors and admins see all events; an owner sees the lifelines of their own agents and those of their
 * owner teams. Throws `Forbidden` for anyone else.
 */
export async function eventScope(ctx: Pick<Ctx, 'actor' | 'db'>): Promise<EventScope> {
  const { actor, db } = ctx;
  if (actor.kind === 'system') return { all: true };
  if (actor.kind !== 'person') throw new Unauthenticated();
  if (actor.roles.some((role) => role !== 'owner')) return { all: true };
  if (!actor.roles.includes('owner')) {
    throw new Forbidden('History needs a role. An admin can grant one under People.');
  }
  const { rows } = await db.hot.query<{ id: string }>(
    `SELECT id FROM agent WHERE owner_id = $1 OR owner_id IN (
       SELECT other.person_id FROM group_member mine
         JOIN person_group g ON g.id = mine.group_id AND g.kind = 'owner team'
         JOIN group_member other ON other.group_id = mine.group_id AND other.ended_at IS NULL
        WHERE mine.person_id = $1 AND mine.ended_at IS NULL)`,
    [actor.personId],
  );
  return { all: false, agentIds: rows.map((row) => row.id) };
}

/**
 * One thing a search can mean: a condition that indexes answer, and words of the log. How words are best found depends
 * on how often they stand in it (`areRare`).
 */
type Branch = { condition?: string; words?: string };
/** A search made ready: conditions every hit meets, and branches of which it meets one. */
type Plan = { conditions: string[]; branches: Branch[]; values: unknown[] };

class Values {
  readonly list: unknown[] = [];
  add(value: unknown): string {
    this.list.push(value);
    return `$${this.list.length}`;
  }
}

async function planSearch(
  ctx: Pick<Ctx, 'db'>,
  query: EventQuery,
  scope: EventScope,
  without?: FacetName,
): Promise<Plan> {
  const values = new Values();
  const conditions: string[] = [];
  if (!scope.all) conditions.push(`agent_id = ANY (${values.add(scope.agentIds)})`);
  for (const facet of facetNames) {
    const chosen = query[facet];
    if (facet === without || chosen.length === 0) continue;
    // A single value as an equation: the planner then knows that the index has the order, too.
    conditions.push(
      chosen.length === 1
        ? `${facetColumns[facet]} = ${values.add(chosen[0])}`
        : `${facetColumns[facet]} = ANY (${values.add(chosen)})`,
    );
  }
  if (query.from) conditions.push(`at >= ${values.add(query.from)}`);
  if (query.to) conditions.push(`at < ${values.add(query.to)}`);
  const branches = query.q === '' ? [{}] : await textBranches(ctx, query.q, values);
  return { conditions, branches, values: values.list };
}

/** Columns an id can stand in; each has an index. */
const idColumns = [
  'id',
  'subject_id',
  'actor_id',
  'agent_id',
  'client_id',
  'server_id',
  'request_ref',
  'trace_id',
];

const resolvedPerTable = 50;
const maxTextBranches = 6;

/**
 * What free text can mean, each alternative answerable from an index: words of the log, an id in any column, or names,
 * which are looked up in the small tables they live in. No pattern is ever matched against the log itself.
 */
async function textBranches(ctx: Pick<Ctx, 'db'>, q: string, values: Values): Promise<Branch[]> {
  const terms = q.split(/\s+/).slice(0, 8);
  const only = terms.length === 1 ? (terms[0] as string) : null;
  if (only && idPattern.test(only)) {
    const id = values.add(only);
    return idColumns.map((column) => ({ condition: `${column} = ${id}` }));
  }
  const number = only ? requestNumberPattern.exec(only)?.[1] : undefined;
  if (number) {
    const { rows } = await ctx.db.hot.query<{ id: string }>(
      'SELECT id FROM registration_request WHERE number = $1',
      [Number(number)],
    );
    return [{ condition: `request_ref = ${values.add(rows[0]?.id ?? '')}` }];
  }
  const branches: Branch[] = [];
  const words = wordsQuery(terms);
  if (words) branches.push({ words: values.add(words) });
  // The whole text as one name, then each word as a name with the others as words of the log.
  const candidates = [q, ...(terms.length > 1 ? terms.filter((term) => term.length >= 3) : [])];
  const found = await resolveNames(ctx, candidates);
  for (const { text, column, ids } of found) {
    if (branches.length >= maxTextBranches) break;
    const rest = text === q ? null : wordsQuery(terms.filter((term) => term !== text));
    branches.push({
      condition: `${column} = ANY (${values.add(ids)})`,
      ...(rest ? { words: values.add(rest) } : {}),
    });
  }
  return branches.length > 0 ? branches : [{ condition: 'false' }];
}

async function resolveNames(
  ctx: Pick<Ctx, 'db'>,
  texts: readonly string[],
): Promise<{ text: string; column: string; ids: string[] }[]> {
  const { rows } = await ctx.db.hot.query<{ text: string; column: string; ids: string[] }>(
    `SELECT t.text, found.column, array_agg(found.id) AS ids
       FROM unnest($1::text[], $2::text[]) AS t(text, pattern)
       CROSS JOIN LATERAL (
         (SELECT 'agent_id' AS column, id FROM agent WHERE name ILIKE t.pattern LIMIT ${resolvedPerTable})
         UNION ALL
         (SELECT 'client_id', id FROM client WHERE name ILIKE t.pattern LIMIT ${resolvedPerTable})
         UNION ALL
         (SELECT 'actor_id', id FROM person WHERE display_name ILIKE t.pattern LIMIT ${resolvedPerTable})
         UNION ALL
         (SELECT 'server_id', id FROM mcp_server WHERE name ILIKE t.pattern LIMIT ${resolvedPerTable})
       ) found GROUP BY t.text, found.column`,
    [texts, texts.map(containsPattern)],
  );
  return rows.sort((a, b) => texts.indexOf(a.text) - texts.indexOf(b.text));
}

type Direction = 'older' | 'newer';

/** Events next in order that are read to see how often words stand in them: some 20 ms. */
const sampledEvents = 20_000;
/** To find an event by its word's index and fetch it costs what walking past this many costs; see decision 20. */
const walkedPerFetched = 40;

/**
 * Which of several things a search can mean are rare: all their hits are found by the index of words and ordered
 * afterwards. Others are found by walking through time until there are `limit`. The one costs what there are of them, the
 * other what lies between them, and PostgreSQL's statistics know neither for a word's beginning or for two words
 * together: a wrong guess reads millions of events. So the next ones are looked at, once for all meanings, and the
 * cheaper way is taken for what stands in the whole log as often as in these.
 */
async function areRare(
  ctx: Pick<Ctx, 'db'>,
  meanings: readonly string[],
  { conditions, values }: { conditions: readonly string[]; values: readonly unknown[] },
  limit: number,
  order: string,
): Promise<boolean[]> {
  const counts = meanings.map((meaning) => `count(*) FILTER (WHERE ${meaning})::int`);
  const [seen] = await runSearch<{ read: number; hits: number[]; all: number }>(
    ctx.db.search,
    `SELECT count(*)::int AS read, ARRAY[${counts.join(', ')}] AS hits,
       (SELECT greatest(reltuples, 1) FROM pg_class WHERE oid = 'audit_event'::regclass) AS all
       FROM (SELECT * FROM audit_event ${whereAll(conditions)} ORDER BY ${order} LIMIT ${sampledEvents}) next`,
    values,
  );
  const { read = 0, hits = [], all = 1 } = seen ?? {};
  const share = Math.sqrt(limit / (all * walkedPerFetched));
  // Fewer read than asked for: these are all there are.
  return meanings.map((_, index) => {
    const found = hits[index] ?? 0;
    return read === sampledEvents && found < limit && found / read < share;
  });
}

function whereAll(conditions: readonly string[]): string {
  return conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
}

/** The statement that finds the first `limit` hits in one direction; `columns` come from the log. */
async function hitsSql(
  ctx: Pick<Ctx, 'db'>,
  plan: Plan,
  columns: string,
  limit: number,
  { direction, keyset }: { direction: Direction; keyset: string | null } = {
    direction: 'older',
    keyset: null,
  },
): Promise<string> {
  const order = direction === 'older' ? 'at DESC, id DESC' : 'at, id';
  const conditions = [...plan.conditions, ...(keyset ? [keyset] : [])];
  const meanings = plan.branches.map(({ condition, words }) => ({
    hit: [...(condition ? [condition] : []), ...(words ? [`words @@ ${words}::tsquery`] : [])].join(' AND '),
    hasWords: words !== undefined,
  }));
  const ofWords = meanings.filter(({ hasWords }) => hasWords).map(({ hit }) => hit);
  const looked =
    ofWords.length > 0 ? await areRare(ctx, ofWords, { conditions, values: plan.values }, limit, order) : [];
  const rare = new Set(ofWords.filter((_, index) => looked[index]));
  const branches = meanings.map(({ hit, hasWords }) => {
    const all = hit ? [...conditions, hit] : conditions;
    if (rare.has(hit)) {
      // No index has this order, so none is walked for it.
      const afterwards = order.replace('at', "at + interval '0'");
      return `(SELECT ${columns} FROM audit_event ${whereAll(all)} ORDER BY ${afterwards} LIMIT ${limit})`;
    }
    // Behind OFFSET the words are looked at on the walk only, whatever PostgreSQL believes of them.
    const from = hasWords
      ? `(SELECT * FROM audit_event ${whereAll(conditions)} ORDER BY ${order} OFFSET 0) walk WHERE ${hit}`
      : `audit_event ${whereAll(all)}`;
    return `(SELECT ${columns} FROM ${from} ORDER BY ${order} LIMIT ${limit})`;
  });
  const hits = branches.join(' UNION ');
  return branches.length === 1 ? hits : `(SELECT * FROM (${hits}) u ORDER BY ${order} LIMIT ${limit})`;
}

const lineColumns =
  'id, at, kind, outcome, actor_kind, actor_id, actor_name, subject_kind, subject_id, agent_id, client_id, server_id, tool, request_ref, reason';

type LineRow = {
  id: string;
  at: Date;
  kind: string;
  outcome: 'done' | 'refused';
  actor_kind: string;
  actor_id: string | null;
  actor_name: string;
  subject_kind: string;
  subject_id: string;
  agent_id: string | null;
  agent_name: string | null;
  client_id: string | null;
  server_id: string | null;
  server_name: string | null;
  tool: string | null;
  request_ref: string | null;
  reason: string;
};

/**
 * One page of history, newest first. `cursor` comes from a page before and carries its direction; pages are found by
 * key, so the thousandth costs what the first does. Throws `LimitExceeded` for a search that takes too long.
 */
export async function searchEvents(
  ctx: Ctx,
  query: EventQuery,
  page: { limit: number; cursor?: string | undefined },
): Promise<EventPage> {
  const limit = Math.min(Math.max(1, page.limit), 200);
  const key = decodeCursor(page.cursor, 3);
  const direction: Direction = key?.[0] === 'newer' ? 'newer' : 'older';
  const plan = await planSearch(ctx, query, await eventScope(ctx));
  const values = [...plan.values];
  let keyset: string | null = null;
  if (key) {
    const at = new Date(key[1] as string);
    if (Number.isNaN(at.getTime())) {
      throw new Invalid('This cursor is not one of ours. Start again without it.', {
        issues: [{ path: 'cursor', message: 'not a cursor of this list' }],
      });
    }
    values.push(at, key[2]);
    keyset = `(at, id) ${direction === 'older' ? '<' : '>'} ($${values.length - 1}, $${values.length})`;
  }
  const hits = await hitsSql(ctx, { ...plan, values }, lineColumns, limit + 1, { direction, keyset });
  const rows = await runSearch<LineRow>(
    ctx.db.search,
    `SELECT h.*, a.name AS agent_name, s.name AS server_name
       FROM (${hits}) h
       LEFT JOIN agent a ON a.id = h.agent_id LEFT JOIN mcp_server s ON s.id = h.server_id
      ORDER BY h.at ${direction === 'older' ? 'DESC' : ''}, h.id ${direction === 'older' ? 'DESC' : ''}`,
    values,
  );
  const more = rows.length > limit;
  const kept = rows.slice(0, limit);
  if (direction === 'newer') kept.reverse();
  const items = kept.map(toLine);
  const cursorOf = (line: EventLine | undefined, to: Direction) =>
    line ? encodeCursor([to, line.at.toISOString(), line.id]) : null;
  // The page this one was reached from lies on the other side.
  const hasOlder = direction === 'older' ? more : true;
  const hasNewer = direction === 'newer' ? more : key !== null;
  return {
    items,
    olderCursor: hasOlder ? cursorOf(items.at(-1), 'older') : null,
    newerCursor: hasNewer ? cursorOf(items[0], 'newer') : null,
  };
}

/** The cursor of everything newer than a line: what the "new" bar of a list counts. */
export function newerThan(line: Pick<EventLine, 'at' | 'id'>): string {
  return encodeCursor(['newer', new Date(line.at).toISOString(), line.id]);
}

function toLine(row: LineRow): EventLine {
  return {
    id: row.id,
    at: row.at,
    kind: row.kind,
    outcome: row.outcome,
    actorKind: row.actor_kind,
    actorId: row.actor_id,
    actorName: row.actor_name,
    subjectKind: row.subject_kind,
    subjectId: row.subject_id,
    agentId: row.agent_id,
    agentName: row.agent_name,
    clientId: row.client_id,
    serverId: row.server_id,
    serverName: row.server_name,
    tool: row.tool,
    requestRef: row.request_ref,
    reason: row.reason,
  };
}

export type FacetCount = { value: string; label: string; count: number };
export type EventSummary = {
  /** How many events match, exact up to `countedEvents`. */
  total: number;
  /** There are more than were counted: counts are of the newest `countedEvents`. */
  more: boolean;
  facets: Record<FacetSummary, FacetCount[]>;
  /** Equal spans of time between the first and last of what was counted. */
  histogram: { from: Date; to: Date; counts: number[] } | null;
};

/** Facets shown with counts; subject and request narrow, but have as many values as events. */
const countedFacets = ['kind', 'outcome', 'actor', 'agent', 'client', 'server', 'tool'] as const;
export type FacetSummary = (typeof countedFacets)[number];

const facetValues = 40;
const histogramBuckets = 60;
const summaryColumns = 'id, at, kind, outcome, actor_id, actor_name, agent_id, client_id, server_id, tool';

/** Counts of a search: how many, by what, and when. */
export async function summariseEvents(ctx: Ctx, query: EventQuery): Promise<EventSummary> {
  const scope = await eventScope(ctx);
  const plan = await planSearch(ctx, query, scope);
  const hits = await hitsSql(ctx, plan, summaryColumns, countedEvents + 1);
  const [row] = await runSearch<{
    total: number;
    from: Date | null;
    to: Date | null;
    buckets: number[] | null;
    facets: { facet: FacetSummary; value: string; name: string | null; count: number }[] | null;
  }>(
    ctx.db.search,
    `WITH hits AS MATERIALIZED (${hits}),
      span AS (SELECT min(at) AS first, max(at) AS last, count(*)::int AS total FROM hits),
      buckets AS (
        SELECT n, coalesce(c.count, 0) AS count FROM generate_series(0, ${histogramBuckets - 1}) n
        LEFT JOIN (SELECT least(${histogramBuckets - 1}, floor(extract(epoch FROM at - span.first)
            / greatest(0.001, extract(epoch FROM span.last - span.first)) * ${histogramBuckets})::int) AS bucket, count(*)::int
          FROM hits, span GROUP BY 1) c ON c.bucket = n),
      counted AS (${facetCountsSql(countedFacets)})
     SELECT span.total, span.first AS from, span.last AS to,
       (SELECT array_agg(count ORDER BY n) FROM buckets) AS buckets,
       (SELECT json_agg(counted) FROM counted) AS facets FROM span`,
    plan.values,
  );
  const counts = new Map<FacetSummary, { value: string; name: string | null; count: number }[]>();
  for (const entry of row?.facets ?? []) {
    counts.set(entry.facet, [...(counts.get(entry.facet) ?? []), entry]);
  }
  // What a chosen property's other values would add is asked without it.
  for (const facet of countedFacets) {
    if (query[facet].length === 0) continue;
    const wider = await planSearch(ctx, query, scope, facet);
    const rows = await runSearch<{ value: string; name: string | null; count: number }>(
      ctx.db.search,
      `WITH hits AS MATERIALIZED (${await hitsSql(ctx, wider, summaryColumns, countedEvents + 1)})
       ${facetCountsSql([facet])}`,
      wider.values,
    );
    const missing = query[facet].filter((value) => !rows.some((entry) => entry.value === value));
    counts.set(facet, [...rows, ...missing.map((value) => ({ value, name: null, count: 0 }))]);
  }
  const labels = await labelsOf(ctx, counts);
  const total = row?.total ?? 0;
  return {
    total: Math.min(total, countedEvents),
    more: total > countedEvents,
    facets: Object.fromEntries(
      countedFacets.map((facet) => [
        facet,
        (counts.get(facet) ?? [])
          .sort((a, b) => b.count - a.count || a.value.localeCompare(b.value))
          .map(({ value, name, count }) => ({ value, label: labels.get(value) ?? (name || value), count })),
      ]),
    ) as EventSummary['facets'],
    histogram: row?.from && row.to ? { from: row.from, to: row.to, counts: row.buckets ?? [] } : null,
  };
}

/** Reads `hits` once for every property; at most `facetValues` of each. */
function facetCountsSql(facets: readonly FacetSummary[]): string {
  return facets
    .map(
      (facet) => `(SELECT '${facet}' AS facet, ${facetColumns[facet]} AS value,
        ${facet === 'actor' ? 'max(actor_name)' : 'NULL'} AS name, count(*)::int AS count
        FROM hits WHERE ${facetColumns[facet]} IS NOT NULL GROUP BY ${facetColumns[facet]}
        ORDER BY count(*) DESC LIMIT ${facetValues})`,
    )
    .join(' UNION ALL ');
}

async function labelsOf(
  ctx: Pick<Ctx, 'db'>,
  counts: ReadonlyMap<FacetSummary, readonly { value: string }[]>,
): Promise<Map<string, string>> {
  const ids = (facet: FacetSummary) => (counts.get(facet) ?? []).map((entry) => entry.value);
  const { rows } = await ctx.db.hot.query<{ id: string; name: string }>(
    `SELECT id, name FROM agent WHERE id = ANY ($1)
     UNION ALL SELECT id, name FROM client WHERE id = ANY ($2) AND name <> ''
     UNION ALL SELECT id, name FROM mcp_server WHERE id = ANY ($3)
     UNION ALL SELECT id, display_name FROM person WHERE id = ANY ($4)`,
    [ids('agent'), ids('client'), ids('server'), ids('actor')],
  );
  return new Map(rows.map((row) => [row.id, row.name]));
}

/** Runs a search with those of the values its text names; PostgreSQL refuses others. */
async function runSearch<Row extends pg.QueryResultRow>(
  pool: pg.Pool,
  sql: string,
  values: readonly unknown[],
): Promise<Row[]> {
  const named = new Map<string, string>();
  const text = sql.replaceAll(/\$\d+/g, (name) => {
    const renamed = named.get(name) ?? `$${named.size + 1}`;
    named.set(name, renamed);
    return renamed;
  });
  try {
    return (
      await pool.query<Row>(
        text,
        [...named.keys()].map((name) => values[Number(name.slice(1)) - 1]),
      )
    ).rows;
  } catch (error) {
    // The pool's statement_timeout: a search that would read half the log is refused, not waited for.
    if ((error as { code?: string }).code === '57014') {
      throw new LimitExceeded('This search takes too long. Narrow the time or add a filter.', {
        retryAfterSeconds: 1,
      });
    }
    throw error;
  }
}
