import { afterAll, beforeAll, expect, test } from 'vitest';
import { newApiToken } from '#lib/access/api-token-format.ts';
import { type EventRow, insertEvents, toEventRow } from '#lib/audit/record.ts';
import type { Role } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import { newId } from '#lib/platform/ids.ts';
import { testCtx } from '../../tests/ctx.ts';
import { startTestGate, type TestGate } from '../../tests/gate.ts';
import { addPerson } from '../../tests/people.ts';

let gate: TestGate;
let auditor: Record<string, string>;
let owner: Record<string, string>;
let rows: EventRow[];

async function bearerOf(name: string, roles: readonly Role[]): Promise<Record<string, string>> {
  const { db } = gate.database;
  const person = await addPerson(db, name, roles);
  const token = newApiToken();
  const now = new Date();
  await db.prisma.apiToken.create({
    data: {
      id: newId('apiToken'),
      tokenDigest: sha256(token),
      personId: person.personId,
      name: 'test',
      createdAt: now,
      expiresAt: new Date(now.getTime() + 3_600_000),
    },
  });
  return { authorization: `Bearer ${token}` };
}

beforeAll(async () => {
  gate = await startTestGate(4802);
  auditor = await bearerOf('audrey', ['auditor']);
  owner = await bearerOf('olive', ['owner']);
  const ctx = testCtx(gate.database.db, undefined, { clock: systemClock });
  rows = ['read_page', 'delete_page', 'read_page'].map((tool, index) =>
    toEventRow(ctx, {
      kind: index === 2 ? 'decision.deny' : 'credential.issue',
      outcome: index === 2 ? 'refused' : 'done',
      subjectId: `crd_${index}`,
      tool,
    }),
  );
  await gate.database.db.hot.query(insertEvents('$1'), [JSON.stringify(rows)]);
});
afterAll(() => gate.close());

const get = (path: string, headers = auditor) => gate.ask(`/api/v1/audit${path}`, { headers });

test('history is searched by properties, several values each, page by page', async () => {
  const answer = await get('/events?tool=read_page&tool=delete_page&kind=credential.issue&limit=1');
  expect(answer.status).toBe(200);
  const page = answer.json() as { items: { id: string }[]; nextCursor: string };
  expect(page).toMatchObject({ items: [{ tool: 'delete_page' }], previousCursor: null });
  const next = await get(
    `/events?tool=read_page&tool=delete_page&kind=credential.issue&limit=1&cursor=${page.nextCursor}`,
  );
  expect(next.json()).toMatchObject({ items: [{ tool: 'read_page' }], nextCursor: null });
  expect((await get('/summary?outcome=refused')).json()).toMatchObject({ total: 1, more: false });
});

test.each([
  '/events?limit=1000000000',
  '/events?limit=0',
  '/events?from=yesterday',
  '/events?outcome=maybe',
  '/events?orderBy=digest',
  '/events?cursor=x',
  `/events?q=${'a'.repeat(201)}`,
  '/events?q=%00',
  '/proofs',
  '/proofs?first=2&second=1',
])('%s is refused with a reason and reads nothing', async (path) => {
  const answer = await get(path);
  expect([400, 422]).toContain(answer.status);
  expect(answer.headers['content-type']).toContain('application/problem+json');
});

test('one event is read whole; its place is still to come where no worker runs', async () => {
  const answer = await get(`/events/${rows[0]?.id}`);
  expect(answer.json()).toMatchObject({
    record: { id: rows[0]?.id, digest: rows[0]?.digest },
    inclusion: { status: 'waiting' },
  });
  expect((await get(`/proofs?eventId=${rows[0]?.id}`)).status).toBe(404);
  expect((await get('/checkpoints/latest')).status).toBe(404);
});

test('an owner sees none of it, by any of its addresses', async () => {
  expect((await get('/events', owner)).json()).toMatchObject({ items: [] });
  expect((await get('/summary', owner)).json()).toMatchObject({ total: 0 });
  expect((await get(`/events/${rows[0]?.id}`, owner)).status).toBe(404);
  expect((await get(`/proofs?eventId=${rows[0]?.id}`, owner)).status).toBe(404);
  expect((await get('/proofs?first=1&second=1', owner)).status).toBe(403);
  expect((await gate.ask('/api/v1/messages', { headers: owner })).status).toBe(403);
  expect((await gate.ask('/api/v1/webhooks', { headers: owner })).status).toBe(403);
  expect((await gate.ask('/api/v1/notifications', { headers: owner })).json()).toMatchObject({ unread: 0 });
});

test('nobody without a token sees anything', async () => {
  for (const path of ['/events', '/summary', '/integrity', '/checkpoints/latest', `/events/${rows[0]?.id}`]) {
    expect((await gate.ask(`/api/v1/audit${path}`)).status).toBe(401);
  }
});
