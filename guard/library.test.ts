import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer as OldServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectLibrary, type FetchHandler, type GuardLibrary, toNodeHandler } from './library.ts';
import { reviewedTool, SmallGate } from './testing/small-gate.ts';

const resource = 'http://127.0.0.1:4130/mcp';
const folder = mkdtempSync(path.join(tmpdir(), 'library-'));
let gate: SmallGate;
let library: GuardLibrary;
let server: http.Server;
let handler: FetchHandler;

beforeAll(async () => {
  gate = await SmallGate.start();
  gate.addServer({
    server: { id: 'srv_1', name: 'Mine', resource },
    tools: [reviewedTool({ name: 'greet' }), reviewedTool({ name: 'shout' })],
  });
  library = await connectLibrary({
    stateDir: path.join(folder, 'guard'),
    joinToken: await gate.joinToken('srv_1'),
  });
  await library.ready();
  server = http.createServer((request, response) => void toNodeHandler(handler)(request, response));
  await new Promise<void>((resolve) => server.listen(4130, '127.0.0.1', resolve));
});
afterAll(async () => {
  await library?.stop();
  await gate?.close();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
  rmSync(folder, { recursive: true, force: true });
});

const tokenFor = async (tools: string[]) => {
  const granted = await gate.grant('srv_1', tools);
  return { granted, headers: { authorization: `Bearer ${await gate.mint('srv_1', granted)}` } };
};

describe('the library', () => {
  test('guards createMcpHandler of SDK 2.x', async () => {
    handler = library.protect('Mine', createMcpHandler(newServer).fetch);
    const { headers } = await tokenFor(['greet']);
    const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new ModernTransport(new URL(resource), { requestInit: { headers } }));
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['greet']);
    expect(JSON.stringify((await client.callTool({ name: 'greet', arguments: {} })).content)).toContain(
      'hello',
    );
    expect((await client.callTool({ name: 'shout', arguments: {} })).isError).toBe(true);
    await client.close();
  });

  test('guards the web-standard transport of SDK 1.x', async () => {
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => 'session-1' });
    const old = new OldServer({ name: 'old', version: '1' });
    old.registerTool('greet', {}, async () => ({ content: [{ type: 'text', text: 'hello' }] }));
    old.registerTool('shout', {}, async () => ({ content: [{ type: 'text', text: 'HELLO' }] }));
    await old.connect(transport);
    handler = library.protect(resource, (request) => transport.handleRequest(request));
    const { granted, headers } = await tokenFor(['shout']);
    const client = new Client({ name: 'test', version: '1' });
    client.onerror = () => {};
    await client.connect(new StreamableHTTPClientTransport(new URL(resource), { requestInit: { headers } }));
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['shout']);
    expect(JSON.stringify((await client.callTool({ name: 'shout', arguments: {} })).content)).toContain(
      'HELLO',
    );
    await gate.stopAgent('srv_1', granted.agent.id);
    await expect
      .poll(() => library.feed.slices.get('srv_1')?.agents.get(granted.agent.id)?.state)
      .toBe('revoked');
    await expect(client.callTool({ name: 'shout', arguments: {} })).rejects.toThrow();
    await client.close();
  });

  test('challenges whoever brings no token, and refuses a rebound host', async () => {
    handler = library.protect('Mine', createMcpHandler(newServer).fetch);
    expect((await fetch(resource, { method: 'POST' })).status).toBe(401);
    const { port } = server.address() as AddressInfo;
    const rebound = await new Promise((resolve) =>
      http.get({ host: '127.0.0.1', port, path: '/mcp', headers: { host: 'evil.example' } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }),
    );
    expect(rebound).toBe(403);
    expect(library.metadata('srv_1')).toMatchObject({ resource, authorization_servers: [gate.issuer] });
  });

  test('says so when asked to guard a server it is not enrolled for', () => {
    expect(() => library.protect('Other', async () => new Response())).toThrow('not enrolled for Other');
  });
});

function newServer(): McpServer {
  const modern = new McpServer({ name: 'new', version: '1' });
  modern.registerTool('greet', {}, async () => ({ content: [{ type: 'text', text: 'hello' }] }));
  modern.registerTool('shout', {}, async () => ({ content: [{ type: 'text', text: 'HELLO' }] }));
  return modern;
}
