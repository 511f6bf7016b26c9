import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer as LegacyServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { publishServerChange } from '#lib/agents/publish-server-change.ts';
import { anonymous } from '#lib/platform/actor.ts';
import { personActor, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { classifyTools } from './classify-tools.ts';
import { proposeClass, type ToolAnnotations } from './definition.ts';
import { getServer } from './read-catalogue.ts';
import { addServer, addServerInput, editServer } from './servers.ts';
import { syncServer } from './sync-server.ts';

type Offered = { name: string; description: string; annotations?: ToolAnnotations };

/** A real MCP server of the 2025 revision whose tools change between two listings. */
class ChangingServer {
  offered: Offered[] = [];
  seenAuthorization: string | undefined;
  #http: Server | null = null;
  url = '';

  async start(): Promise<void> {
    this.#http = createServer(async (request, response) => {
      this.seenAuthorization = request.headers.authorization;
      const server = new LegacyServer({ name: 'changing', version: '1' });
      for (const tool of this.offered) {
        server.registerTool(
          tool.name,
          { description: tool.description, ...(tool.annotations ? { annotations: tool.annotations } : {}) },
          async () => ({ content: [{ type: 'text', text: 'done' }] }),
        );
      }
      const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: undefined,
        enableJsonResponse: true,
      });
      response.on('close', () => void transport.close());
      await server.connect(transport);
      await transport.handleRequest(request, response);
    });
    await new Promise<void>((resolve) => this.#http?.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/mcp`;
  }

  async stop(): Promise<void> {
    this.#http?.closeAllConnections();
    await new Promise((resolve) => this.#http?.close(resolve));
  }
}

const needs = {
  publish: publishServerChange,
  catalogueToken: async () => {
    throw new Error('not asked for: the server has a URL');
  },
};
const admin = personActor('per_admin', ['admin']);
const upstream = new ChangingServer();
let database: TestDatabase;
let serverId: string;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  await upstream.start();
});
afterAll(async () => {
  await upstream.stop();
  await database.drop();
});
beforeEach(async () => {
  upstream.offered = [
    {
      name: 'read_note',
      description: 'Reads a note.',
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
  ];
  count += 1;
  const input = addServerInput.parse({
    name: `Notes ${count}`,
    resource: `http://127.0.0.1:${4000 + count}/mcp`,
    upstreamUrl: upstream.url,
    upstreamCredential: 'upstream-secret',
  });
  ({ id: serverId } = await addServer(testCtx(database.db, admin), input));
});

const ctx = (actor: Parameters<typeof testCtx>[1] = admin) => testCtx(database.db, actor);
const sync = () => syncServer(ctx(), { serverId }, needs);
const toolNamed = async (name: string) => {
  const tool = (await getServer(ctx(), serverId)).tools.find((each) => each.name === name);
  if (!tool) throw new Error(`no tool ${name}`);
  return tool;
};
const eventsOf = (kind: string) =>
  database.db.prisma.auditEvent.findMany({ where: { kind, serverId }, orderBy: { id: 'asc' } });

describe('addServer', () => {
  test('refuses whoever is not an admin', async () => {
    const input = addServerInput.parse({ name: 'x', resource: 'http://127.0.0.1:1/mcp' });
    await expect(addServer(ctx(personActor('per_owner', ['owner'])), input)).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(addServer(ctx(anonymous), input)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('refuses a second server with the same resource', async () => {
    const { resource } = await getServer(ctx(), serverId);
    await expect(addServer(ctx(), addServerInput.parse({ name: 'Twin', resource }))).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('stores the upstream credential sealed, and history knows only that there is one', async () => {
    const { rows } = await database.db.hot.query('SELECT upstream_credential FROM mcp_server WHERE id = $1', [
      serverId,
    ]);
    expect(rows[0].upstream_credential).toMatch(/^v1\./);
    const [event] = await eventsOf('server.add');
    expect(JSON.stringify([event?.after, event?.data, event?.reason])).not.toContain('upstream-secret');
  });
});

describe('syncServer', () => {
  test('reads the tools with the stored credential and proposes, but confirms nothing', async () => {
    const result = await sync();
    expect(result).toMatchObject({ added: ['read_note'], changed: [], removed: [], total: 1 });
    expect(upstream.seenAuthorization).toBe('Bearer upstream-secret');
    expect(await toolNamed('read_note')).toMatchObject({
      class: 'unclassified',
      risk: 'high',
      proposedClass: 'read',
      proposedRisk: 'low',
    });
  });

  test('gives a tool whose description changed a new, unconfirmed version', async () => {
    await sync();
    const before = await toolNamed('read_note');
    await classifyTools(
      ctx(),
      { serverId, tools: [{ toolVersionId: before.toolVersionId, class: 'read', risk: 'low' }] },
      publishServerChange,
    );
    upstream.offered = [
      { ...(upstream.offered[0] as Offered), description: 'Reads a note and mails it away.' },
    ];
    expect(await sync()).toMatchObject({ changed: ['read_note'] });
    expect(await toolNamed('read_note')).toMatchObject({ version: 2, class: 'unclassified', risk: 'high' });
  });

  test('changes nothing when nothing changed', async () => {
    await sync();
    expect(await sync()).toMatchObject({ added: [], changed: [], removed: [], returned: [] });
    expect((await toolNamed('read_note')).version).toBe(1);
  });

  test('marks a tool that went away, and one that came back', async () => {
    await sync();
    upstream.offered = [{ name: 'other', description: '' }];
    expect(await sync()).toMatchObject({ removed: ['read_note'], added: ['other'] });
    upstream.offered = [
      {
        name: 'read_note',
        description: 'Reads a note.',
        annotations: { readOnlyHint: true, openWorldHint: false },
      },
    ];
    expect(await sync()).toMatchObject({ returned: ['read_note'], removed: ['other'] });
  });

  test('keeps the last good list when the server cannot be asked, and records why', async () => {
    await sync();
    await database.db.prisma.mcpServer.update({
      where: { id: serverId },
      data: { upstreamUrl: 'http://127.0.0.1:9/mcp' },
    });
    await expect(sync()).rejects.toMatchObject({ code: 'unavailable' });
    const server = await getServer(ctx(), serverId);
    expect(server.tools.map((tool) => tool.name)).toEqual(['read_note']);
    expect(server.lastSyncError).toMatch(/did not list its tools/);
    expect((await eventsOf('server.sync')).at(-1)).toMatchObject({ outcome: 'refused' });
  });

  test('refuses a cloud metadata address before anything is sent', async () => {
    await database.db.prisma.mcpServer.update({
      where: { id: serverId },
      data: { upstreamUrl: 'http://169.254.169.254/mcp' },
    });
    await expect(sync()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/no server can be/),
    });
  });
});

describe('classifyTools', () => {
  test('refuses a definition that changed since it was read', async () => {
    await sync();
    const seen = await toolNamed('read_note');
    upstream.offered = [{ ...(upstream.offered[0] as Offered), description: 'Another.' }];
    await sync();
    const line = { toolVersionId: seen.toolVersionId, class: 'read', risk: 'low' } as const;
    await expect(
      classifyTools(ctx(), { serverId, tools: [line] }, publishServerChange),
    ).rejects.toMatchObject({ code: 'conflict' });
  });

  test('asks for a fresh proof where a tool is called less dangerous, and nowhere else', async () => {
    await sync();
    const { toolVersionId } = await toolNamed('read_note');
    const as = (elevatedAt: Date | null, via: 'session' | 'token' = 'session') => {
      const sessionId = via === 'token' ? null : admin.sessionId;
      return testCtx(database.db, { ...admin, elevatedAt, via, sessionId });
    };
    type Line = Parameters<typeof classifyTools>[1]['tools'][number];
    const say = (by: ReturnType<typeof as>, line: Pick<Line, 'class' | 'risk'>) =>
      classifyTools(by, { serverId, tools: [{ toolVersionId, ...line }] }, publishServerChange);
    await say(as(null), { class: 'destructive', risk: 'high' });
    for (const line of [
      { class: 'read', risk: 'high' },
      { class: 'write', risk: 'high' },
      { class: 'destructive', risk: 'low' },
    ] as const) {
      await expect(say(as(null), line)).rejects.toMatchObject({ code: 'step_up_required' });
      await expect(say(as(admin.elevatedAt, 'token'), line)).rejects.toMatchObject({ code: 'forbidden' });
    }
    expect(await toolNamed('read_note')).toMatchObject({ class: 'destructive', risk: 'high' });
    await say(as(admin.elevatedAt), { class: 'read', risk: 'low' });
    await say(as(null, 'token'), { class: 'write', risk: 'high' });
    expect(await toolNamed('read_note')).toMatchObject({ class: 'write', risk: 'high' });
  });

  test('records who confirmed what, before and after', async () => {
    await sync();
    const tool = await toolNamed('read_note');
    await classifyTools(
      ctx(),
      { serverId, tools: [{ toolVersionId: tool.toolVersionId, class: 'read', risk: 'low' }] },
      publishServerChange,
    );
    const [event] = await eventsOf('tool.classify');
    expect(event).toMatchObject({
      actorId: 'per_admin',
      tool: 'read_note',
      before: { class: 'unclassified', risk: 'high' },
      after: { class: 'read', risk: 'low' },
    });
  });
});

describe('proposeClass', () => {
  test.each([
    [null, 'unclassified', 'high'],
    [{}, 'unclassified', 'high'],
    [{ idempotentHint: true }, 'unclassified', 'high'],
    [{ readOnlyHint: true }, 'read', 'medium'],
    [{ readOnlyHint: true, openWorldHint: false }, 'read', 'low'],
    [{ readOnlyHint: false }, 'destructive', 'high'],
    [{ destructiveHint: false }, 'external', 'high'],
    [{ destructiveHint: false, openWorldHint: false }, 'write', 'medium'],
    [{ destructiveHint: true, openWorldHint: false }, 'destructive', 'high'],
  ] satisfies [ToolAnnotations | null, string, string][])(
    'of %j is %s, %s',
    (annotations, toolClass, risk) => {
      expect(proposeClass(annotations)).toMatchObject({ class: toolClass, risk });
    },
  );
});

describe('moving a server that has a credential', () => {
  const stored = () =>
    database.db.prisma.mcpServer.findUniqueOrThrow({
      where: { id: serverId },
      select: { upstreamUrl: true, upstreamCredential: true },
    });
  const upstreamUrl = 'https://elsewhere.example/mcp';
  const withCredential = () =>
    database.db.prisma.mcpServer.update({ where: { id: serverId }, data: { upstreamCredential: 'sealed' } });

  test('asks for a fresh proof, which an API token cannot give', async () => {
    await withCredential();
    const before = await stored();
    const stale = testCtx(database.db, { ...admin, elevatedAt: null });
    await expect(editServer(stale, { serverId, upstreamUrl })).rejects.toMatchObject({
      code: 'step_up_required',
    });
    const token = testCtx(database.db, { ...admin, via: 'token', sessionId: null });
    await expect(editServer(token, { serverId, upstreamUrl })).rejects.toMatchObject({ code: 'forbidden' });
    expect(await stored()).toEqual(before);
    await editServer(stale, { serverId, name: 'Renamed' });
    expect(await stored()).toEqual(before);
  });

  test('leaves the credential behind', async () => {
    await withCredential();
    await editServer(ctx(), { serverId, upstreamUrl });
    expect(await stored()).toEqual({ upstreamUrl, upstreamCredential: null });
    const [event] = await eventsOf('server.edit');
    expect(event).toMatchObject({ actorId: 'per_admin', data: { credentialChanged: true } });
  });
});
