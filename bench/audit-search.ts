import pg from 'pg';
import { eventQuerySchema } from '#lib/audit/event-query.ts';
import { searchEvents, summariseEvents } from '#lib/audit/search-events.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { newId } from '#lib/platform/ids.ts';
import { openHistory } from './history-database.ts';
import { type BenchRow, round } from './row.ts';

const events = Number(process.env.BENCH_EVENTS ?? 5_000_000);
const rounds = 40;
const filterGoalMs = 50;
const textGoalMs = 200;

const kinds = `ARRAY['credential.issue','credential.issue','credential.issue','guard.call','guard.call','guard.call','guard.call','credential.end','client.register','request.approve','refusal.anonymous','agent.suspend']`;

/** What an auditor asks; each is asked with other values every time. */
const searches: readonly { name: string; kind: 'filter' | 'text'; query(n: number): object }[] = [
  { name: 'newest', kind: 'filter', query: () => ({}) },
  {
    name: 'kind',
    kind: 'filter',
    query: (n) => ({ kind: [['agent.suspend', 'request.approve', 'guard.call'][n % 3]] }),
  },
  { name: 'agent', kind: 'filter', query: (n) => ({ agent: [`agt_${(n * 37) % 2000}`] }) },
  { name: 'client', kind: 'filter', query: (n) => ({ client: [`client_${(n * 53) % 5000}`] }) },
  { name: 'actor', kind: 'filter', query: (n) => ({ actor: [`per_${(n * 7) % 300}`] }) },
  {
    name: 'server and tool',
    kind: 'filter',
    query: (n) => ({ server: [`srv_${n % 40}`], tool: [`tool_${(n * 11) % 200}`] }),
  },
  { name: 'refused', kind: 'filter', query: () => ({ outcome: ['refused'] }) },
  {
    name: 'refused of an agent',
    kind: 'filter',
    query: (n) => ({ outcome: ['refused'], agent: [`agt_${(n * 31) % 2000}`] }),
  },
  {
    name: 'actor, kind, 30 days',
    kind: 'filter',
    query: (n) => ({
      actor: [`per_${(n * 13) % 300}`],
      kind: ['request.approve'],
      from: '2026-05-01',
      to: '2026-05-31',
    }),
  },
  { name: 'request', kind: 'filter', query: (n) => ({ request: [`req_${(n * 97) % 20000}`] }) },
  {
    name: 'one day',
    kind: 'filter',
    query: (n) => ({ from: `2026-0${1 + (n % 9)}-10`, to: `2026-0${1 + (n % 9)}-11` }),
  },
  { name: 'text: a word of few', kind: 'text', query: (n) => ({ q: `incident${(n * 17) % 5000}` }) },
  { name: 'text: two words', kind: 'text', query: (n) => ({ q: `person${n % 300} suspend` }) },
  { name: 'text: three words', kind: 'text', query: (n) => ({ q: `request person${n % 100} approve` }) },
  { name: 'text: a word of many', kind: 'text', query: () => ({ q: 'issue' }) },
  { name: 'text: part of a name', kind: 'text', query: (n) => ({ q: `ledger ${n % 2000}` }) },
];

/**
 * `audit-search`: every filter of the audit page and free text over five million events, one in flight: the page of
 * fifty rows, and apart from it the counts beside it. Seeded in SQL, in its own PostgreSQL.
 */
export async function run(): Promise<BenchRow[]> {
  const database = await openHistory();
  try {
    await seed(database.superuserUrl);
    const ctx: Ctx = {
      actor: systemActor('bench'),
      clock: systemClock,
      db: database.db,
      vault: null,
      site: {
        issuer: 'http://localhost',
        consoleOrigin: 'http://x.localhost',
        environment: 'sandbox',
        demo: false,
      },
      traceId: newId('trace'),
      address: null,
      userAgent: null,
    };
    const rows: { name: string; kind: 'filter' | 'text'; page: number[]; counts: number[] }[] = [];
    for (const search of searches) {
      const times = { name: search.name, kind: search.kind, page: [] as number[], counts: [] as number[] };
      for (let n = -3; n < rounds; n++) {
        const query = eventQuerySchema.parse(search.query(n + 3));
        const startedAt = performance.now();
        await searchEvents(ctx, query, { limit: 50 });
        const pageMs = performance.now() - startedAt;
        await summariseEvents(ctx, query);
        const countsMs = performance.now() - startedAt - pageMs;
        // The first ones read from disk what an hour of use has in memory.
        if (n < 0) continue;
        times.page.push(pageMs);
        times.counts.push(countsMs);
      }
      rows.push(times);
    }
    const worst = (kind: 'filter' | 'text') =>
      rows
        .filter((row) => row.kind === kind)
        .map((row) => ({ name: row.name, ms: percentile(row.page, 0.99) }))
        .reduce((a, b) => (b.ms > a.ms ? b : a));
    const detail = rows
      .map(
        (row) =>
          `${row.name} ${round(percentile(row.page, 0.99), 1)} (counts ${round(percentile(row.counts, 0.99), 0)})`,
      )
      .join(', ');
    const filter = worst('filter');
    const text = worst('text');
    return [
      {
        row: 'audit-search',
        value: round(filter.ms, 1),
        unit: 'ms p99',
        peer: null,
        ratio: null,
        goal: `filters p99 ≤ ${filterGoalMs} ms, free text p99 ≤ ${textGoalMs} ms`,
        met: filter.ms <= filterGoalMs && text.ms <= textGoalMs,
        conditions: `${events.toLocaleString('en')} events, worst filter “${filter.name}”, worst text “${text.name}” ${round(text.ms, 1)} ms, ${rounds} each, p99 of the page: ${detail}`,
      },
    ];
  } finally {
    await database.close();
  }
}

async function seed(superuserUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: superuserUrl });
  await client.connect();
  try {
    await client.query(`SET synchronous_commit = off; SET maintenance_work_mem = '512MB'`);
    await client.query(`INSERT INTO agent (id, name, owner_id, software_identity, software_identity_kind, client_class, state, state_since, created_at)
      SELECT 'agt_' || n, 'Ledger ' || n, 'per_0', 'x', 'self-asserted', 'interactive', 'active', now(), now() FROM generate_series(0, 1999) n`);
    await client.query(`INSERT INTO person (id, subject, email, display_name, created_at)
      SELECT 'per_' || n, 'p' || n, 'p' || n || '@example.test', 'person' || n, now() FROM generate_series(0, 299) n`);
    const indexes = await client.query<{ indexname: string; indexdef: string }>(
      `SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'audit_event' AND indexname NOT IN ('audit_event_pkey', 'audit_event_arrival_key')`,
    );
    for (const index of indexes.rows) await client.query(`DROP INDEX ${index.indexname}`);
    await client.query(
      `INSERT INTO audit_event (id, at, kind, outcome, actor_kind, actor_id, actor_name, subject_kind, subject_id, agent_id, client_id,
         server_id, tool, request_ref, parent_ids, address, trace_id, reason, data, digest, words)
       SELECT 'evt_' || lpad(to_hex(n), 32, '0'), '2026-01-01'::timestamptz + n * (interval '300 days' / $1), k.kind,
         CASE WHEN n % 20 = 0 THEN 'refused' ELSE 'done' END, 'person', 'per_' || n * 7919 % 300, 'person' || n * 7919 % 300,
         'credential', 'crd_' || n, 'agt_' || n * 6151 % 2000, 'client_' || n * 4909 % 5000, 'srv_' || n * 31 % 40, 'tool_' || n * 17 % 200,
         CASE WHEN n % 12 = 9 THEN 'req_' || n * 13 % 20000 END, '{}', '127.0.0.1', 'trc_' || lpad(to_hex(n * 3), 32, '0'),
         CASE WHEN n % 100 = 0 THEN 'incident' || n % 5000 * 1 ELSE '' END, '{"a":1}', 'x',
         array_to_tsvector(string_to_array(regexp_replace(replace(k.kind, '.', ' ') || ' person' || n * 7919 % 300 || ' tool '
           || n * 17 % 200 || CASE WHEN n % 100 = 0 THEN ' incident' || n % 5000 ELSE '' END, ' +', ' ', 'g'), ' '))
       FROM generate_series(1, $1::bigint) n, LATERAL (SELECT (${kinds})[1 + n * 7 % 12] AS kind) k`,
      [events],
    );
    for (const index of indexes.rows) await client.query(index.indexdef);
    await client.query('VACUUM ANALYZE audit_event');
    await client.query('ANALYZE agent; ANALYZE person;');
  } finally {
    await client.end();
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
