import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGuard, startGuard } from './guard.ts';
import { reviewedTool, SmallGate } from './testing/small-gate.ts';

const filesResource = 'http://127.0.0.1:4120/mcp';
const everythingResource = 'http://127.0.0.1:4121/mcp';
const folder = mkdtempSync(path.join(tmpdir(), 'stdio-'));
const scratch = path.join(folder, 'scratch');
const resolve = createRequire(import.meta.url).resolve;
let gate: SmallGate;
let guard: RunningGuard;

beforeAll(async () => {
  mkdirSync(scratch);
  writeFileSync(path.join(scratch, 'hello.txt'), 'hello from the scratch folder');
  gate = await SmallGate.start();
  gate.addServer({
    server: { id: 'srv_files', name: 'files', resource: filesResource },
    tools: ['read_text_file', 'list_directory', 'write_file'].map((name) => reviewedTool({ name })),
  });
  gate.addServer({
    server: { id: 'srv_everything', name: 'everything', resource: everythingResource },
    tools: ['echo', 'trigger-long-running-operation', 'get-env'].map((name) => reviewedTool({ name })),
  });
  guard = await startGuard({
    stateDir: path.join(folder, 'guard'),
    joinToken: await gate.joinToken('srv_files', 'srv_everything'),
    upstreams: {
      files: {
        stdio: {
          command: process.execPath,
          args: [resolve('@modelcontextprotocol/server-filesystem/dist/index.js'), scratch],
        },
      },
      srv_everything: {
        stdio: {
          command: process.execPath,
          args: [resolve('@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'],
        },
      },
    },
  });
  await guard.ready();
});
afterAll(async () => {
  await guard?.stop();
  await gate?.close();
  rmSync(folder, { recursive: true, force: true });
});

const headersFor = async (serverId: string, tools: string[]) => {
  const granted = await gate.grant(serverId, tools);
  return {
    granted,
    requestInit: { headers: { authorization: `Bearer ${await gate.mint(serverId, granted)}` } },
  };
};

describe('a stdio server hosted by the guard', () => {
  test('serves an SDK 1.x client its approved tools', async () => {
    const { requestInit } = await headersFor('srv_files', ['read_text_file']);
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(filesResource), { requestInit }));
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read_text_file']);
    const read = await client.callTool({
      name: 'read_text_file',
      arguments: { path: path.join(scratch, 'hello.txt') },
    });
    expect(JSON.stringify(read.content)).toContain('hello from the scratch folder');
    const refused = await client.callTool({
      name: 'write_file',
      arguments: { path: path.join(scratch, 'x'), content: 'x' },
    });
    expect(refused.isError).toBe(true);
    await client.close();
  });

  test('serves an SDK 2.x client, which falls back to the revision the server speaks', async () => {
    const { requestInit } = await headersFor('srv_files', ['list_directory']);
    const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new ModernTransport(new URL(filesResource), { requestInit }));
    const listed = await client.callTool({ name: 'list_directory', arguments: { path: scratch } });
    expect(JSON.stringify(listed.content)).toContain('hello.txt');
    await client.close();
  });

  test('streams progress before the answer', async () => {
    const { requestInit } = await headersFor('srv_everything', ['trigger-long-running-operation']);
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(everythingResource), { requestInit }));
    const steps: number[] = [];
    const done = await client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 0.5, steps: 3 } },
      undefined,
      { onprogress: ({ progress }) => steps.push(progress) },
    );
    expect(done.isError).toBeFalsy();
    expect(steps.length).toBeGreaterThan(0);
    await client.close();
  });

  test("gets none of the guard's own environment", async () => {
    process.env.COUNTERSIGN_SECRET_FOR_TEST = 'do not pass on';
    const { requestInit } = await headersFor('srv_everything', ['get-env', 'echo']);
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(everythingResource), { requestInit }));
    const environment = await client.callTool({ name: 'get-env', arguments: {} });
    expect(JSON.stringify(environment.content)).toContain('PATH');
    expect(JSON.stringify(environment.content)).not.toContain('do not pass on');
    delete process.env.COUNTERSIGN_SECRET_FOR_TEST;
    await client.close();
  });

  test('two callers have two processes, and a revocation ends only the one', async () => {
    const first = await headersFor('srv_everything', ['echo']);
    const second = await headersFor('srv_everything', ['echo']);
    const clients = await Promise.all(
      [first, second].map(async ({ requestInit }) => {
        const client = new Client({ name: 'test', version: '1' });
        client.onerror = () => {};
        await client.connect(new StreamableHTTPClientTransport(new URL(everythingResource), { requestInit }));
        return client;
      }),
    );
    await gate.stopAgent('srv_everything', first.granted.agent.id);
    await expect
      .poll(() => guard.feed.slices.get('srv_everything')?.agents.get(first.granted.agent.id)?.state)
      .toBe('revoked');
    await expect(clients[0]?.callTool({ name: 'echo', arguments: { message: 'x' } })).rejects.toThrow();
    const echoed = await clients[1]?.callTool({ name: 'echo', arguments: { message: 'still here' } });
    expect(JSON.stringify(echoed)).toContain('still here');
    await Promise.all(clients.map((client) => client.close()));
  });
});
