import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anonymous } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type Db, openDb } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import { personActor, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { containsPattern, eventQuerySchema, wordsQuery } from './event-query.ts';
import { readEvent } from './read-event.ts';
import { type EventInput, insertEvents, toEventRow } from './record.ts';
import { eventScope, newerThan, searchEvents, summariseEvents } from './search-events.ts';

let database: TestDatabase;
/** Searches run as the console does: with the role that only reads. */
let reading: Db;
let auditor: Ctx;
const ids = { olive: '', oscar: '', agentA: newId('agent'), agentB: newId('agent'), server: newId('server') };
const query = (given: object = {}) => eventQuerySchema.parse(given);
const start = Date.parse('2026-03-02T09:00:00.000Z');

async function write(
  events: readonly (Partial<EventInput> & { kind: EventInput['kind']; minute?: number })[],
) {
  const rows = events.map(({ minute = 0, ...event }) => ({
    ...toEventRow(
      testCtx(database.db, personActor(ids.olive, ['owner'], { displayName: 'Olive Owner' }), {
        clock: { now: () => new Date(start + minute * 60_000), monotonicMs: () => 0 },
      }),
      { subjectId: 'x', ...event },
    ),
  }));
  await database.db.hot.query(insertEvents('$1'), [JSON.stringify(rows)]);
  return rows;
}

const agentRow = (id: string, name: string, ownerId: string) => ({
  id,
  name,
  ownerId,
  softwareIdentity: 'x',
  softwareIdentityKind: 'self-asserted',
  clientClass: 'interactive',
  stateSince: new Date(start),
  createdAt: new Date(start),
});

beforeAll(async () => {
  database = await createTestDatabase();
  reading = openDb(database.urls.console, { prisma: 2, hot: 4, emergency: 1 }, { omitSecrets: true });
  ids.olive = (await addPerson(database.db, 'Olive Owner', ['owner'])).personId;
  ids.oscar = (await addPerson(database.db, 'oscar', ['owner'])).personId;
  auditor = testCtx(reading, personActor('per_audrey', ['auditor']));
  await database.db.prisma.agent.createMany({
    data: [
      agentRow(ids.agentA, 'Ledger 100%_bot', ids.olive),
      agentRow(ids.agentB, 'Mail sorter', ids.oscar),
    ],
  });
  await database.db.prisma.mcpServer.create({
    data: {
      id: ids.server,
      resource: 'http://localhost:9/mcp',
      name: 'Paper mill',
      createdAt: new Date(start),
    },
  });
  await write([
    { kind: 'agent.create', subjectId: ids.agentA, agentId: ids.agentA, minute: 1 },
    { kind: 'agent.create', subjectId: ids.agentB, agentId: ids.agentB, minute: 2 },
    ...Array.from({ length: 30 }, (_, index) => ({
      kind: 'credential.issue' as const,
      subjectId: `crd_${index}`,
      agentId: index % 2 === 0 ? ids.agentA : ids.agentB,
      serverId: ids.server,
      tool: index % 3 === 0 ? 'delete_page' : 'read_page',
      outcome: index % 10 === 0 ? ('refused' as const) : ('done' as const),
      reason: index === 7 ? 'quarterly ledger close' : '',
      minute: 10 + index,
    })),
  ]);
});
afterAll(async () => {
  await reading.close();
  await database.drop();
});

describe('searching history', () => {
  test('properties narrow, values of one property widen', async () => {
    const of = async (given: object) =>
      (await searchEvents(auditor, query(given), { limit: 200 })).items.length;
    expect(await of({})).toBe(32);
    expect(await of({ kind: ['credential.issue'] })).toBe(30);
    expect(await of({ kind: ['credential.issue', 'agent.create'] })).toBe(32);
    expect(await of({ kind: ['credential.issue'], tool: ['delete_page'] })).toBe(10);
    expect(await of({ kind: ['credential.issue'], tool: ['delete_page'], outcome: ['refused'] })).toBe(1);
    expect(await of({ agent: [ids.agentB], from: '2026-03-02T09:10:00Z', to: '2026-03-02T09:12:00Z' })).toBe(
      1,
    );
    expect(await of({ subject: ['crd_3'] })).toBe(1);
    expect(await of({ actor: ['nobody'] })).toBe(0);
  });

  test('free text finds words, ids, and parts of names; nothing in it is an operator', async () => {
    const of = async (q: string) => (await searchEvents(auditor, query({ q }), { limit: 200 })).items.length;
    expect(await of('quarterly')).toBe(1);
    expect(await of('LEDGER close')).toBe(1);
    expect(await of('delete_page')).toBe(10);
    expect(await of(ids.agentB)).toBe(16);
    // Names live in small tables; these words are nowhere in the log.
    expect(await of('Mail sort')).toBe(16);
    expect(await of('sorter delete_page')).toBe(5);
    expect(await of('paper mill')).toBe(30);
    expect(await of('100%_bot')).toBe(16);
    expect(await of('%')).toBe(16);
    expect(await of('_bot')).toBe(16);
    expect(await of('a%b')).toBe(0);
    for (const hostile of [
      "'",
      '\\',
      "') OR 1=1 --",
      '!!',
      '&',
      "a' & !b:*",
      '((',
      ':*',
      '<->',
      '\u{1F600}',
    ]) {
      expect(await of(hostile)).toBe(0);
    }
  });

  test('the id of an HTTP request, shown with an error, finds what that request did; a foreign id its words', async () => {
    await using own = await createTestDatabase();
    const asked = { ...testCtx(own.db), traceId: newId('trace') };
    const clientId = 'https://client.example/oauth/metadata.json';
    const row = toEventRow(asked, { kind: 'client.register', subjectId: clientId, clientId });
    await own.db.hot.query(insertEvents('$1'), [JSON.stringify([row])]);
    const found = async (q: string) =>
      (await searchEvents({ ...auditor, db: own.db }, query({ q }), { limit: 10 })).items.map(
        (item) => item.id,
      );
    expect(await found(asked.traceId)).toEqual([row.id]);
    expect(await found(newId('trace'))).toEqual([]);
    expect(await found('client.example')).toEqual([row.id]);
  });

  test('a search is planned for its own words: a plan for any words reads half the log for a rare one', async () => {
    const modeOf = async (door: 'hot' | 'search') =>
      (await reading[door].query("SELECT current_setting('plan_cache_mode') AS mode")).rows[0].mode;
    expect([await modeOf('search'), await modeOf('hot')]).toEqual(['auto', 'force_generic_plan']);
  });

  test('no text of a person keeps its event from being written, or from being found', async () => {
    const texts = [
      // An odd unit first: any cut by units would halve one of the letters that take two.
      `a${'\u{1D49C}'.repeat(3_000)}`,
      `z${'9'.repeat(5_000)}`,
      "it's \\ :* & | ! <-> '' 0192e7ab:1",
    ];
    await using own = await createTestDatabase();
    for (const reason of texts) {
      const row = toEventRow(testCtx(own.db), { kind: 'request.reject', subjectId: 'req_1', reason });
      await own.db.hot.query(insertEvents('$1'), [JSON.stringify([row])]);
      const { rowCount } = await own.db.hot.query(
        'SELECT 1 FROM audit_event WHERE id = $1 AND words @@ $2::tsquery',
        [row.id, wordsQuery([reason])],
      );
      expect(rowCount).toBe(1);
    }
  });

  test('pages lead there and back again without a gap or a repeat', async () => {
    const all = (await searchEvents(auditor, query(), { limit: 200 })).items.map((item) => item.id);
    const seen: string[] = [];
    let page = await searchEvents(auditor, query(), { limit: 7 });
    expect(page.newerCursor).toBeNull();
    for (;;) {
      seen.push(...page.items.map((item) => item.id));
      if (!page.olderCursor) break;
      page = await searchEvents(auditor, query(), { limit: 7, cursor: page.olderCursor });
    }
    expect(seen).toEqual(all);
    const back: string[] = page.items.map((item) => item.id);
    while (page.newerCursor) {
      page = await searchEvents(auditor, query(), { limit: 7, cursor: page.newerCursor });
      back.unshift(...page.items.map((item) => item.id));
    }
    expect(back).toEqual(all);
    const third = (await searchEvents(auditor, query(), { limit: 3 })).items[2];
    const newer = await searchEvents(auditor, query(), { limit: 50, cursor: newerThan(third as never) });
    expect(newer.items.map((item) => item.id)).toEqual(all.slice(0, 2));
  });

  test.each([
    'garbage',
    Buffer.from('["older","x","y"]').toString('base64url'),
    Buffer.from('[1]').toString('base64url'),
  ])('a cursor nobody handed out is refused: %s', async (cursor) => {
    await expect(searchEvents(auditor, query(), { limit: 5, cursor })).rejects.toThrow(/cursor/);
  });

  test('a limit of a billion is a page of 200 at most', async () => {
    expect((await searchEvents(auditor, query(), { limit: 1e9 })).items).toHaveLength(32);
  });

  test('counts say how many, by what and when; a chosen property still counts its other values', async () => {
    const summary = await summariseEvents(auditor, query({ outcome: ['refused'] }));
    expect(summary).toMatchObject({ total: 3, more: false });
    expect(summary.facets.outcome).toEqual([
      { value: 'done', label: 'done', count: 29 },
      { value: 'refused', label: 'refused', count: 3 },
    ]);
    expect(summary.facets.agent).toEqual([{ value: ids.agentA, label: 'Ledger 100%_bot', count: 3 }]);
    expect(summary.facets.server).toEqual([{ value: ids.server, label: 'Paper mill', count: 3 }]);
    expect(summary.facets.actor[0]).toMatchObject({ value: ids.olive, label: 'Olive Owner' });
    expect(summary.histogram?.counts.reduce((sum, count) => sum + count, 0)).toBe(3);
    const none = await summariseEvents(auditor, query({ q: 'nowhere' }));
    expect(none).toMatchObject({ total: 0, histogram: null });
    const joined = await summariseEvents(auditor, query({ q: 'Mail sort' }));
    expect(joined.total).toBe(16);
  });
});

describe('who sees what', () => {
  test('an owner sees the lifelines of their own agents and nothing else', async () => {
    const olive = testCtx(reading, personActor(ids.olive, ['owner']));
    const page = await searchEvents(olive, query(), { limit: 200 });
    expect(page.items).toHaveLength(16);
    expect(new Set(page.items.map((item) => item.agentId))).toEqual(new Set([ids.agentA]));
    expect((await searchEvents(olive, query({ agent: [ids.agentB] }), { limit: 50 })).items).toEqual([]);
    expect((await searchEvents(olive, query({ q: 'Mail sorter' }), { limit: 50 })).items).toEqual([]);
    expect((await summariseEvents(olive, query())).facets.agent).toHaveLength(1);
    const foreign = (await searchEvents(auditor, query({ agent: [ids.agentB] }), { limit: 1 })).items[0];
    await expect(readEvent(olive, foreign?.id ?? '')).rejects.toThrow('There is nothing here');
  });

  test('and those of their team', async () => {
    const groupId = newId('group');
    const at = new Date(start);
    await database.db.prisma.group.create({
      data: { id: groupId, name: 'Ledgers', kind: 'owner team', createdAt: at },
    });
    const dora = await addPerson(database.db, 'dora', ['owner']);
    for (const personId of [dora.personId, ids.olive]) {
      await database.db.prisma.groupMember.create({
        data: { id: newId('groupMember'), groupId, personId, addedAt: at },
      });
    }
    expect(await eventScope(testCtx(reading, dora))).toEqual({ all: false, agentIds: [ids.agentA] });
  });

  test('without a role nobody sees any', async () => {
    const nobody = testCtx(reading, personActor('per_new', []));
    await expect(searchEvents(nobody, query(), { limit: 5 })).rejects.toThrow(/role/);
    await expect(searchEvents(testCtx(reading, anonymous), query(), { limit: 5 })).rejects.toThrow(/Sign in/);
  });
});

test('an event shows what led to it and what followed, to whoever may see it', async () => {
  const [registered] = await write([
    { kind: 'client.register', subjectId: 'client_c', clientId: 'client_c', minute: 100 },
  ]);
  const [decided] = await write([
    {
      kind: 'request.approve',
      subjectId: 'req_c',
      requestRef: 'req_c',
      clientId: 'client_c',
      agentId: ids.agentA,
      parentIds: [registered?.id ?? ''],
      before: { state: 'submitted' },
      after: { state: 'approved' },
      minute: 101,
    },
  ]);
  const [bound] = await write([
    {
      kind: 'binding.create',
      subjectId: 'bnd_c',
      agentId: ids.agentA,
      parentIds: [decided?.id ?? ''],
      minute: 102,
    },
  ]);
  const detail = await readEvent(auditor, decided?.id ?? '');
  expect(detail.ancestors.map((event) => event.kind)).toEqual(['client.register']);
  expect(detail.children.map((event) => event.id)).toEqual([bound?.id]);
  expect(detail.inclusion).toEqual({ status: 'waiting' });
  expect(detail.record).toMatchObject({ digest: decided?.digest, at: decided?.at, address: '127.0.0.1' });
  const chain = await readEvent(auditor, bound?.id ?? '');
  expect(chain.ancestors.map((event) => event.kind)).toEqual(['client.register', 'request.approve']);
  const asOscar = await readEvent(testCtx(reading, personActor('per_else', ['approver'])), decided?.id ?? '');
  expect(asOscar.withheld).toEqual([]);
});

describe('patterns', () => {
  test('a LIKE pattern means its text and nothing more', () => {
    expect(containsPattern('100%_a\\b')).toBe('%100\\%\\_a\\\\b%');
  });

  test('any text makes a query PostgreSQL can read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 40 }), async (text) => {
        const words = wordsQuery(text.split(/\s+/));
        if (words !== null && !text.includes('\u0000')) {
          await reading.hot.query(`SELECT $1::tsquery`, [words]);
        }
      }),
      { numRuns: 100 },
    );
  });
});
