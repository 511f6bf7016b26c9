import { afterAll, beforeAll, expect, test } from 'vitest';
import { newApiToken } from '#lib/access/api-token-format.ts';
import type { Role } from '#lib/platform/actor.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import { newId } from '#lib/platform/ids.ts';
import { startTestGate, type TestGate } from '../../tests/gate.ts';
import { addPerson } from '../../tests/people.ts';

let gate: TestGate;
let olive: Record<string, string>;
let oscar: Record<string, string>;
let nobody: Record<string, string>;
const agentId = newId('agent');

async function bearerOf(
  name: string,
  roles: readonly Role[],
  agent?: string,
): Promise<Record<string, string>> {
  const { prisma } = gate.database.db;
  const { personId } = await addPerson(gate.database.db, name, roles);
  const token = newApiToken();
  const now = new Date();
  await prisma.apiToken.create({
    data: {
      id: newId('apiToken'),
      tokenDigest: sha256(token),
      personId,
      name: 'test',
      createdAt: now,
      expiresAt: new Date(now.getTime() + 3_600_000),
    },
  });
  if (agent) {
    await prisma.agent.create({
      data: {
        id: agent,
        name: 'Ledger keeper',
        ownerId: personId,
        softwareIdentity: 'x',
        softwareIdentityKind: 'self-asserted',
        clientClass: 'interactive',
        state: 'active',
        stateSince: now,
        createdAt: now,
      },
    });
  }
  return { authorization: `Bearer ${token}` };
}

beforeAll(async () => {
  gate = await startTestGate(4860);
  olive = await bearerOf('olive', ['owner'], agentId);
  oscar = await bearerOf('oscar', ['owner']);
  nobody = await bearerOf('norman', []);
});
afterAll(() => gate.close());

const get = (path: string, headers: Record<string, string> = olive) =>
  gate.ask(`/api/v1${path}`, { headers });

test('what is found is told, and nothing of it kept by anybody on the way', async () => {
  const answer = await get('/search?q=ledger');
  expect(answer.status).toBe(200);
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(answer.json()).toEqual({
    items: [
      {
        kind: 'agent',
        id: agentId,
        label: 'Ledger keeper',
        detail: 'olive',
        state: 'active',
        parentId: null,
      },
    ],
  });
  expect((await get(`/search?id=${agentId}&id=agt_x`)).json()).toMatchObject({ items: [{ id: agentId }] });
  expect((await get('/search')).json()).toEqual({ items: [] });
});

test('another owner gets the answer of a name that nobody has', async () => {
  const [hit, miss] = await Promise.all([
    get(`/search?q=ledger&id=${agentId}`, oscar),
    get(`/search?q=nobodys&id=${newId('agent')}`, oscar),
  ]);
  expect(hit.status).toBe(miss.status);
  expect(hit.text).toBe(miss.text);
});

test.each([
  ['/search?q=a&q=b', 422],
  ['/search?q=%00', 422],
  [`/search?q=${'a'.repeat(1_001)}`, 422],
  [`/search?${'id=agt_x&'.repeat(13)}`, 422],
  ['/search?q=a&limit=1000', 422],
  ['/search?q=a&kind=person', 422],
  ['/expiry?sort=ends;drop', 422],
  ['/expiry?from=yesterday', 422],
  ['/expiry?cursor=x', 422],
])('%s is refused', async (path, status) => {
  const answer = await get(path);
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toContain('application/problem+json');
});

test.each(['/search?q=ledger', '/expiry'])('%s is for people with a role', async (path) => {
  expect((await get(path, {})).status).toBe(401);
  expect((await get(path, { authorization: 'Bearer cs_forged' })).status).toBe(401);
  expect((await get(path, nobody)).status).toBe(403);
  expect((await gate.ask(`/api/v1${path}`, { method: 'POST', headers: olive })).status).toBe(405);
});

test('whoever hammers is told when to come back', async () => {
  const answers = await Promise.all(Array.from({ length: 90 }, () => get('/search?q=x', oscar)));
  const refused = answers.find(({ status }) => status === 429);
  expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0);
  expect(answers.some(({ status }) => status >= 500)).toBe(false);
  expect((await get('/search?q=x')).status).toBe(200);
});

test('both are described in the OpenAPI document', async () => {
  const { paths } = (await get('/openapi.json', {})).json() as { paths: Record<string, unknown> };
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/search', '/expiry']));
});
