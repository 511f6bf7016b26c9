import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { deactivatePerson } from '#lib/access/people.ts';
import { createHandoff, openSession } from '#lib/access/sessions.ts';
import { flushAnonymousRefusals } from '#lib/audit/refusals.ts';
import { anonymous, type PersonActor, systemActor } from '#lib/platform/actor.ts';
import { addSeconds, systemClock } from '#lib/platform/clock.ts';
import { newId } from '#lib/platform/ids.ts';
import { createServer } from '#tests/credentials-world.ts';
import { testCtx } from '../../tests/ctx.ts';
import { startTestGate, type TestGate } from '../../tests/gate.ts';
import { addPerson } from '../../tests/people.ts';
import { apiRoutes } from './routes.ts';

type Someone = Awaited<ReturnType<typeof addPerson>>;
let gate: TestGate;
let host: string;
const people: Record<string, Someone> = {};
const tokens: Record<string, string> = {};

beforeAll(async () => {
  gate = await startTestGate(4402);
  host = new URL(gate.consoleOrigin).host;
  const roles = {
    olive: ['owner'],
    ava: ['approver'],
    audrey: ['auditor'],
    adam: ['admin'],
    nora: [],
  } as const;
  for (const [name, held] of Object.entries(roles)) {
    const person = await addPerson(gate.database.db, name, held);
    people[name] = person;
    tokens[name] = (await createApiToken(ctxFor(person), { name: 'test', days: 1 })).token;
  }
});
afterAll(() => gate?.close());

function ctxFor(actor: PersonActor | typeof anonymous | ReturnType<typeof systemActor>) {
  return testCtx(gate.database.db, actor, { clock: systemClock });
}

async function cookieOf(name: string): Promise<string> {
  const ctx = ctxFor(anonymous);
  const handoff = await createHandoff(
    gate.database.db.prisma,
    ctx,
    people[name]?.personId as string,
    'password',
  );
  return `countersign=${(await openSession(ctx, { handoff, previousToken: null })).token}`;
}

type Options = {
  as?: string;
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  at?: string;
};
function call(path: string, { as, method = 'GET', body, headers = {}, at = host }: Options = {}) {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return gate.ask(`/api/v1${path}`, {
    method,
    host: at,
    headers: {
      // Node sends none with DELETE by itself.
      ...(text === undefined ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
      ...(as ? { authorization: `Bearer ${tokens[as]}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: text,
  });
}

/** Every operation with made-up values in its path. */
const operations = apiRoutes.map((route) => ({
  name: `${route.method.toUpperCase()} ${route.path}`,
  method: route.method.toUpperCase(),
  path: route.path.replaceAll(/\{\w+\}/g, 'agt_0000000000000000000000000000000'),
}));

describe('every operation', () => {
  test.each(operations)('$name is closed to strangers', async ({ method, path }) => {
    const answer = await call(path, { method, body: method === 'GET' ? undefined : {} });
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(answer.json()).toMatchObject({ type: 'urn:countersign:problem:unauthenticated' });
  });
  test.each(operations)(
    '$name gives somebody without a role nothing of anybody else',
    async ({ method, path }) => {
      const answer = await call(path, { as: 'nora', method, body: method === 'GET' ? undefined : {} });
      expect(answer.status).toBeLessThan(500);
      if (answer.status === 200 && path !== '/me') {
        const { items } = answer.json() as { items?: unknown[] };
        expect(items ?? []).toEqual([]);
      }
    },
  );
  test.each(operations)('$name answers rubbish with a problem, never a failure', async ({ method, path }) => {
    for (const as of ['olive', 'ava', 'audrey', 'adam']) {
      const bodies =
        method === 'GET'
          ? [undefined]
          : ['{', '[]', 'null', '{"a":1,"a":2}', '{"__proto__":{}}', { personId: 1 }];
      for (const body of bodies) {
        const answer = await call(`${path}?limit=1e9&cursor=%00&nonsense=1`, { as, method, body });
        expect([answer.status, path]).not.toEqual([500, path]);
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.headers['content-type']).toMatch('application/problem+json');
        expect(answer.text).not.toMatch(/node_modules|at \w+ \(|prisma|SELECT|postgres/i);
      }
    }
  });
  const queried = apiRoutes.flatMap((route) =>
    route.method === 'get' && route.query instanceof z.ZodObject
      ? Object.keys(route.query.shape).map((parameter) => ({
          name: `${route.path}?${parameter}`,
          path: route.path.replaceAll(/\{\w+\}/g, 'agt_0000000000000000000000000000000'),
          parameter,
        }))
      : [],
  );
  test.each(queried)('$name takes rubbish without failing', async ({ path, parameter }) => {
    const cursors = [1, 2, 3].map((length) =>
      Buffer.from(JSON.stringify(Array(length).fill('a\u0000'))).toString('base64url'),
    );
    for (const value of ['%00', 'a%00b', '0000-01-01', '9999-12-31', '%F0%9F', '-1', '', ...cursors]) {
      for (const as of ['olive', 'audrey', 'adam']) {
        const answer = await call(`${path}?${parameter}=${value}`, { as });
        expect([answer.status < 500, value, as]).toEqual([true, value, as]);
      }
    }
  });
  test.each([
    ['/expiry', 'ownerId=%00'],
    ['/messages', 'webhookId=%00'],
    ['/expiry', 'from=0000-01-01'],
    ['/expiry', 'to=2200-01-01'],
  ])('%s?%s is a mistake of the caller', async (path, query) => {
    expect((await call(`${path}?${query}`, { as: 'adam' })).status).toBe(422);
  });
  test.each(operations)('$name is never kept by a cache', async ({ method, path }) => {
    const answer = await call(path, { as: 'adam', method, body: method === 'GET' ? undefined : {} });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers.vary).toMatch(/Authorization/);
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });
});

describe('what one may not see', () => {
  test('and what does not exist get the same answer', async () => {
    const there = await call(`/people/${people.ava?.personId}`, { as: 'olive' });
    const nowhere = await call(`/people/${newId('person')}`, { as: 'olive' });
    const without = ({ requestId, ...problem }: Record<string, unknown>) => [problem, typeof requestId];
    expect([there.status, without(there.json())]).toEqual([nowhere.status, without(nowhere.json())]);
  });
  test('a refusal of somebody known is on record', async () => {
    await call('/people', { as: 'olive' });
    const event = await gate.database.db.prisma.auditEvent.findFirst({
      where: { kind: 'refusal.authenticated', actorId: people.olive?.personId },
      orderBy: { id: 'desc' },
    });
    expect(event).toMatchObject({ outcome: 'refused', reason: 'forbidden', subjectId: 'listPeople' });
  });
  test('refusals of strangers are counted, not listed', async () => {
    for (let n = 0; n < 20; n++) await call('/people', { headers: { authorization: `Bearer cs_${n}` } });
    await flushAnonymousRefusals(ctxFor(systemActor('gate')));
    const events = await gate.database.db.prisma.auditEvent.findMany({
      where: { kind: 'refusal.anonymous', subjectId: 'listPeople' },
    });
    expect(events.map((event) => (event.data as { count: number }).count >= 20)).toEqual([true]);
  });
});

describe('a browser session', () => {
  test('reads and changes nothing', async () => {
    const cookie = await cookieOf('adam');
    expect((await call('/me', { headers: { cookie } })).json()).toMatchObject({
      displayName: 'adam',
      via: 'session',
    });
    const path = `/people/${people.nora?.personId}/deactivate`;
    const answer = await call(path, {
      method: 'POST',
      body: { reason: 'x' },
      headers: { cookie, origin: gate.consoleOrigin },
    });
    expect(answer.status).toBe(403);
    expect(
      await gate.database.db.prisma.person.findUnique({ where: { id: people.nora?.personId } }),
    ).toMatchObject({ state: 'active' });
  });
  test('together with a bearer token is ambiguous', async () => {
    const cookie = await cookieOf('adam');
    expect((await call('/me', { as: 'olive', headers: { cookie } })).status).toBe(400);
  });
  test('sent twice counts as none: a neighbouring host may have planted one', async () => {
    const [one, two] = [await cookieOf('adam'), await cookieOf('olive')];
    expect((await call('/me', { headers: { cookie: `${one}; ${two}` } })).status).toBe(401);
  });
  test('is not looked at under the issuer name', async () => {
    const cookie = await cookieOf('adam');
    const at = new URL(gate.issuer).host;
    expect((await call('/me', { at, headers: { cookie } })).status).toBe(401);
    const answer = await call('/me', { at, as: 'adam', headers: { cookie } });
    expect([answer.status, answer.headers['set-cookie']]).toEqual([200, undefined]);
  });
  test('killed is dead for the next call', async () => {
    const cookie = await cookieOf('olive');
    expect((await call('/me', { headers: { cookie } })).status).toBe(200);
    await gate.database.db.prisma.personSession.updateMany({
      where: { personId: people.olive?.personId },
      data: { endedAt: new Date() },
    });
    expect((await call('/me', { headers: { cookie } })).status).toBe(401);
  });
});

describe('a bearer token', () => {
  test.each([
    '',
    'cs_',
    'Basic abc',
    `Bearer cs_${'a'.repeat(46)}`,
    'Bearer a b',
    `Bearer ${'x'.repeat(9_000)}`,
  ])('of the form %j is nobody', async (authorization) => {
    expect((await call('/me', { headers: { authorization } })).status).toBe(401);
  });
  test('dies with the leaver', async () => {
    const lea = await addPerson(gate.database.db, 'lea', ['owner']);
    const { token } = await createApiToken(ctxFor(lea), { name: 'x', days: 1 });
    const headers = { authorization: `Bearer ${token}` };
    expect((await call('/me', { headers })).status).toBe(200);
    const path = `/people/${lea.personId}/deactivate`;
    const answer = await call(path, { as: 'adam', method: 'POST', body: { reason: 'left' } });
    // A token can give no proof of who holds it.
    expect(answer.status).toBe(403);
    const admin = { ...(people.adam as PersonActor), elevatedAt: new Date() };
    await deactivatePerson(ctxFor(admin), { personId: lea.personId, reason: 'left' });
    expect((await call('/me', { headers })).status).toBe(401);
  });
});

describe('no other origin', () => {
  test.each([
    'https://evil.example',
    'null',
    'http://countersign.localhost.evil.example',
    'http://evil.countersign.localhost:4402',
  ])('gets a share: %s', async (origin) => {
    for (const method of ['GET', 'OPTIONS']) {
      const answer = await call('/me', {
        as: 'olive',
        method,
        headers: { origin, 'access-control-request-method': 'GET' },
      });
      expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    }
  });
  test.each([
    'evil.example',
    'localhost.evil.example:4402',
    '127.0.0.1:4402',
    '[::1]:4402',
    'countersign.localhost',
  ])('reaches it by the name %s', async (at) => {
    expect((await call('/me', { as: 'olive', at })).status).toBe(421);
  });
});

describe('one spelling', () => {
  test.each(['/ME', '/me/', '//me', '/%6de', '/me;x', '/./me', '/people/../me', '/me%00'])(
    '%s is not /me',
    async (path) => {
      expect([400, 404]).toContain((await call(path, { as: 'olive' })).status);
    },
  );
  test.each([
    ['X-HTTP-Method-Override', 'DELETE'],
    ['X-Method-Override', 'POST'],
  ])('%s changes nothing', async (name, value) => {
    expect((await call('/me', { as: 'olive', headers: { [name]: value } })).status).toBe(200);
  });
});

describe('what is sent', () => {
  const path = () => `/people/${people.nora?.personId}/deactivate`;
  test.each([
    ['a form', 'reason=x', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['text', '{}', { 'content-type': 'text/plain' }, 415],
    ['two types', '{}', { 'content-type': 'application/json, text/plain' }, 415],
    ['compressed', '{}', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, 415],
    ['not UTF-8', '"\\ud800"', { 'content-type': 'application/json' }, 400],
    ['too deep', '['.repeat(40) + ']'.repeat(40), { 'content-type': 'application/json' }, 400],
    ['too long', `{"reason":"${'x'.repeat(300_000)}"}`, { 'content-type': 'application/json' }, 413],
    [
      'unknown members',
      '{"reason":"x","state":"active","personId":"other"}',
      { 'content-type': 'application/json' },
      422,
    ],
    ['nothing', '', { 'content-type': 'application/json' }, 422],
  ])('%s is refused', async (_name, body, headers, status) => {
    const answer = await call(path(), { as: 'adam', method: 'POST', body, headers });
    expect(answer.status).toBe(status);
  });
  test('a repeated parameter is refused', async () => {
    expect((await call('/people?role=admin&role=owner', { as: 'adam' })).status).toBe(422);
  });
});

describe('an idempotency key', () => {
  const path = '/servers';
  const server = (name: string, change = {}) => ({
    name,
    resource: `https://${name}.example/mcp`,
    ...change,
  });
  test('makes a repeated call one call, answered alike', async () => {
    const body = server('ida');
    const send = () =>
      call(path, {
        as: 'adam',
        method: 'POST',
        body,
        headers: { 'idempotency-key': 'k-1' },
      });
    const first = await send();
    expect([first.status, (await send()).text]).toEqual([201, first.text]);
    expect((await call(path, { as: 'adam', method: 'POST', body })).status).toBe(409);
  });
  test('sent ten times at once has one effect and no failure', async () => {
    const body = server('ivo');
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        call(path, {
          as: 'adam',
          method: 'POST',
          body,
          headers: { 'idempotency-key': 'k-2' },
        }),
      ),
    );
    for (const answer of answers) expect([201, 409]).toContain(answer.status);
    expect(answers.filter((answer) => answer.status === 201).length).toBeGreaterThanOrEqual(1);
    const added = await gate.database.db.prisma.mcpServer.findUniqueOrThrow({
      where: { resource: body.resource },
      select: { id: true },
    });
    expect(
      await gate.database.db.prisma.auditEvent.count({ where: { kind: 'server.add', subjectId: added.id } }),
    ).toBe(1);
  });
  test('keeps no secret in clear, and gives it again to whoever asked for it, from its own row alone', async () => {
    const { serverId } = await createServer(ctxFor(systemActor('test')), []);
    const { prisma } = gate.database.db;
    const newest = () => prisma.idempotencyKey.findFirstOrThrow({ orderBy: { createdAt: 'desc' } });
    const send = (name: string) =>
      call(`/servers/${serverId}/resource-tokens`, {
        as: 'adam',
        method: 'POST',
        body: { name, lifetimeDays: 1 },
        headers: { 'idempotency-key': `k-${name}` },
      });
    const first = await send('one');
    const { token } = first.json() as { token: string };
    expect([first.status, typeof token]).toEqual([201, 'string']);
    const row = await newest();
    expect(JSON.stringify(row)).not.toContain(token);
    expect((await send('one')).text).toBe(first.text);

    await send('two');
    const { key } = await newest();
    await prisma.idempotencyKey.update({ where: { key }, data: { response: row.response as object } });
    const moved = await send('two');
    expect([moved.status, moved.text.includes(token)]).toEqual([500, false]);

    // As a version that kept answers in clear left it.
    await prisma.idempotencyKey.update({
      where: { key: row.key },
      data: { response: { text: first.text } },
    });
    expect((await send('one')).status).toBe(409);
  });
  test('used for another body is refused', async () => {
    const body = server('ira');
    const headers = { 'idempotency-key': 'k-3' };
    await call(path, { as: 'adam', method: 'POST', body, headers });
    expect(
      (await call(path, { as: 'adam', method: 'POST', body: { ...body, name: 'other' }, headers })).status,
    ).toBe(422);
  });
  test('of a call that failed may be used again', async () => {
    const headers = { 'idempotency-key': 'k-4' };
    const body = server('ian');
    expect((await call(path, { as: 'ava', method: 'POST', body, headers })).status).toBe(403);
    expect((await call(path, { as: 'adam', method: 'POST', body, headers })).status).toBe(201);
  });
  test('whose answer was lost after the effect says that it took effect', async () => {
    const body = server('ike');
    const headers = { 'idempotency-key': 'k-5' };
    await call(path, { as: 'adam', method: 'POST', body, headers });
    // What the row looks like when the process died between the commit and storing the answer.
    const row = await gate.database.db.prisma.idempotencyKey.findFirstOrThrow({
      orderBy: { createdAt: 'desc' },
    });
    await gate.database.db.prisma.idempotencyKey.update({
      where: { key: row.key },
      data: { status: 1, response: {} },
    });
    const again = await call(path, { as: 'adam', method: 'POST', body, headers });
    expect([again.status, again.json()]).toMatchObject([409, { tookEffect: true }]);
  });
  test('abandoned before any effect runs again', async () => {
    const body = server('isa');
    const headers = { 'idempotency-key': 'k-6' };
    await call(path, { as: 'adam', method: 'POST', body, headers });
    const row = await gate.database.db.prisma.idempotencyKey.findFirstOrThrow({
      orderBy: { createdAt: 'desc' },
    });
    const earlier = addSeconds(new Date(), -120);
    await gate.database.db.prisma.idempotencyKey.update({
      where: { key: row.key },
      data: { status: 0, createdAt: earlier },
    });
    // It runs, and finds the server already there.
    expect((await call(path, { as: 'adam', method: 'POST', body, headers })).status).toBe(409);
  });
});

test('the description names every operation, its problems and how to sign in', async () => {
  const document = (await call('/openapi.json')).json() as {
    paths: Record<string, Record<string, { responses: object }>>;
    components: { securitySchemes: object };
  };
  for (const route of apiRoutes) {
    const operation = document.paths[route.path]?.[route.method];
    expect(operation?.responses).toHaveProperty('401');
  }
  expect(document.components.securitySchemes).toHaveProperty('apiToken');
});

test('no secret of the database comes out of any list', async () => {
  const secrets = await gate.database.db.hot.query<{ secret: string }>(
    'SELECT token_digest AS secret FROM api_token UNION SELECT token_digest FROM person_session',
  );
  for (const { method, path } of operations.filter((operation) => operation.method === 'GET')) {
    const { text } = await call(path, { as: 'adam', method });
    for (const { secret } of secrets.rows) expect(text).not.toContain(secret);
    for (const token of Object.values(tokens)) expect(text).not.toContain(token);
  }
});
