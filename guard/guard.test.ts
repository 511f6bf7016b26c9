import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernTransport,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type NotesServer, startNotesServer } from '../examples/notes-server.ts';
import { type RunningGuard, startGuard } from './guard.ts';
import { reviewedTool, SmallGate } from './testing/small-gate.ts';

const resource = 'http://127.0.0.1:4101/mcp';
const folder = mkdtempSync(path.join(tmpdir(), 'guard-'));
let gate: SmallGate;
let notes: NotesServer;
let guard: RunningGuard;

beforeAll(async () => {
  gate = await SmallGate.start();
  notes = await startNotesServer({ folder: path.join(folder, 'notes'), port: 0, key: 'upstream-key' });
  gate.addServer({
    server: { id: 'srv_notes', name: 'Notes', resource },
    tools: [
      reviewedTool({ name: 'list_notes' }),
      reviewedTool({ name: 'read_note' }),
      reviewedTool({ name: 'search_notes' }),
      reviewedTool({ name: 'write_note' }, { class: 'write', risk: 'medium' }),
      reviewedTool({ name: 'delete_note' }, { class: 'destructive', risk: 'high' }),
      reviewedTool({ name: 'send_note' }, { class: 'external', risk: 'high' }),
    ],
    upstream: { url: notes.url, headers: { authorization: 'Bearer upstream-key' } },
  });
  guard = await startGuard({
    stateDir: path.join(folder, 'guard'),
    joinToken: await gate.joinToken('srv_notes'),
  });
  await guard.ready();
});

afterAll(async () => {
  await guard?.stop();
  await notes?.close();
  await gate?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function oldClient(token: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(resource), { requestInit: { headers } }));
  return client;
}

async function newClient(token: string): Promise<ModernClient> {
  const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  const headers = { authorization: `Bearer ${token}` };
  await client.connect(new ModernTransport(new URL(resource), { requestInit: { headers } }));
  return client;
}

describe.each([
  ['SDK 1.x', oldClient],
  ['SDK 2.x', newClient],
] as const)('an unmodified %s client behind the guard', (_, connect) => {
  test('sees and calls what it was approved for, and is told why not for the rest', async () => {
    const granted = await gate.grant('srv_notes', ['list_notes', 'write_note']);
    const client = await connect(await gate.mint('srv_notes', granted));
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(['list_notes', 'write_note']);

    const wrote = await client.callTool({ name: 'write_note', arguments: { name: 'plan', text: 'A plan' } });
    expect(wrote.isError).toBeFalsy();
    const listed = await client.callTool({ name: 'list_notes', arguments: {} });
    expect(JSON.stringify(listed.content)).toContain('plan');

    const refused = await client.callTool({ name: 'delete_note', arguments: { name: 'plan' } });
    expect(refused.isError).toBe(true);
    const text = JSON.stringify(refused.content);
    expect(text).toContain('not approved for this tool');
    expect(text).toContain('/requests/new?agent=');
    await client.close();
  });

  test('is refused at once when its agent is revoked', async () => {
    const granted = await gate.grant('srv_notes', ['list_notes']);
    const client = await connect(await gate.mint('srv_notes', granted));
    await client.callTool({ name: 'list_notes', arguments: {} });
    const entry = await gate.stopAgent('srv_notes', granted.agent.id);
    await expect
      .poll(() => gate.acks.some(({ applied }) => applied.some((each) => each.sequence >= entry.sequence)))
      .toBe(true);
    await expect(client.callTool({ name: 'list_notes', arguments: {} })).rejects.toThrow();
    await expect
      .poll(() =>
        gate.acks.some(({ refusals }) =>
          refusals.some(
            (each) =>
              each.agentId === granted.agent.id &&
              each.firstRefusedAtMs !== null &&
              each.lastAcceptedAtMs !== null,
          ),
        ),
      )
      .toBe(true);
    await client.close();
  });
});

describe('the guard in front of a modern server', () => {
  test('tells a listening subscription that its tools changed, under its own id', async () => {
    const { agent, binding } = await gate.grant('srv_notes', ['list_notes']);
    const token = await gate.mint('srv_notes', { agent, binding });
    const end = new AbortController();
    const response = await fetch(resource, {
      method: 'POST',
      signal: end.signal,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 'sub-1',
        method: 'subscriptions/listen',
        params: {
          notifications: { toolsListChanged: true, resourceSubscriptions: ['test://x'] },
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    let heard = '';
    const reading = (async () => {
      for await (const chunk of response.body ?? []) heard += Buffer.from(chunk).toString();
    })().catch(() => {});
    await expect.poll(() => heard).toContain('acknowledged');
    expect(heard).not.toContain('test://x');
    await gate.publish('srv_notes', {
      kind: 'binding.changed',
      binding: { ...binding, version: 2, tools: [{ name: 'list_notes' }, { name: 'read_note' }] },
    });
    await expect.poll(() => heard).toContain('tools/list_changed');
    expect(heard).toContain('"io.modelcontextprotocol/subscriptionId":"sub-1"');
    // Ended with the agent, although nobody calls.
    await gate.stopAgent('srv_notes', agent.id);
    await reading;
    end.abort();
  });

  test('keeps high-risk calls back when there is no room to record them, and lets others through', async () => {
    const own = await SmallGate.start();
    const target = 'http://127.0.0.1:4104/mcp';
    own.addServer({
      server: { id: 'srv_notes', name: 'Notes', resource: target },
      tools: [
        reviewedTool({ name: 'list_notes' }),
        reviewedTool({ name: 'delete_note' }, { class: 'destructive', risk: 'high' }),
      ],
      upstream: { url: notes.url, headers: { authorization: 'Bearer upstream-key' } },
    });
    own.refuseReports = true;
    const small = await startGuard({
      stateDir: path.join(folder, 'small'),
      joinToken: await own.joinToken('srv_notes'),
      spoolMaxBytes: 8_000,
    });
    try {
      await small.ready();
      const granted = await own.grant('srv_notes', ['list_notes', 'delete_note']);
      const client = new Client({ name: 'test', version: '1' });
      const headers = { authorization: `Bearer ${await own.mint('srv_notes', granted)}` };
      await client.connect(new StreamableHTTPClientTransport(new URL(target), { requestInit: { headers } }));
      for (let index = 0; index < 40; index++) await client.callTool({ name: 'list_notes', arguments: {} });
      const refused = await client.callTool({ name: 'delete_note', arguments: { name: 'none' } });
      expect(JSON.stringify(refused.content)).toContain('no room left for records');
      expect((await client.callTool({ name: 'list_notes', arguments: {} })).isError).toBeFalsy();
      own.refuseReports = false;
      await small.reporter.send();
      const again = await client.callTool({ name: 'delete_note', arguments: { name: 'none' } });
      expect(JSON.stringify(again.content)).toContain('There is no note named none');
      await small.reporter.send();
      expect(own.records.some((each) => each.kind === 'condition' && each.condition === 'spool_free')).toBe(
        true,
      );
      await client.close();
    } finally {
      await small.stop();
      await own.close();
    }
  });
});
