import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type RunningGuard, startGuard } from './guard.ts';
import type { AgentFacts, BindingFacts } from './protocol.ts';
import { reviewedTool, SmallGate } from './testing/small-gate.ts';
import { answerOk, RecordingUpstream, startSessionServer } from './testing/upstreams.ts';

const recordedId = 'srv_recorded';
const sessionsId = 'srv_sessions';
const recorded = 'http://127.0.0.1:4110/mcp';
const sessionful = 'http://localhost:4111/mcp';
const folder = mkdtempSync(path.join(tmpdir(), 'proxy-'));
const upstream = new RecordingUpstream();
let sessionServer: Awaited<ReturnType<typeof startSessionServer>>;
let gate: SmallGate;
let guard: RunningGuard;
let granted: { agent: AgentFacts; binding: BindingFacts };
let token: string;

beforeAll(async () => {
  gate = await SmallGate.start();
  sessionServer = await startSessionServer();
  gate.addServer({
    server: { id: recordedId, name: 'Recorded', resource: recorded },
    tools: [
      reviewedTool({ name: 'read' }),
      reviewedTool({ name: 'write' }, { class: 'write', risk: 'medium' }),
      reviewedTool({ name: 'wipe' }, { class: 'destructive', risk: 'high' }),
    ],
    upstream: { url: await upstream.start(), headers: { authorization: 'Bearer upstream-secret' } },
  });
  gate.addServer({
    server: { id: sessionsId, name: 'Sessions', resource: sessionful },
    tools: ['echo', 'hidden', 'slow'].map((name) => reviewedTool({ name })),
    upstream: { url: sessionServer.url },
  });
  guard = await startGuard({
    stateDir: path.join(folder, 'guard'),
    joinToken: await gate.joinToken(recordedId, sessionsId),
    allowedOrigins: ['https://inspector.example'],
  });
  await guard.ready();
  granted = await gate.grant(recordedId, [
    'read',
    'wipe',
    { name: 'write', constraints: [{ pointer: '/path', operator: 'below_path', value: '/data' }] },
  ]);
  token = await gate.mint(recordedId, granted);
});
afterAll(async () => {
  await guard?.stop();
  await upstream.close();
  await sessionServer?.close();
  await gate?.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  upstream.seen.length = 0;
  upstream.answer = answerOk;
});

type Sent = {
  method?: string;
  path?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
  port?: number;
};
// biome-ignore lint/suspicious/noExplicitAny: answers are looked into at any depth.
type Got = { status: number; headers: http.IncomingHttpHeaders; text: string; json: () => any };

/** Sends exactly what is given, also what fetch would not. */
function send({ method = 'POST', path = '/mcp', headers = {}, body = '', port = 4110 }: Sent): Promise<Got> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, method, path, headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        json: () => JSON.parse(text),
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
const usual = (): Record<string, string> => ({
  authorization: `Bearer ${token}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
});
const rpc = (method: string, params?: object, id: unknown = 1) =>
  JSON.stringify({ jsonrpc: '2.0', id, method, params });
const call = (name: string, args: object = {}, headers: Record<string, string> = {}) =>
  send({ headers: { ...usual(), ...headers }, body: rpc('tools/call', { name, arguments: args }) });

describe('who gets in', () => {
  test.each(['GET', 'HEAD', 'POST', 'DELETE'])(
    '%s without a token: one challenge that leads to the metadata',
    async (method) => {
      const answer = await send({ method, headers: { accept: 'text/event-stream' } });
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe(
        'Bearer resource_metadata="http://127.0.0.1:4110/.well-known/oauth-protected-resource/mcp", scope="mcp"',
      );
      expect(upstream.seen).toEqual([]);
    },
  );

  test('the metadata names resource and issuer to the byte, at both places', async () => {
    for (const path of [
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-protected-resource',
    ]) {
      const answer = await send({ method: 'GET', path });
      expect(answer.json()).toMatchObject({
        resource: recorded,
        authorization_servers: [gate.issuer],
        scopes_supported: ['mcp'],
      });
      expect(answer.headers['access-control-allow-origin']).toBe('*');
    }
    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
      '/.well-known/x',
    ])
      expect((await send({ method: 'GET', path })).status).toBe(404);
    expect(upstream.seen).toEqual([]);
  });

  test.each([
    ['Basic', 'Basic YTpi', 401],
    ['DPoP', `DPoP ${'a'.repeat(40)}`, 401],
    ['rubbish', 'Bearer a b', 401],
    ['an empty one', 'Bearer ', 401],
    ['a foreign one', 'Bearer aaa.bbb.ccc', 401],
  ])('credential %s is refused', async (_, authorization, status) => {
    const answer = await send({ headers: { ...usual(), authorization }, body: rpc('ping') });
    expect(answer.status).toBe(status);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token"/);
  });

  test('a token in the query is refused', async () => {
    expect(
      (await send({ path: `/mcp?access_token=${token}`, headers: usual(), body: rpc('ping') })).status,
    ).toBe(400);
  });

  test('a token for another server is refused', async () => {
    const other = await gate.mint(sessionsId, await gate.grant(sessionsId, ['echo']));
    expect(
      (await send({ headers: { ...usual(), authorization: `Bearer ${other}` }, body: rpc('ping') })).status,
    ).toBe(401);
  });

  test.each([
    ['another host', { host: 'evil.example' }, 403],
    ['a rebound name', { host: 'localhost:4110' }, 403],
    ['the right host on another port', { host: '127.0.0.1:4111' }, 403],
    ['a foreign page', { origin: 'https://evil.example' }, 403],
    ['a page without origin', { origin: 'null' }, 403],
    ['a page with a look-alike origin', { origin: 'http://localhost.evil.example' }, 403],
    ['an allowed page', { origin: 'https://inspector.example' }, 200],
    ['a page on loopback', { origin: 'http://localhost:6274' }, 200],
  ])('%s: %j gets %i', async (_, headers, status) => {
    expect((await send({ headers: { ...usual(), ...headers }, body: rpc('ping') })).status).toBe(status);
  });

  test.each([
    '//mcp',
    '/mcp/',
    '/MCP',
    '/%6dcp',
    '/mcp;x=1',
    '/mcp/.',
    '/x/../mcp',
    '/./mcp',
    '/mcp%2f',
    '/',
    '/mcp/admin',
    'http://127.0.0.1:4110/mcp',
    '\\mcp',
  ])('path %s is not the path', async (path) => {
    expect([400, 404]).toContain((await send({ path, headers: usual(), body: rpc('ping') })).status);
    expect(upstream.seen).toEqual([]);
  });

  test.each(['PUT', 'PATCH', 'TRACE', 'PROPFIND', 'HEAD'])(
    '%s is no method here, whatever is claimed beside it',
    async (method) => {
      const answer = await send({ method, headers: { ...usual(), 'x-http-method-override': 'POST' } });
      expect(answer.status).toBe(405);
      expect(upstream.seen).toEqual([]);
    },
  );

  test('a repeated header is refused instead of chosen from', async () => {
    for (const name of ['authorization', 'mcp-method', 'content-type', 'origin', 'mcp-session-id']) {
      const value = usual()[name] ?? 'http://localhost';
      const headers = Object.entries({ host: '127.0.0.1:4110', ...usual(), [name]: value }).flat();
      const status = await new Promise<number>((resolve, reject) => {
        const request = http.request(
          { host: '127.0.0.1', port: 4110, method: 'POST', path: '/mcp', headers: [...headers, name, value] },
          (response) => {
            response.resume();
            resolve(response.statusCode ?? 0);
          },
        );
        request.on('error', reject);
        request.end(rpc('ping'));
      });
      expect(status).toBe(400);
    }
  });

  test('two messages smuggled as one are not two', async () => {
    const smuggled = `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:4110\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n`;
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = net.connect(4110, '127.0.0.1', () => socket.write(smuggled));
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
      socket.on('error', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400/);
    expect(upstream.seen).toEqual([]);
  });
});

describe('what gets through', () => {
  test('neither the token nor anything a client claims about itself or its way here', async () => {
    const answer = await call(
      'read',
      {},
      {
        cookie: 'session=1',
        forwarded: 'for=1.2.3.4',
        'x-forwarded-for': '1.2.3.4',
        'x-forwarded-host': 'evil',
        'x-real-ip': '1.2.3.4',
        'x-countersign-agent': 'agt_admin',
        'proxy-authorization': 'Basic x',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
    );
    expect(answer.status).toBe(200);
    const [seen] = upstream.seen;
    expect(seen?.headers.authorization).toBe('Bearer upstream-secret');
    expect(seen?.headers.traceparent).toBeTruthy();
    const names = Object.keys(seen?.headers ?? {});
    for (const name of names) expect(name).not.toMatch(/cookie|forward|real-ip|countersign|proxy/);
    expect(JSON.stringify(seen)).not.toContain(token);
  });

  test('no cookie, challenge or banner of the server', async () => {
    upstream.answer = (request, response) => {
      response.setHeader('set-cookie', 'a=b');
      response.setHeader('www-authenticate', 'Basic');
      response.setHeader('x-countersign-x', '1');
      response.setHeader('server', 'secret/1.0');
      answerOk(request, response);
    };
    const { headers } = await call('read');
    for (const name of ['set-cookie', 'www-authenticate', 'x-countersign-x', 'server'])
      expect(headers[name]).toBeUndefined();
  });

  test.each([401, 403, 302, 500, 503])(
    '%i of the server is not ours: clients would throw their own token away',
    async (status) => {
      upstream.answer = (_, response) =>
        response.writeHead(status, { location: 'http://evil.example' }).end('no');
      const answer = await call('read');
      expect(answer.status).toBe(200);
      expect(answer.json().result.isError).toBe(true);
      expect(answer.headers.location).toBeUndefined();
      const initialize = await send({
        headers: usual(),
        body: rpc('initialize', { protocolVersion: '2025-06-18' }),
      });
      expect(initialize.status).toBe(502);
    },
  );
});

describe('the message', () => {
  const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
    send({ headers: { ...usual(), ...headers }, body });

  test.each([
    ['a batch', `[${rpc('tools/call', { name: 'read' })}]`],
    ['an empty batch', '[]'],
    [
      'a repeated name',
      '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"wipe"}}',
    ],
    [
      'a repeated name in other spelling',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","n\\u0061me":"wipe"}}',
    ],
    ['no JSON', '{'],
    ['nothing', ''],
    ['a call without id', '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"read"}}'],
    ['a null id', '{"jsonrpc":"2.0","id":null,"method":"ping"}'],
    ['a list as id', '{"jsonrpc":"2.0","id":[1],"method":"ping"}'],
    ['another version', '{"jsonrpc":"1.0","id":1,"method":"ping"}'],
    ['positional parameters', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["read"]}'],
    [
      'a number that cannot be passed on',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"n":12345678901234567890}}}',
    ],
    [
      'bottomless nesting',
      `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`,
    ],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
  ])('%s is refused before the server sees it', async (_, body) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(answer.json().error.code).toBeLessThan(0);
    expect(upstream.seen).toEqual([]);
  });

  test('of another type, encoding, size or without the right Accept is refused', async () => {
    expect((await post(rpc('ping'), { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(rpc('ping'), { 'content-type': 'application/json, text/plain' })).status).toBe(415);
    expect((await post(rpc('ping'), { 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await post(rpc('ping'), { accept: 'application/json' })).status).toBe(406);
    expect((await post(rpc('ping', { x: 'a'.repeat(4 * 1024 * 1024) }))).status).toBe(413);
    expect(upstream.seen).toEqual([]);
  });

  test('reaches the server as it was decided on, written anew', async () => {
    await post(
      '{ "params" : {"name":"re\\u0061d","arguments":{"a":1.0}},\n"method":"tools/call","id":7,"jsonrpc":"2.0" }',
    );
    expect(upstream.seen[0]?.body).toBe(
      '{"params":{"name":"read","arguments":{"a":1}},"method":"tools/call","id":7,"jsonrpc":"2.0"}',
    );
  });

  test.each([
    'Read',
    'READ',
    'read ',
    ' read',
    'read.',
    'reаd',
    'ｒｅａｄ',
    'read\u0000',
    'read\u200b',
    'ŕead',
    'srv_recorded/read',
    '../read',
    '__proto__',
    'constructor',
    'toString',
    '',
  ])('tool %j is not the tool that was approved', async (name) => {
    const answer = await call(name);
    expect(answer.json().result.isError).toBe(true);
    expect(upstream.seen).toEqual([]);
  });

  test.each([
    'resources/read',
    'prompts/get',
    'completion/complete',
    'resources/subscribe',
    'tools/Call',
    'constructor',
    'debug/dump',
  ])('method %s is not passed on', async (method) => {
    const answer = await post(rpc(method, { name: 'read', uri: 'x' }));
    expect(answer.json().error).toBeTruthy();
    expect(upstream.seen).toEqual([]);
  });

  test('lists of prompts and resources are empty', async () => {
    expect((await post(rpc('prompts/list'))).json().result).toEqual({ prompts: [] });
    expect((await post(rpc('resources/templates/list'))).json().result).toEqual({ resourceTemplates: [] });
    expect(upstream.seen).toEqual([]);
  });

  test('an argument outside what was approved is refused', async () => {
    expect((await call('write', { path: '/data/a' })).json().result.isError).toBeUndefined();
    for (const given of [{ path: '/data/../etc/passwd' }, { path: '/database' }, {}, { path: ['/data/a'] }])
      expect((await call('write', given)).json().result._meta['countersign/denial'].reasons[0].code).toBe(
        'constraint_unmet',
      );
  });

  test('a denial says what, why and where to ask, to people and to programs', async () => {
    const narrowed = await gate.mint(recordedId, granted, { cs: { tools: ['read'] } } as never);
    const answer = await call('wipe', {}, { authorization: `Bearer ${narrowed}` });
    const { content, _meta } = answer.json().result;
    expect(content[0].text).toBe(
      [
        'Countersign refused the call of "wipe" on "Recorded".',
        'Why: This agent was not approved for this tool.',
        'What to do: Ask for it.',
        `Where to ask: http://countersign.localhost:3000/requests/new?agent=${granted.agent.id}&server=srv_recorded&tool=wipe`,
        'Calling it again will not help until that has been decided.',
      ].join('\n'),
    );
    expect(_meta['countersign/denial']).toMatchObject({
      evaluationId: expect.any(String),
      requestUrl: expect.any(String),
    });
  });
});

describe('lists', () => {
  const tools = [{ name: 'read' }, { name: 'wipe' }, { name: 'unheard-of' }, { name: 'write' }];

  test('show what was approved, as JSON and as a stream cut anywhere, page by page', async () => {
    const bodyFor = (id: unknown) =>
      JSON.stringify({ jsonrpc: '2.0', id, result: { tools, nextCursor: 'more' } });
    const narrowed = await gate.mint(recordedId, granted, { cs: { tools: ['read'] } } as never);
    upstream.answer = (request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(bodyFor(JSON.parse(request.body).id));
    const headers = { ...usual(), authorization: `Bearer ${narrowed}` };
    const json = await send({ headers, body: rpc('tools/list', {}) });
    expect(json.json().result).toEqual({ tools: [{ name: 'read' }], nextCursor: 'more' });

    upstream.answer = (request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const event = `: hello\r\n\r\nevent: message\r\nid: 5\r\ndata: ${bodyFor(JSON.parse(request.body).id)}\r\n\r\n`;
      let at = 0;
      const drip = setInterval(() => {
        response.write(event.slice(at, at + 7));
        at += 7;
        if (at >= event.length) {
          clearInterval(drip);
          response.end();
        }
      }, 1);
    };
    const stream = await send({ headers, body: rpc('tools/list', {}) });
    expect(stream.text).toContain(':\n\n');
    expect(stream.text).toContain('id: 5\n');
    expect(stream.text).toContain('"tools":[{"name":"read"}]');
    expect(stream.text).not.toContain('wipe');
  });

  test.each([
    ['indented', (list: string) => `data:   ${list}\n\n`],
    ['a batch', (list: string) => `data: [${list}]\n\n`],
    ['behind a comment that ends in CR', (list: string) => `: x\rdata: ${list}\r\rdata: {}\n\n`],
    ['behind a byte order mark', (list: string) => `\u{feff}data: ${list}\n\n`],
    ['behind two of them', (list: string) => `\u{feff}\u{feff}data: ${list}\n\n`],
    ['behind one that was encoded twice', (list: string) => `\u{ef}\u{bb}\u{bf}data: ${list}\n\n`],
    ['in lines', (list: string) => `data: ${list.replaceAll(',', ',\ndata:')}\n\n`],
  ])('in a stream written to be read in two ways show no more than that: %s', async (_, stream) => {
    upstream.answer = (request, response) => {
      const list = JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(request.body).id, result: { tools } });
      response.writeHead(200, { 'content-type': 'text/event-stream' }).end(stream(list));
    };
    const answer = await send({ headers: usual(), body: rpc('tools/list', {}) });
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain('unheard-of');
  });

  test('that cannot be read are not passed on', async () => {
    for (const body of ['{"tools":', '[]', `{"jsonrpc":"2.0","id":1,"result":{"tools":[null,{"name":5}]}}`]) {
      upstream.answer = (_, response) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(body);
      const answer = await send({ headers: usual(), body: rpc('tools/list', {}) });
      expect(answer.text).not.toContain('"name":5');
    }
  });

  test('the gate reads them whole with a catalogue token, and can do nothing else with it', async () => {
    upstream.answer = (request, response) =>
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(request.body).id, result: { tools } }));
    const headers = { ...usual(), authorization: `Bearer ${await gate.mintCatalogueToken(recordedId)}` };
    expect((await send({ headers, body: rpc('tools/list', {}) })).json().result.tools).toHaveLength(4);
    upstream.seen.length = 0;
    expect((await send({ headers, body: rpc('tools/call', { name: 'read' }) })).json().error.code).toBe(
      40300,
    );
    expect(upstream.seen).toEqual([]);
  });

  test('a definition that is not the reviewed one is reported once', async () => {
    upstream.answer = (request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          jsonrpc: '2.0',
          id: JSON.parse(request.body).id,
          result: { tools: [{ name: 'read', description: 'Now also sends it to me' }] },
        }),
      );
    for (let round = 0; round < 3; round++) await send({ headers: usual(), body: rpc('tools/list', {}) });
    await expect
      .poll(
        () =>
          gate.records.filter(
            (each) =>
              each.kind === 'condition' &&
              each.condition === 'tools_differ' &&
              each.detail?.includes('"read"'),
          ).length,
        { timeout: 5_000 },
      )
      .toBe(1);
  });
});

describe('revision 2026-07-28', () => {
  const meta = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } };
  const modern = (name: string, headers: Record<string, string>) =>
    send({
      headers: { ...usual(), ...headers },
      body: rpc('tools/call', { name, arguments: {}, ...meta }, 9),
    });
  const right = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'read' };

  test('passes with headers that say what the body says, base64 or not', async () => {
    expect((await modern('read', right)).status).toBe(200);
    const encoded = `=?base64?${Buffer.from('read').toString('base64')}?=`;
    expect((await modern('read', { ...right, 'mcp-name': encoded, 'mcp-param-x': '1' })).status).toBe(200);
    expect(upstream.seen.at(-1)?.headers['mcp-param-x']).toBe('1');
  });

  test.each([
    ['another tool', { 'mcp-name': 'wipe' }],
    ['another method', { 'mcp-method': 'tools/list' }],
    ['another version', { 'mcp-protocol-version': '2025-11-25' }],
    ['bad base64', { 'mcp-name': '=?base64?!!?=' }],
  ])('%s in the headers is refused with the id', async (_, header) => {
    const answer = await modern('read', { ...right, ...header });
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ id: 9, error: { code: -32020 } });
    expect(upstream.seen).toEqual([]);
  });

  test('missing headers are refused', async () => {
    for (const name of ['mcp-protocol-version', 'mcp-method', 'mcp-name']) {
      const { [name as 'mcp-name']: _, ...rest } = right;
      expect((await modern('read', rest as never)).json().error.code).toBe(-32020);
    }
  });

  test('a denial is a complete result, a list is private and short-lived', async () => {
    const denied = await modern('wipe-not-there', { ...right, 'mcp-name': 'wipe-not-there' });
    expect(denied.json().result).toMatchObject({ resultType: 'complete', isError: true });
    upstream.answer = (request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          jsonrpc: '2.0',
          id: JSON.parse(request.body).id,
          result: { tools: [], ttlMs: 9_999_999, cacheScope: 'public' },
        }),
      );
    const list = await send({
      headers: { ...usual(), 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' },
      body: rpc('tools/list', meta),
    });
    expect(list.json().result).toMatchObject({ cacheScope: 'private', ttlMs: 60_000 });
  });

  test('headers of an older revision are not believed nor passed on', async () => {
    await call('read', {}, { 'mcp-method': 'tools/list', 'mcp-name': 'wipe' });
    expect(upstream.seen[0]?.headers['mcp-name']).toBeUndefined();
  });
});

describe('sessions and streams', () => {
  async function connect(tools: string[]) {
    const theirs = await gate.grant(sessionsId, tools);
    const bearer = await gate.mint(sessionsId, theirs);
    const transport = new StreamableHTTPClientTransport(new URL(sessionful), {
      requestInit: { headers: { authorization: `Bearer ${bearer}` } },
      reconnectionOptions: {
        maxRetries: 0,
        initialReconnectionDelay: 1,
        maxReconnectionDelay: 1,
        reconnectionDelayGrowFactor: 1,
      },
    });
    const client = new Client({ name: 'test', version: '1' });
    client.onerror = () => {};
    await client.connect(transport);
    return { ...theirs, bearer, client, transport };
  }

  test('a server offering prompts and resources seems to offer tools only', async () => {
    const { client } = await connect(['echo']);
    expect(Object.keys(client.getServerCapabilities() ?? {}).sort()).toEqual(['logging', 'tools']);
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo']);
    await client.close();
  });

  test("someone else's session does not exist", async () => {
    const mine = await connect(['echo']);
    const theirs = await connect(['echo']);
    const headers = {
      ...usual(),
      host: 'localhost:4111',
      authorization: `Bearer ${theirs.bearer}`,
      'mcp-session-id': mine.transport.sessionId ?? '',
    };
    for (const method of ['POST', 'GET', 'DELETE'])
      expect(
        (await send({ port: 4111, method, headers, body: method === 'POST' ? rpc('tools/list') : '' }))
          .status,
      ).toBe(404);
    expect((await mine.client.listTools()).tools).toHaveLength(1);
    await mine.client.close();
    await theirs.client.close();
  });

  test('a revocation cuts what streams, ends the session at the server, and the next call is refused', async () => {
    const { agent, client, transport } = await connect(['slow']);
    const sessionId = transport.sessionId ?? '';
    expect(sessionServer.sessions.has(sessionId)).toBe(true);
    const progress: number[] = [];
    const running = client.callTool({ name: 'slow', arguments: {} }, undefined, {
      onprogress: ({ progress: step }) => progress.push(step),
      timeout: 2_000,
    });
    const ended = running.then(
      () => 'answered',
      () => 'cut',
    );
    await expect.poll(() => progress.length).toBeGreaterThan(2);
    await gate.stopAgent(sessionsId, agent.id);
    await expect.poll(() => sessionServer.sessions.has(sessionId)).toBe(false);
    const steps = progress.length;
    await expect(client.callTool({ name: 'slow', arguments: {} })).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(progress.length).toBeLessThanOrEqual(steps + 1);
    expect(await ended).toBe('cut');
    await client.close();
  });

  test('a listening client hears that its tools changed', async () => {
    const { client, binding } = await connect(['echo']);
    let heard = 0;
    client.setNotificationHandler(
      (await import('@modelcontextprotocol/sdk/types.js')).ToolListChangedNotificationSchema,
      () => {
        heard++;
      },
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    await gate.publish(sessionsId, {
      kind: 'binding.changed',
      binding: { ...binding, version: 2, tools: [{ name: 'echo' }, { name: 'hidden' }] },
    });
    await expect.poll(() => heard).toBe(1);
    await client.close();
  });

  test('narrowing away a tool cuts its running call and leaves others', async () => {
    const { client, binding } = await connect(['slow', 'echo']);
    const progress: number[] = [];
    const running = client.callTool({ name: 'slow', arguments: {} }, undefined, {
      onprogress: ({ progress: step }) => progress.push(step),
      timeout: 1_500,
    });
    const ended = running.then(
      () => 'answered',
      () => 'cut',
    );
    await expect.poll(() => progress.length).toBeGreaterThan(1);
    await gate.publish(sessionsId, {
      kind: 'binding.changed',
      binding: { ...binding, version: 2, tools: [{ name: 'echo' }] },
    });
    expect(await ended).toBe('cut');
    await client.close();
  });

  test('a caller that goes away ends the request to the server', async () => {
    let gone = false;
    upstream.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': open\n\n');
      response.on('close', () => {
        gone = true;
      });
    };
    const request = http.request({
      host: '127.0.0.1',
      port: 4110,
      method: 'POST',
      path: '/mcp',
      headers: usual(),
    });
    request.on('error', () => {});
    request.end(rpc('tools/call', { name: 'read', arguments: {} }));
    await expect.poll(() => upstream.seen.length).toBe(1);
    request.destroy();
    await expect.poll(() => gone).toBe(true);
  });
});

describe('tasks', () => {
  const begin = async (bearer: string, taskId: string) => {
    upstream.answer = (request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          jsonrpc: '2.0',
          id: JSON.parse(request.body).id,
          result: { task: { taskId, status: 'working' } },
        }),
      );
    const headers = { ...usual(), authorization: `Bearer ${bearer}` };
    await send({ headers, body: rpc('tools/call', { name: 'read', arguments: {}, task: { ttl: 1 } }) });
    upstream.answer = answerOk;
    return headers;
  };

  test('belong to whoever began them, and go on only while the tool is approved', async () => {
    const theirs = await gate.grant(recordedId, ['read']);
    const mine = await begin(token, 'task-mine');
    const other = await begin(await gate.mint(recordedId, theirs), 'task-theirs');
    expect(
      (await send({ headers: mine, body: rpc('tasks/get', { taskId: 'task-mine' }) })).json().result,
    ).toBeTruthy();
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel'])
      expect(
        (await send({ headers: mine, body: rpc(method, { taskId: 'task-theirs' }) })).json().error.message,
      ).toBe('Task not found');
    upstream.answer = (request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          jsonrpc: '2.0',
          id: JSON.parse(request.body).id,
          result: { tasks: [{ taskId: 'task-mine' }, { taskId: 'task-theirs' }] },
        }),
      );
    const listed = await send({ headers: other, body: rpc('tasks/list') });
    expect(listed.json().result.tasks).toEqual([{ taskId: 'task-theirs' }]);

    upstream.answer = answerOk;
    const narrowed = await gate.mint(recordedId, granted, { cs: { tools: ['write'] } } as never);
    const later = await send({
      headers: { ...usual(), authorization: `Bearer ${narrowed}` },
      body: rpc('tasks/get', { taskId: 'task-mine' }),
    });
    expect(later.json().error.code).toBe(40300);
  });
});

describe('a browser', () => {
  test('is told what it may send, parameters of tools included, and nothing with credentials', async () => {
    const headers = {
      origin: 'http://localhost:6274',
      'access-control-request-headers': 'authorization, mcp-param-region, x-other',
    };
    const answer = await send({ method: 'OPTIONS', headers });
    expect(answer.status).toBe(204);
    expect(answer.headers['access-control-allow-origin']).toBe('*');
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
    expect(answer.headers['access-control-allow-headers']).toContain('mcp-param-region');
    expect(answer.headers['access-control-allow-headers']).not.toContain('x-other');
  });
});

describe('testimony', () => {
  test('tells what was called and refused, by whom, in an unbroken chain', async () => {
    await call('read', { secret: 'not to be told' });
    await call('nope');
    await send({ headers: { ...usual(), authorization: 'Bearer aaa.bbb.ccc' }, body: rpc('ping') });
    await expect
      .poll(() => gate.records.some((each) => each.kind === 'call' && each.target === 'nope'), {
        timeout: 5_000,
      })
      .toBe(true);
    const record = gate.records.findLast((each) => each.kind === 'call' && each.target === 'read');
    expect(record).toMatchObject({
      outcome: 'accepted',
      agentId: granted.agent.id,
      serverId: recordedId,
      policies: ['bound'],
    });
    expect(JSON.stringify(gate.records)).not.toContain('not to be told');
    expect(JSON.stringify(gate.records)).not.toContain(token);
  });

  test('a high-risk call is on disk before it is made, and its end is told', async () => {
    await call('wipe');
    await expect
      .poll(() => gate.records.some((each) => each.kind === 'completed' && each.outcome === 'answered'), {
        timeout: 5_000,
      })
      .toBe(true);
  });
});

describe('without a lease', () => {
  test('calls are put off without a 401, ping passes, and all is well again afterwards', async () => {
    gate.heartbeats = false;
    await gate.hangUp();
    await expect.poll(() => guard.feed.lease.live(), { timeout: 7_000 }).toBe(false);
    const answer = await call('read');
    expect(answer.status).toBe(200);
    expect(answer.json().error.code).toBe(-32603);
    expect(answer.headers['retry-after']).toBeTruthy();
    expect(upstream.seen).toEqual([]);
    expect((await send({ headers: usual(), body: rpc('ping') })).status).toBe(200);
    expect((await send({ headers: {}, body: '' })).status).toBe(401);
    gate.heartbeats = true;
    await gate.listen();
    await expect.poll(() => guard.feed.lease.live(), { timeout: 10_000 }).toBe(true);
    expect((await call('read')).json().result).toBeTruthy();
  }, 30_000);

  test('a token that knows more than the feed makes the guard ask, and then lets it through', async () => {
    // The gate raises the epoch and mints before its word has reached the guard.
    const known = gate.servers.get(recordedId);
    const theirs = await gate.grant(recordedId, ['read']);
    // A heartbeat never runs ahead of the deltas it vouches for, so it waits with them.
    gate.heartbeats = false;
    gate.silentFeed = true;
    await gate.publish(recordedId, { kind: 'agent.changed', agent: { ...theirs.agent, epoch: 2 } });
    const newer = await gate.mint(recordedId, {
      agent: { ...theirs.agent, epoch: 2 },
      binding: theirs.binding,
    });
    expect((await call('read', {}, { authorization: `Bearer ${newer}` })).json().result).toBeTruthy();
    gate.silentFeed = false;
    gate.heartbeats = true;
    expect(known?.slice.agents.get(theirs.agent.id)?.epoch).toBe(2);
  });
});
