import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ctx } from '#lib/platform/ctx.ts';
import { personActor, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { eventQuerySchema } from './event-query.ts';
import { searchEvents, summariseEvents } from './search-events.ts';

/** More than one look ahead reads, so that every way to find words is taken. */
const events = 60_000;
let database: TestDatabase;
let auditor: Ctx;

beforeAll(async () => {
  database = await createTestDatabase();
  auditor = testCtx(database.db, personActor('per_audrey', ['auditor']));
  // Not through the gate's pool, whose statements end after two seconds.
  const owner = new pg.Client({ connectionString: database.urls.owner });
  await owner.connect();
  await owner.query(
    `INSERT INTO person (id, subject, email, display_name, created_at)
     SELECT 'per_' || n, 'p' || n, n || '@example.test', 'Person' || n, now() FROM generate_series(0, 29) n`,
  );
  // Two events in every three share their time with another: the id decides their order.
  await owner.query(
    `INSERT INTO audit_event (id, at, kind, outcome, actor_kind, actor_id, actor_name, subject_kind, subject_id, parent_ids, trace_id, reason, data, digest, words)
     SELECT 'evt_' || lpad(to_hex(n * 7919 % $1), 32, '0'), '2026-01-01'::timestamptz + n / 3 * interval '1 minute', 'guard.call', 'done',
       'person', 'per_' || n % 30, 'person' || n % 30, 'credential', 'crd_' || n, '{}', 'trc_' || n, '', '{}', 'x',
       array_to_tsvector(string_to_array(concat_ws(' ', 'call', 'person' || n % 30, 'day' || n / 1440,
         CASE WHEN n % 500 = 0 THEN 'incident' END, CASE WHEN n < 9000 THEN 'retired' END,
         CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END), ' '))
     FROM generate_series(1, $1) n`,
    [events],
  );
  await owner.query('ANALYZE audit_event');
  await owner.end();
});
afterAll(() => database.drop());

async function idsWhere(condition: string): Promise<string[]> {
  const { rows } = await database.db.hot.query<{ id: string }>(
    `SELECT id FROM audit_event WHERE ${condition} ORDER BY at DESC, id DESC`,
  );
  return rows.map((row) => row.id);
}

test.each([
  ['incident', `words @@ '''incident'''`],
  ['incident even', `words @@ '''incident'''`],
  ['incident odd', 'false'],
  ['incident person20', `words @@ '''incident'' & ''person20'''`],
  ['retired person20', `words @@ '''retired'' & ''person20'''`],
  ['retired incident', `words @@ '''retired'' & ''incident'''`],
  ['day41 call', `words @@ '''day41'''`],
  ['nowhere', 'false'],
])('in a long log “%s” finds each event it means once, in order, there and back', async (q, condition) => {
  const expected = await idsWhere(condition);
  const query = eventQuerySchema.parse({ q });
  const found: string[] = [];
  let cursor: string | undefined;
  let last = await searchEvents(auditor, query, { limit: 200 });
  for (;;) {
    found.push(...last.items.map((item) => item.id));
    if (!last.olderCursor) break;
    cursor = last.olderCursor;
    last = await searchEvents(auditor, query, { limit: 200, cursor });
  }
  expect(found).toEqual(expected);
  if (last.newerCursor && last.items.length > 0) {
    const before = await searchEvents(auditor, query, { limit: 200, cursor: last.newerCursor });
    const end = expected.length - last.items.length;
    expect(before.items.map((item) => item.id)).toEqual(expected.slice(Math.max(0, end - 200), end));
  }
  const summary = await summariseEvents(auditor, query);
  expect([summary.total, summary.more]).toEqual([expected.length, false]);
});

test('words that all events have are counted up to the limit, and found together with a filter', async () => {
  const summary = await summariseEvents(auditor, eventQuerySchema.parse({ q: 'call' }));
  expect([summary.total, summary.more]).toEqual([10_000, true]);
  const query = eventQuerySchema.parse({ q: 'incident', actor: ['per_20'], to: '2026-01-10' });
  const page = await searchEvents(auditor, query, { limit: 50 });
  expect(page.items.map((item) => item.id)).toEqual(
    (await idsWhere(`words @@ '''incident''' AND actor_id = 'per_20' AND at < '2026-01-10'`)).slice(0, 50),
  );
  expect(page.items.length).toBeGreaterThan(0);
});
