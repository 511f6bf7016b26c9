import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openVault, randomToken } from '#lib/platform/crypto.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { createTestDatabase, type TestDatabase } from '../tests/database.ts';
import { addPerson } from '../tests/people.ts';
import { pathOf, type RunningGate, startGate } from './main.ts';

const startSecret = randomToken();
let database: TestDatabase;
let console_: Server;
let gate: RunningGate;
let seen: IncomingMessage | null = null;

type Answer = { status: number; headers: Record<string, unknown>; text: string };

function ask(
  path: string,
  options: { host?: string; method?: string; headers?: object; body?: string } = {},
) {
  return new Promise<Answer>((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: gate.port,
        path,
        method: options.method ?? 'GET',
        headers: { host: options.host ?? 'countersign.localhost:4401', ...options.headers },
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(options.body);
  });
}

function raw(bytes: string) {
  return new Promise<string>((resolve, reject) => {
    const socket = connect(gate.port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

beforeAll(async () => {
  database = await createTestDatabase();
  console_ = createServer((incoming, outgoing) => {
    seen = incoming;
    outgoing.setHeader('set-cookie', 'a=b');
    outgoing.setHeader('connection', 'keep-alive, x-private');
    outgoing.setHeader('x-private', '1');
    incoming.resume();
    incoming.on('end', () => outgoing.end('page'));
  });
  await new Promise<void>((resolve) => console_.listen(0, '127.0.0.1', resolve));
  const config = parseConfig(
    { PORT: '4401', LOG_LEVEL: 'silent', COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.0/8' },
    { workingFolder: '/' },
  );
  gate = await startGate({
    config: { ...config, port: 0 },
    db: database.db,
    vault: openVault(Buffer.alloc(32, 7)),
    log: createLogger({ level: 'silent' }),
    startSecret,
    console: { host: '127.0.0.1', port: (console_.address() as { port: number }).port },
    verbSocket: null,
  });
});

afterAll(async () => {
  await gate?.close();
  console_?.close();
  await database?.drop();
});

describe('the Host header decides', () => {
  test.each([
    'evil.example',
    'countersign.localhost',
    'countersign.localhost:4401.evil.example',
    '127.0.0.1:4401',
    'x.countersign.localhost:4401',
  ])('%s is refused as a name this server does not answer for', async (host) => {
    expect((await ask('/', { host })).status).toBe(421);
  });
  test('the issuer host serves no page', async () => {
    seen = null;
    expect((await ask('/', { host: 'localhost:4401' })).status).toBe(404);
    expect(seen).toBeNull();
  });
  test('health is answered under any name', async () => {
    expect((await ask('/healthz', { host: '10.0.0.9' })).text).toBe('{"status":"ok"}');
  });
});

describe('the console behind the gate', () => {
  test('is introduced to the caller by headers the browser cannot set', async () => {
    await ask('/requests?state=draft', {
      headers: {
        'x-countersign-viewer': 'forged',
        'x-countersign-start': 'forged',
        'x-forwarded-for': '203.0.113.9',
        'x-forwarded-host': 'evil.example',
        'x-middleware-subrequest': 'middleware:middleware',
        forwarded: 'for=1.2.3.4',
        connection: 'close, x-hop',
        'x-hop': '1',
        accept: 'text/html',
      },
    });
    expect(seen?.url).toBe('/requests?state=draft');
    expect(seen?.headers).toMatchObject({
      host: 'countersign.localhost:4401',
      accept: 'text/html',
      'x-countersign-start': startSecret,
      'x-countersign-address': '203.0.113.9',
      'x-forwarded-host': 'countersign.localhost:4401',
      'x-forwarded-proto': 'http',
    });
    for (const name of [
      'x-countersign-viewer',
      'x-middleware-subrequest',
      'forwarded',
      'x-hop',
      'x-forwarded-for',
    ]) {
      expect(seen?.headers).not.toHaveProperty(name);
    }
  });
  test('its connection headers stay on its side', async () => {
    const answer = await ask('/');
    expect(answer.headers).not.toHaveProperty('x-private');
    expect(answer.headers['set-cookie']).toEqual(['a=b']);
  });
  test('takes GET, HEAD and POST only', async () => {
    const answer = await ask('/', { method: 'DELETE' });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'GET, HEAD, POST']);
  });
  test('a body over a megabyte is refused', async () => {
    const body = 'x'.repeat(1024 * 1024 + 1);
    expect((await ask('/', { method: 'POST', body })).status).toBe(413);
  });
  test('an upgrade is refused', async () => {
    const answer = await raw(
      'GET / HTTP/1.1\r\nHost: countersign.localhost:4401\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 400/);
  });
});

describe('the REST face', () => {
  test('refuses strangers with a problem document', async () => {
    const answer = await ask('/api/v1/people', { headers: { authorization: 'Bearer nonsense' } });
    expect(answer.status).toBe(401);
    expect(answer.headers['content-type']).toMatch('application/problem+json');
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(JSON.parse(answer.text)).toMatchObject({
      type: 'urn:countersign:problem:unauthenticated',
      status: 401,
    });
  });
  test('answers no preflight', async () => {
    const answer = await ask('/api/v1/people', {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(answer.status).toBe(405);
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
  test('describes itself', async () => {
    const answer = await ask('/api/v1/openapi.json');
    expect(JSON.parse(answer.text)).toMatchObject({ openapi: '3.1.0' });
  });
  test('an unknown path is not found, another method is named', async () => {
    expect((await ask('/api/v1/nothing')).status).toBe(404);
    expect((await ask('/api/v1/openapi.json', { method: 'POST' })).status).toBe(405);
  });
});

test('metrics stay among neighbours', async () => {
  expect((await ask('/metrics')).text).toContain('countersign_http_requests_total');
  expect((await ask('/metrics', { headers: { 'x-forwarded-for': '203.0.113.9' } })).status).toBe(404);
});

test('one host name for both faces is refused at start', async () => {
  const config = {
    ...gate.gate.config,
    issuer: 'http://a.localhost:1',
    consoleOrigin: 'http://a.localhost:2',
  };
  await expect(
    startGate({
      config,
      db: database.db,
      vault: gate.gate.vault,
      log: gate.gate.log,
      startSecret,
      console: null,
      verbSocket: null,
    }),
  ).rejects.toThrow(/different host names/);
});

// Linux answers on all of 127.0.0.0/8; elsewhere a second loopback address would have to be set up first.
test.runIf(process.platform === 'linux')('only loopback is listened on until an admin exists', async () => {
  await using fresh = await createTestDatabase();
  const waiting = await startGate({
    config: { ...gate.gate.config, port: 0, listenAddresses: ['127.0.0.3'] },
    db: fresh.db,
    vault: gate.gate.vault,
    log: gate.gate.log,
    startSecret,
    console: null,
    verbSocket: null,
  });
  const health = (address: string) =>
    fetch(`http://${address}:${waiting.port}/healthz`).then(
      (answer) => answer.status,
      () => 'closed',
    );
  try {
    expect([await health('127.0.0.1'), await health('127.0.0.3')]).toEqual([200, 'closed']);
    await addPerson(fresh.db, 'adam', ['admin']);
    await expect.poll(() => health('127.0.0.3'), { timeout: 10_000 }).toBe(200);
  } finally {
    await waiting.close();
  }
});

describe('a path has one spelling', () => {
  const odd = [
    'http://evil.example/token',
    'token',
    '*',
    '//token',
    '/a//b',
    '/a/../token',
    '/./token',
    '/..',
    '/tok%65n',
    '/%2e%2e/token',
    '/token;x=1',
    '/tok\\en',
    '/a%5cb',
    '/a%00',
    '/a%',
    '/a%zz',
    '/tab\there',
  ];
  test.each(odd)('%s is refused', (url) => {
    expect(pathOf(url)).toBeNull();
  });
  test.each(['/', '/token?x=//..;', '/clients/https%3A%2F%2Fa.example%2Fb', '/caf%C3%A9'])(
    '%s is taken',
    (url) => {
      expect(pathOf(url)).toBe(url.split('?')[0]);
    },
  );
});
