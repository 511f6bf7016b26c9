import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Actor } from '#lib/platform/actor.ts';
import { anonymous, systemActor } from '#lib/platform/actor.ts';
import { startNotesServer } from '../../examples/notes-server.ts';
import { personActor, TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { startRawMcpServer } from '../../tests/raw-mcp-server.ts';
import { askUpstream } from './ask-upstream.ts';
import { probeEverySeconds, probeServer, probeServers } from './probe-server.ts';
import { addServer, addServerInput, editServer } from './servers.ts';

const admin = personActor('per_admin', ['admin']);
let database: TestDatabase;
let folder: string;
let count = 0;
let clock: TestClock;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(path.join(os.tmpdir(), 'probe-'));
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  clock = new TestClock();
});

const ctx = (actor: Actor = admin) => testCtx(database.db, actor, { clock });
const rowOf = (id: string) => database.db.prisma.mcpServer.findUniqueOrThrow({ where: { id } });
const eventsOf = (id: string) =>
  database.db.prisma.auditEvent.findMany({
    where: { subjectId: id, kind: 'server.probe' },
    orderBy: { arrival: 'asc' },
  });

async function add(upstreamUrl: string | null): Promise<string> {
  count += 1;
  const { id } = await addServer(
    ctx(),
    addServerInput.parse({
      name: `Server ${count}`,
      resource: `http://127.0.0.1:${9000 + count}/mcp`,
      upstreamUrl,
      upstreamCredential: upstreamUrl && 'kept-secret',
    }),
  );
  return id;
}

const notes = (key?: string, port = 0) => startNotesServer({ folder, port, key });
const portOf = (url: string) => Number(new URL(url).port);

/** Something that speaks HTTP and is told how; remembers what it was asked. */
type HttpAnswer = { status: number; body?: string; location?: string };
async function startHttp(answer: (body: string) => HttpAnswer | Promise<HttpAnswer>) {
  const seen: { headers: Record<string, unknown>; body: string }[] = [];
  const http: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = Buffer.concat(chunks).toString('utf8');
      seen.push({ headers: request.headers, body });
      const { status, body: said = '', location } = await answer(body);
      response.writeHead(status, { 'content-type': 'application/json', ...(location ? { location } : {}) });
      response.end(said);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    seen,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

describe('what a server is found to be', () => {
  test('a real MCP server that asks for nothing answers; the same with a key refuses; gone it is unreachable', async () => {
    const open = await notes();
    expect(await askUpstream(open.url, undefined)).toMatchObject({
      outcome: 'answers',
      detail: expect.stringMatching(/^It listed 6 tools/),
    });
    const port = portOf(open.url);
    await open.close();
    const closed = await notes('key-of-the-guard', port);
    expect(await askUpstream(closed.url, undefined)).toMatchObject({ outcome: 'refuses' });
    await closed.close();
    expect(await askUpstream(closed.url, undefined)).toMatchObject({ outcome: 'unreachable' });
  });

  test.each([
    ['a page that is no MCP server', { status: 404 }],
    ['a failure', { status: 500, body: '{}' }],
    ['an answer that is not JSON-RPC', { status: 200, body: '{"hello":"there"}' }],
    ['more than the megabyte that is read', { status: 200, body: `"${'x'.repeat(2_000_000)}"` }],
  ])('%s is neither an answer nor a refusal', async (_what, answer) => {
    await using http = await startHttp(() => answer);
    expect(await askUpstream(http.url, undefined)).toMatchObject({ outcome: 'unknown' });
  });

  test('nothing is carried there: no credential, no cookie; a redirect is not followed', async () => {
    await using target = await startHttp(() => ({ status: 200 }));
    await using http = await startHttp(() => ({ status: 307, location: target.url }));
    expect((await askUpstream(http.url, undefined)).outcome).not.toBe('answers');
    expect(target.seen).toEqual([]);
    expect(http.seen.length).toBeGreaterThan(0);
    for (const { headers } of http.seen) {
      expect(headers).not.toHaveProperty('authorization');
      expect(headers).not.toHaveProperty('cookie');
    }
  });

  test('a server that keeps saying "ask on" is asked a bounded number of times', async () => {
    await using http = await startHttp((body) => ({
      status: 200,
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: (JSON.parse(body) as { id?: number }).id ?? 0,
        error: { code: -32_000, message: 'later' },
      }),
    }));
    await askUpstream(http.url, undefined);
    expect(http.seen.length).toBeLessThanOrEqual(8);
  });
});

describe('where no request goes, whatever an admin wrote', () => {
  const networks = ['10.0.0.0/8'];
  test.each([
    ['the metadata service of a cloud', 'http://169.254.169.254/latest/meta-data/'],
    ['the same in one number', 'http://2852039166/'],
    ['the same in hexadecimal', 'http://0xa9fea9fe/'],
    ['the same in octal', 'http://0251.0376.0251.0376/'],
    ['the same mapped into IPv6', 'http://[::ffff:169.254.169.254]/'],
    ['the metadata service over IPv6', 'http://[fd00:ec2::254]/'],
    ['the agent of another cloud', 'http://168.63.129.16/'],
    ['the metadata service of a third', 'http://100.100.100.200/'],
    ['no address', 'http://0.0.0.0/'],
    ['no address over IPv6', 'http://[::]/'],
    ['a link-local address', 'http://[fe80::1]/'],
    ['everybody', 'http://255.255.255.255/'],
    ['a group', 'http://224.0.0.1/'],
  ])('%s is refused under any setting', async (_what, url) => {
    expect(await askUpstream(url, undefined)).toEqual({
      outcome: 'unreachable',
      detail: expect.stringContaining('where no server can be'),
    });
    expect((await askUpstream(url, ['0.0.0.0/0', '::/0'])).detail).toContain('where no server can be');
  });

  test.each([
    ['loopback', 'http://127.0.0.1:1/'],
    ['loopback by another of its names', 'http://127.1/'],
    ['loopback in hexadecimal', 'http://0x7f000001/'],
    ['loopback over IPv6', 'http://[::1]/'],
    ['loopback mapped into IPv6', 'http://[::ffff:127.0.0.1]/'],
    ['a private network', 'http://192.168.1.1/'],
    ['an overlay network', 'http://100.64.0.1/'],
    ['a unique local address', 'http://[fd12::1]/'],
    ['an address behind NAT64', 'http://[64:ff9b::a00:1]/'],
    ['an address behind 6to4', 'http://[2002:a00:1::]/'],
  ])('%s is refused where the networks do not name it', async (_what, url) => {
    expect(await askUpstream(url, networks)).toEqual({
      outcome: 'unreachable',
      detail: expect.stringContaining('outside COUNTERSIGN_UPSTREAM_NETWORKS'),
    });
  });

  test('loopback is reached where the networks name it, and a listener beside them is not', async () => {
    await using http = await startHttp(() => ({ status: 401 }));
    expect(await askUpstream(http.url, networks)).toMatchObject({ outcome: 'unreachable' });
    expect(http.seen).toEqual([]);
    expect(await askUpstream(http.url, ['127.0.0.0/8'])).toMatchObject({ outcome: 'refuses' });
  });
});

describe('probeServer', () => {
  test.each([
    ['an owner', personActor('per_o', ['owner']), 'forbidden'],
    ['an approver', personActor('per_a', ['approver']), 'forbidden'],
    ['an auditor', personActor('per_u', ['auditor']), 'forbidden'],
    ['nobody', anonymous, 'unauthenticated'],
    ['a guard', { kind: 'guard', guardId: 'grd_1', name: 'g' } as Actor, 'unauthenticated'],
  ])('is not %s’s to ask, and no request leaves', async (_who, actor, code) => {
    await using http = await startHttp(() => ({ status: 401 }));
    const serverId = await add(http.url);
    await expect(probeServer(ctx(actor), { serverId })).rejects.toMatchObject({ code });
    expect(http.seen).toEqual([]);
  });

  test('a retired server, one without an address and an unknown one are not asked', async () => {
    const hosted = await add(null);
    await expect(probeServer(ctx(), { serverId: hosted })).rejects.toMatchObject({ code: 'invalid' });
    await database.db.prisma.mcpServer.update({ where: { id: hosted }, data: { state: 'retired' } });
    await expect(probeServer(ctx(), { serverId: hosted })).rejects.toMatchObject({ code: 'conflict' });
    await expect(probeServer(ctx(), { serverId: 'srv_none' })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('an answer about an address that changed meanwhile is not stored as one about the new', async () => {
    let serverId = '';
    await using http = await startHttp(() => ({ status: 401 }));
    await using slow = await startHttp(async () => {
      await editServer(ctx(), { serverId, upstreamUrl: http.url });
      return { status: 401 };
    });
    serverId = await add(slow.url);
    await expect(probeServer(ctx(), { serverId })).rejects.toMatchObject({ code: 'conflict' });
    expect(await rowOf(serverId)).toMatchObject({ upstreamUrl: http.url, probeOutcome: null });
  });

  test('two at once store one answer, and the other is told', async () => {
    await using http = await startHttp(() => ({ status: 401 }));
    const serverId = await add(http.url);
    const both = await Promise.allSettled([
      probeServer(ctx(), { serverId }),
      probeServer(ctx(), { serverId }),
    ]);
    expect(both.map((one) => one.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((one) => one.status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
  });

  test('history says who asked and what came of it, and the stored credential was not sent', async () => {
    await using http = await startHttp(() => ({ status: 401 }));
    const serverId = await add(http.url);
    expect(await probeServer(ctx(), { serverId })).toMatchObject({ outcome: 'refuses' });
    expect(JSON.stringify(http.seen)).not.toContain('kept-secret');
    expect(await eventsOf(serverId)).toMatchObject([
      { actorId: 'per_admin', before: { outcome: null }, after: { outcome: 'refuses' } },
    ]);
  });
});

describe('the schedule', () => {
  const run = () => probeServers(ctx(systemActor('job probe-servers')));

  test('is the installation’s own', async () => {
    await expect(probeServers(ctx())).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('finds an open server, tells the admins once, and tells them when it is closed', async () => {
    const adam = await addPerson(database.db, 'adam', ['admin']);
    const open = await notes();
    const serverId = await add(open.url);
    await run();
    expect(await rowOf(serverId)).toMatchObject({ probeOutcome: 'answers', probedAt: clock.now() });
    const since = clock.now();
    clock.advanceSeconds(probeEverySeconds + 1);
    await run();
    expect(await rowOf(serverId)).toMatchObject({ probedAt: clock.now(), probeSince: since });
    await open.close();
    const closed = await notes('key-of-the-guard', portOf(open.url));
    clock.advanceSeconds(probeEverySeconds + 1);
    await run();
    await closed.close();
    expect(await rowOf(serverId)).toMatchObject({ probeOutcome: 'refuses', probeSince: clock.now() });
    expect(await eventsOf(serverId)).toMatchObject([
      { actorKind: 'system', after: { outcome: 'answers' } },
      { before: { outcome: 'answers' }, after: { outcome: 'refuses' } },
    ]);
    const told = await database.db.prisma.notification.findMany({
      where: { personId: adam.personId, href: `/servers/${serverId}` },
      orderBy: { id: 'asc' },
    });
    expect(told.map((each) => each.title)).toEqual([
      expect.stringContaining('answers without its guard'),
      expect.stringContaining('refuses callers'),
    ]);
  });

  test('asks nobody twice within its pause', async () => {
    await using http = await startHttp(() => ({ status: 401 }));
    const serverId = await add(http.url);
    await run();
    const asked = http.seen.length;
    clock.advanceSeconds(60);
    await run();
    expect(http.seen).toHaveLength(asked);
    expect((await rowOf(serverId)).probeOutcome).toBe('refuses');
  });

  test('a new address starts with no answer', async () => {
    await using http = await startHttp(() => ({ status: 401 }));
    const serverId = await add(http.url);
    await run();
    await editServer(ctx(), { serverId, upstreamUrl: 'http://127.0.0.1:9/mcp' });
    expect(await rowOf(serverId)).toMatchObject({ probeOutcome: null, probedAt: null });
  });
});

test('a compressed list is not unpacked, and its server not taken for one that cannot be reached', async () => {
  const filling = ' '.repeat(16 * 1024 * 1024);
  const raw = await startRawMcpServer({
    answer: async (request, response) => {
      let text = '';
      for await (const chunk of request) text += chunk;
      const { id = null } = JSON.parse(text || '{}');
      const result = {
        protocolVersion: '2025-06-18',
        capabilities: { tools: {} },
        serverInfo: { name: 'raw', version: '1' },
        tools: [],
      };
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      response.end(gzipSync(`${JSON.stringify({ jsonrpc: '2.0', id, result })}${filling}`));
    },
  });
  expect(await askUpstream(raw.url, undefined)).toMatchObject({ outcome: 'unknown' });
  await raw.close();
});
