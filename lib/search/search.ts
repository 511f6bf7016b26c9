import { z } from 'zod';
import { requireToken } from '#lib/access/rate-limit.ts';
import { requireRole } from '#lib/access/require.ts';
import { ownersVisibleTo } from '#lib/agents/visibility.ts';
import { type EventKind, eventCatalogue } from '#lib/audit/catalogue.ts';
import { leafHashOf } from '#lib/audit/merkle.ts';
import { eventScope } from '#lib/audit/search-events.ts';
import { idPattern, splitWords } from '#lib/audit/words.ts';
import { roles } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { LimitExceeded } from '#lib/platform/errors.ts';
import { queryText } from '#lib/platform/query-text.ts';

export const foundKinds = ['agent', 'client', 'request', 'server', 'tool', 'person', 'event'] as const;
export type FoundKind = (typeof foundKinds)[number];

export const foundSchema = z
  .object({
    kind: z.enum(foundKinds),
    id: z.string(),
    label: z.string().meta({ description: 'Its name, often written by somebody else. Show it as text.' }),
    detail: z.string().meta({ description: 'What tells it from others of that name. Show it as text.' }),
    state: z.string().nullable(),
    /** Of a tool, its server. */
    parentId: z.string().nullable(),
  })
  .meta({ id: 'Found' });
export type Found = z.output<typeof foundSchema>;

const mostPerKind = 8;
const mostIds = 12;
/** Of what has a word, this many are looked at to find the best few: a word half the names begin with is no search. */
const candidates = 200;
const maxWords = 8;
/** A hand on the keys asks some three times a second, after the pause the console makes; programs wait. */
const typing = { capacity: 60, refillSeconds: 0.25 };
const timeoutMs = 1_000;

export const searchQuery = z.object({
  q: queryText.trim().max(1_000).default('').meta({
    description:
      'Beginnings of words in a name, or as a whole: an id, a client_id, the URL of a server, CS-12, or the digest of an event.',
  }),
  id: z
    .array(queryText.max(1_000))
    .max(mostIds)
    .default([])
    .meta({ description: `Things by their ids, at most ${mostIds}: those of them that may be seen.` }),
});
export type SearchQuery = z.output<typeof searchQuery>;

/**
 * Whatever the text can mean to this person: agents, clients, requests, servers, tools, people and events, at most eight
 * of a kind, exact names first. Each kind is seen by whom its list shows it to: what is not theirs is neither named nor
 * counted. Throws `LimitExceeded` for who asks faster than anybody types, and for a search that takes too long.
 */
export async function search(ctx: Ctx, query: SearchQuery): Promise<{ items: Found[] }> {
  const person = requireRole(ctx, ...roles);
  if (query.q === '' && query.id.length === 0) return { items: [] };
  await requireToken(ctx, `search:${person.personId}`, typing, 'Too many searches at once. Wait a moment.');
  const owners = await ownersVisibleTo(ctx.db.prisma, ctx);
  const meaning = meaningOf(query);
  const event = await eventOf(ctx, query);
  const parts = Object.values(statements).filter(({ forPlatform }) =>
    forPlatform ? person.roles.some((role) => role === 'admin' || role === 'auditor') : true,
  );
  const rows = await run(ctx, parts.map(({ sql }) => `SELECT * FROM (${sql}) part`).join(' UNION ALL '), [
    owners === 'all' ? null : [...owners],
    person.personId,
    meaning.ids,
    meaning.prefix,
    meaning.words,
    meaning.number,
    query.q.toLowerCase(),
  ]);
  return { items: [...rows.map(({ rank: _rank, ...row }) => row), ...event] };
}

/** What a text can be, for the statements below: `null` where it cannot be that. */
function meaningOf({ q, id }: SearchQuery) {
  const words = splitWords(q).slice(0, maxWords);
  const number = /^(?:cs-)?([1-9]\d{0,8})$/i.exec(q)?.[1];
  const isId = idPattern.test(q);
  // A server is named by its URL with and without the slash at its end.
  const exact = q === '' ? [] : q.startsWith('http') ? [q, q.replace(/\/$/, ''), `${q}/`] : [q];
  return {
    ids: [...new Set([...exact, ...id])],
    prefix: q === '' || isId ? null : `${escapeLike(q.toLowerCase())}%`,
    words: isId || words.length === 0 ? null : words.map((word) => `'${word}':*`).join(' & '),
    number: number ? Number(number) : null,
  };
}

/** Wildcards of LIKE mean themselves in a search. */
function escapeLike(value: string): string {
  return value.replaceAll(/[\\%_]/g, (character) => `\\${character}`);
}

// $1 owners whose things the person sees, null for all · $2 the person · $3 ids · $4 prefix · $5 words · $6 number · $7 text
const ownsOrStandsIn = '($1::text[] IS NULL OR t.owner_id = ANY ($1) OR t.deputy_id = $2)';
// Sets of one's own, not a look at each hit: how long an answer takes must not tell how many of others' are named so.
const hasInstance =
  '($1::text[] IS NULL OR t.id IN (SELECT i.client_id FROM instance i WHERE i.owner_id = ANY ($1)))';
const seesRequest = `($1::text[] IS NULL OR t.id IN (
  SELECT r.id FROM registration_request r WHERE r.owner_id = ANY ($1)
  UNION SELECT r.id FROM registration_request r WHERE r.created_by_id = $2
  UNION SELECT r.id FROM agent d JOIN registration_request r ON r.agent_id = d.id WHERE d.deputy_id = $2))`;

/** Ids of `table` by id, by the beginning of the name and by words of it, each from its own index. */
function matches(table: string, visible: string, byId = 't.id = ANY ($3)'): string {
  return `SELECT t.id FROM ${table} t WHERE ${byId} AND ${visible}
    UNION (SELECT t.id FROM ${table} t WHERE $4 <> '' AND lower(t.name) LIKE $4 AND ${visible}
            ORDER BY lower(t.name) USING ~<~ LIMIT ${mostPerKind})
    UNION (SELECT t.id FROM ${table} t WHERE name_words(t.name) @@ $5::tsquery AND ${visible} LIMIT ${candidates})`;
}

/** Exactly that name before names that begin so, before others; of the same rank the newest first. */
const rank = (name: string) =>
  `(CASE WHEN lower(${name}) = $7 THEN 0 WHEN lower(${name}) LIKE $4 THEN 1 ELSE 2 END)`;

const statements: Record<Exclude<FoundKind, 'event'>, { sql: string; forPlatform?: boolean }> = {
  agent: {
    sql: `SELECT 'agent' AS kind, a.id, a.name AS label, p.display_name AS detail, a.state, NULL::text AS "parentId",
        ${rank('a.name')} AS rank
      FROM (${matches('agent', ownsOrStandsIn)}) m JOIN agent a ON a.id = m.id JOIN person p ON p.id = a.owner_id
      ORDER BY rank, a.id DESC LIMIT ${mostPerKind}`,
  },
  client: {
    sql: `SELECT 'client', c.id, c.name, c.id, CASE WHEN c.forgotten_at IS NOT NULL THEN 'forgotten'
        WHEN c.claimed_at IS NULL THEN 'quarantined' END, NULL::text, ${rank('c.name')}
      FROM (${matches('client', hasInstance)}) m JOIN client c ON c.id = m.id
      ORDER BY 7, c.registered_at DESC LIMIT ${mostPerKind}`,
  },
  request: {
    sql: `SELECT 'request', r.id, 'CS-' || r.number, a.name, r.state, NULL::text, found.rank
      FROM (
        SELECT t.id, 0 AS rank FROM registration_request t
         WHERE (t.id = ANY ($3) OR t.number = $6) AND ${seesRequest}
        UNION ALL
        SELECT * FROM (
          SELECT t.id, 1 FROM agent a JOIN registration_request t ON t.agent_id = a.id
           WHERE name_words(a.name) @@ $5::tsquery AND t.number IS DISTINCT FROM $6 AND ${seesRequest}
           LIMIT ${candidates}) named
      ) found JOIN registration_request r ON r.id = found.id JOIN agent a ON a.id = r.agent_id
      ORDER BY found.rank, r.id DESC LIMIT ${mostPerKind}`,
  },
  server: {
    sql: `SELECT 'server', s.id, s.name, s.resource, s.state, NULL::text, ${rank('s.name')}
      FROM (${matches('mcp_server', "t.state = 'active'", '(t.id = ANY ($3) OR t.resource = ANY ($3))')}) m
      JOIN mcp_server s ON s.id = m.id ORDER BY 7, s.id DESC LIMIT ${mostPerKind}`,
  },
  tool: {
    sql: `SELECT 'tool', l.id, l.name, s.name, NULL::text, s.id, ${rank('l.name')}
      FROM (${matches(
        'tool',
        "t.removed_at IS NULL AND EXISTS (SELECT FROM mcp_server o WHERE o.id = t.server_id AND o.state = 'active')",
      )}) m JOIN tool l ON l.id = m.id JOIN mcp_server s ON s.id = l.server_id
      ORDER BY 7, l.name, l.id LIMIT ${mostPerKind}`,
  },
  person: {
    forPlatform: true,
    sql: `SELECT 'person', p.id, p.display_name, p.email, p.state, NULL::text, ${rank('p.display_name')}
      FROM person p
     WHERE p.id = ANY ($3) OR p.email = $7 OR ($4 <> '' AND (p.email LIKE $4 OR lower(p.display_name) LIKE $4))
        OR name_words(p.display_name) @@ $5::tsquery
     ORDER BY 7, p.display_name, p.id LIMIT ${mostPerKind}`,
  },
};

/** Events are found by what names one: its id, its digest, or the hash of its leaf. The audit page looks for the rest. */
async function eventOf(ctx: Ctx, query: SearchQuery): Promise<Found[]> {
  const ids = [query.q, ...query.id].filter((id) => /^evt_[0-9a-f]{32}$/.test(id));
  const digest = digestIn(query.q);
  if (ids.length === 0 && !digest) return [];
  const scope = await eventScope(ctx);
  const { rows } = await ctx.db.search.query<{ id: string; at: Date; kind: string; outcome: string }>(
    `SELECT e.id, e.at, e.kind, e.outcome FROM audit_event e
      WHERE (e.id = ANY ($1) OR e.id IN (SELECT event_id FROM audit_leaf WHERE leaf_hash = ANY ($2::bytea[])))
        AND ($3::text[] IS NULL OR e.agent_id = ANY ($3)) ORDER BY e.id DESC LIMIT ${mostIds}`,
    [ids, digest ? [digest, leafHashOf(digest)] : [], scope.all ? null : scope.agentIds],
  );
  return rows.map((row) => ({
    kind: 'event',
    id: row.id,
    label: Object.hasOwn(eventCatalogue, row.kind) ? eventCatalogue[row.kind as EventKind].says : row.kind,
    detail: row.at.toISOString(),
    state: row.outcome,
    parentId: null,
  }));
}

/** SHA-256 as base64url, as the audit page shows it, or in hexadecimal. */
function digestIn(value: string): Buffer | null {
  const bare = value.replace(/^sha-?256[:-]/i, '');
  if (/^[\w-]{43}$/.test(bare)) return Buffer.from(bare, 'base64url');
  return /^[0-9a-f]{64}$/i.test(bare) ? Buffer.from(bare, 'hex') : null;
}

/** On a pool of few connections, so that whoever types keeps nobody else's page waiting. */
async function run(ctx: Ctx, sql: string, values: unknown[]): Promise<(Found & { rank: number })[]> {
  const client = await ctx.db.search.connect();
  let broken: Error | undefined;
  try {
    await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${timeoutMs}`);
    const { rows } = await client.query<Found & { rank: number }>(sql, values);
    await client.query('COMMIT');
    return rows;
  } catch (error) {
    broken = await client.query('ROLLBACK').then(
      () => undefined,
      (failure: Error) => failure,
    );
    if ((error as { code?: string }).code === '57014') {
      throw new LimitExceeded('This search takes too long. Write more of the name, or paste the id.', {
        retryAfterSeconds: 1,
      });
    }
    throw error;
  } finally {
    client.release(broken);
  }
}
