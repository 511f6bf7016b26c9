import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { flushAnonymousRefusals } from '#lib/audit/refusals.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { ctxOf } from '../context.ts';

let gate: TestGate;

beforeAll(async () => {
  gate = await startTestGate(4500, {
    COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '5000',
    COUNTERSIGN_REGISTRATIONS_PER_MINUTE: '20000',
  });
});
afterAll(() => gate.close());

function register(body: unknown, headers: Record<string, string> = {}) {
  return gate.ask('/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body),
  });
}

async function counts() {
  const { rows } = await gate.database.db.hot.query(
    "SELECT (SELECT count(*)::int FROM client) AS clients, (SELECT count(*)::int FROM audit_event WHERE kind = 'client.register') AS events",
  );
  return rows[0] as { clients: number; events: number };
}

const native = {
  client_name: 'Codex',
  redirect_uris: ['http://127.0.0.1:49152/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
  application_type: 'native',
};

describe('registration (RFC 7591)', () => {
  test('answers 201 with a usable client_id, everything registered, and no-store', async () => {
    const answer = await register({ ...native, x_unknown: 1 });
    expect(answer.status).toBe(201);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.json()).toMatchObject({
      client_id: expect.stringMatching(/^client_/),
      client_id_issued_at: expect.any(Number),
      redirect_uris: native.redirect_uris,
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
    });
    expect(answer.json()).not.toHaveProperty('x_unknown');
    expect(answer.json()).not.toHaveProperty('client_secret');
  });

  test('a quarantined client has a custodian, an end within 24 h, and its event, and no instance', async () => {
    const { client_id: clientId } = (await register(native)).json();
    const { prisma } = gate.database.db;
    const client = await prisma.client.findUniqueOrThrow({
      where: { id: clientId as string },
      include: { instances: true },
    });
    expect(client.custodian).not.toBe('');
    expect(client.revocationHandle).not.toBe('');
    expect(client.instances).toEqual([]);
    const hours = (client.quarantineEndsAt.getTime() - client.registeredAt.getTime()) / 3_600_000;
    expect(hours).toBe(24);
    const events = await prisma.auditEvent.findMany({ where: { subjectId: clientId as string } });
    expect(events.map((event) => event.kind)).toEqual(['client.register']);
  });

  test('a hosted client that names no method gets a secret that ends, stored as its digest', async () => {
    const body = (await register({ redirect_uris: ['https://app.example.com/cb'] })).json();
    expect(body.token_endpoint_auth_method).toBe('client_secret_basic');
    expect(body.client_secret).toEqual(expect.any(String));
    expect(Number(body.client_secret_expires_at)).toBeGreaterThan(Date.now() / 1000);
    const row = await gate.database.db.prisma.client.findUniqueOrThrow({
      where: { id: body.client_id as string },
    });
    expect(JSON.stringify(row)).not.toContain(body.client_secret);
  });

  test('unknown state members change nothing (T29)', async () => {
    const answer = await register(
      `{"redirect_uris":["http://127.0.0.1/cb"],"client_id":"mine","status":"approved","approved_by":"x","owner":"x","trusted":true,"constructor":{"a":1}}`,
    );
    expect(answer.status).toBe(201);
    expect(answer.json().client_id).not.toBe('mine');
    const row = await gate.database.db.prisma.client.findUniqueOrThrow({
      where: { id: answer.json().client_id as string },
    });
    expect(row).toMatchObject({ kind: 'dynamic', claimedAt: null });
    expect(JSON.stringify(row.metadata)).not.toMatch(/approved|trusted|owner/);
    const proto = await register(
      '{"redirect_uris":["http://127.0.0.1/cb"],"__proto__":{"status":"approved"}}',
    );
    expect(proto.status).toBe(400);
  });

  test('dangerous redirects are refused, none is stored (T18, T19)', async () => {
    const before = await counts();
    const refused = [
      'javascript:alert(1)',
      'JavaScript:alert(1)',
      ' javascript:alert(1)',
      '\tjavascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      'blob:https://x/y',
      'about:blank',
      'intent://x#Intent;end',
      'ws://x',
      'wss://x',
      'ftp://x/y',
      'http://evil.example/cb',
      'http://127.0.0.1.evil.example/cb',
      'http://localhost.evil.example/cb',
      'http://localhost./cb',
      'http://127.1/cb',
      'http://0x7f000001/cb',
      'http://2130706433/cb',
      'http://0177.0.0.1/cb',
      'http://[::ffff:127.0.0.1]/cb',
      'http://[::1%25lo]/cb',
      'http://127.0.0.1@evil.example/cb',
      'http://0.0.0.0/cb',
      'https://*.example.com/cb',
      'https://user@example.com/cb',
      'https://user:pw@example.com/cb',
      'https://example.com/cb#x',
      'https://example.com\\@evil.example/',
      'https://xn--pple-43d.com/cb',
      'https:/example.com/cb',
      'https:example.com',
      '//example.com/cb',
      'myapp:/callback',
      'callback',
      '',
      'https://',
      'https://example.com/%zz',
      'https://exa mple.com/',
      'https://example.com/../cb',
      'https://EXAMPLE.com/cb',
      'https://countersign.localhost/cb',
      'https://countersign.localhost:4500/cb',
      'https://example.com/cb?code=1',
      'https://example.com/\u0000',
      'https://example。com/cb',
      'http://①②⑦.0.0.1/cb',
      'http://127.0.0.1:0/cb',
      'http://127.0.0.1:99999/cb',
      'http://127.0.0.1:80a/cb',
      'https://example.com/*',
    ];
    for (const uri of refused) {
      const answer = await register({ redirect_uris: [uri] });
      expect([uri, answer.status], uri).toEqual([uri, 400]);
      expect(answer.json().error).toMatch(/^invalid_(redirect_uri|client_metadata)$/);
      const among = await register({ redirect_uris: ['http://127.0.0.1/cb', uri] });
      expect([uri, among.status]).toEqual([uri, 400]);
    }
    for (const redirects of [
      undefined,
      null,
      'https://a.example/cb',
      [],
      [1],
      [['https://a.example/cb']],
      {},
    ]) {
      expect((await register({ redirect_uris: redirects })).status).toBe(400);
    }
    expect(await counts()).toEqual(before);
  });

  test('mixed sets of real clients are accepted whole', async () => {
    const cursor = await register({
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'http://localhost:8787/callback',
      ],
    });
    expect(cursor.status).toBe(201);
    const code = await register({
      redirect_uris: [
        'https://insiders.vscode.dev/redirect',
        'https://vscode.dev/redirect',
        'http://127.0.0.1/',
        'http://127.0.0.1:33418/',
      ],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    });
    expect(code.status).toBe(201);
    expect(code.json().redirect_uris).toHaveLength(4);
  });

  test('other media types, sizes, encodings and shapes get the right refusal in bounded time (T41, T44)', async () => {
    const before = await counts();
    const table: [number, string | Buffer, Record<string, string>][] = [
      [415, 'redirect_uris=https://a.example/cb', { 'content-type': 'application/x-www-form-urlencoded' }],
      [415, JSON.stringify(native), { 'content-type': 'application/json, text/plain' }],
      [415, JSON.stringify(native), { 'content-type': '' }],
      [413, JSON.stringify({ ...native, client_name: 'x'.repeat(20_000) }), {}],
      [
        413,
        JSON.stringify({ redirect_uris: Array.from({ length: 100_000 }, () => 'https://a.example/cb') }),
        {},
      ],
      [400, '['.repeat(10_000), {}],
      [400, '{"a":'.repeat(2_000), {}],
      [400, '', {}],
      [400, 'null', {}],
      [400, '[]', {}],
      [400, '"x"', {}],
      [400, '{', {}],
      [400, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), {}],
      [400, '{"redirect_uris":["http://127.0.0.1/cb"],"redirect_uris":["https://evil.example/"]}', {}],
      [400, '{"redirect_uris":["http://127.0.0.1/cb"],"client_name":"a\\u0000b"}', {}],
      [400, '{"redirect_uris":["http://127.0.0.1/cb"],"client_name":"\\ud800"}', {}],
      [400, Buffer.from('1f8b0800000000000003', 'hex'), { 'content-encoding': 'gzip' }],
    ];
    for (const [status, body, headers] of table) {
      const started = performance.now();
      const answer = await register(body, headers);
      expect([String(body).slice(0, 40), answer.status]).toEqual([String(body).slice(0, 40), status]);
      expect(answer.json().error).toBe('invalid_client_metadata');
      expect(performance.now() - started).toBeLessThan(1_000);
    }
    expect(await counts()).toEqual(before);
  });

  test('an endless chunked body is cut off at the limit (T41)', async () => {
    const text = await new Promise<string>((resolve) => {
      const socket = connect(4500, '127.0.0.1', () => {
        socket.write(
          'POST /register HTTP/1.1\r\nHost: localhost:4500\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
        );
        const pump = () => {
          while (!socket.destroyed && socket.write(`1000\r\n${'x'.repeat(4096)}\r\n`));
          if (!socket.destroyed) socket.once('drain', pump);
        };
        pump();
      });
      let seen = '';
      socket.on('data', (chunk) => {
        seen += chunk;
        socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(seen));
    });
    expect(text).toMatch(/^HTTP\/1\.1 413/);
  });

  test('adversarial strings at the largest size are judged in well under 50 ms (T42)', async () => {
    const strings = [
      'a'.repeat(11_000),
      'xn--'.repeat(400),
      '%41'.repeat(600),
      '.'.repeat(1_900),
      'а'.repeat(5_000),
      '‮'.repeat(5_000),
      'i1l!|'.repeat(2_000),
    ];
    for (const text of strings) {
      const started = performance.now();
      await register({
        redirect_uris: [`https://a.example/${text}`.slice(0, 2_000)],
        client_name: text,
        software_id: text.slice(0, 1_000),
      });
      expect(performance.now() - started).toBeLessThan(250);
    }
  });

  test('only POST is known here', async () => {
    expect((await gate.ask('/register')).status).toBe(405);
    expect((await gate.ask('/register/', { method: 'POST' })).status).toBe(404);
    expect((await gate.ask('/register', { method: 'OPTIONS' })).headers['access-control-allow-origin']).toBe(
      '*',
    );
  });
});

describe('the intake', () => {
  test('another network is refused before a row is written, with the refusal in history (R3, T45)', async () => {
    await using closed = await startTestGate(4501, { COUNTERSIGN_REGISTRATION_NETWORKS: '10.9.0.0/16' });
    const send = (headers: Record<string, string>) =>
      closed.ask('/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(native),
      });
    for (const headers of [
      {},
      { 'x-forwarded-for': '10.9.1.1' },
      { forwarded: 'for=10.9.1.1' },
      { 'x-real-ip': '10.9.1.1' },
    ]) {
      const answer = await send(headers as Record<string, string>);
      expect(answer.status).toBe(403);
      expect(answer.json().error).toBe('access_denied');
    }
    expect(await closed.database.db.prisma.client.count()).toBe(0);
    await flushAnonymousRefusals(ctxOf(closed.running.gate, { actor: systemActor('test') }));
    const events = await closed.database.db.prisma.auditEvent.findMany({
      where: { kind: 'refusal.anonymous', subjectId: 'register' },
    });
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ reason: 'network', outcome: 'refused', data: { count: 4 } });
  });

  test('a flood is held to the budget and ends nothing that was claimed; refusals are one event (T39)', async () => {
    await using small = await startTestGate(4502, {
      COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '20',
      COUNTERSIGN_REGISTRATIONS_PER_MINUTE: '400',
      COUNTERSIGN_UNCLAIMED_PER_SOURCE: '10',
      COUNTERSIGN_UNCLAIMED_CLIENTS: '15',
    });
    const send = () =>
      small.ask('/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(native),
      });
    const first = (await send()).json().client_id as string;
    await small.database.db.prisma.client.update({ where: { id: first }, data: { claimedAt: new Date() } });
    const statuses = await Promise.all(
      Array.from({ length: 200 }, () => send().then((answer) => answer.status)),
    );
    const registered = statuses.filter((status) => status === 201).length;
    expect(registered).toBeGreaterThanOrEqual(38);
    expect(registered).toBeLessThan(60);
    expect(new Set(statuses)).toEqual(new Set([201, 429]));
    const living = await small.database.db.prisma.client.count({
      where: { claimedAt: null, forgottenAt: null },
    });
    expect(living).toBeLessThanOrEqual(12);
    const claimed = await small.database.db.prisma.client.findUniqueOrThrow({ where: { id: first } });
    expect(claimed.forgottenAt).toBeNull();
  });

  test('a full house makes room at the expense of the noisiest network only (T40)', async () => {
    await using small = await startTestGate(4503, {
      COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '1000',
      COUNTERSIGN_REGISTRATIONS_PER_MINUTE: '4000',
      COUNTERSIGN_UNCLAIMED_PER_SOURCE: '40',
      COUNTERSIGN_UNCLAIMED_CLIENTS: '50',
      COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.0/8',
    });
    const send = (address: string) =>
      small.ask('/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
        body: JSON.stringify(native),
      });
    const honest = (await send('10.1.1.1')).json().client_id as string;
    for (let index = 0; index < 80; index++) expect((await send('10.2.2.2')).status).toBe(201);
    for (let index = 0; index < 15; index++) expect((await send(`10.3.${index}.1`)).status).toBe(201);
    const { prisma } = small.database.db;
    expect((await prisma.client.findUniqueOrThrow({ where: { id: honest } })).forgottenAt).toBeNull();
    expect(
      await prisma.client.count({
        where: { forgottenCause: 'evicted', NOT: { sourcePrefix: '10.2.2.0/24' } },
      }),
    ).toBe(0);
    expect(await prisma.client.count({ where: { claimedAt: null, forgottenAt: null } })).toBeLessThanOrEqual(
      52,
    );
    expect(await prisma.auditEvent.count({ where: { kind: 'client.evict' } })).toBeGreaterThan(0);
  });

  test('when the common budget is gone, a quiet network still gets in (T40)', async () => {
    await using small = await startTestGate(4504, {
      COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '500',
      COUNTERSIGN_REGISTRATIONS_PER_MINUTE: '40',
      COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.0/8',
    });
    const send = (address: string) =>
      small.ask('/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
        body: JSON.stringify(native),
      });
    const flood = await Promise.all(
      Array.from({ length: 600 }, () => send('10.2.2.2').then((answer) => answer.status)),
    );
    expect(flood).toContain(429);
    expect((await send('10.7.7.7')).status).toBe(201);
  });
});
