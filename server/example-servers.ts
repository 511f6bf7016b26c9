import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { publishServerChange } from '#lib/agents/publish-server-change.ts';
import { addServer, addServerInput } from '#lib/catalogue/servers.ts';
import { syncServer } from '#lib/catalogue/sync-server.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { inheritedEnvironment } from '#lib/platform/env.ts';
import type { Logger } from '#lib/platform/log.ts';
import { inviteGuard, mintCatalogueToken } from '#lib/revocation/guards.ts';
import { type KeptProcess, keepRunning } from './keep-running.ts';

export type ExampleServer = {
  key: 'notes' | 'everything' | 'files';
  name: string;
  description: string;
  resource: string;
};

const syncAttempts = 20;

/**
 * Three real MCP servers to begin with, in one guard, each on its own loopback port after the product's: notes of our
 * own over HTTP, which answers nobody without a key only its guard gets, and two public reference servers the guard hosts over stdio (so that they listen nowhere and cannot
 * be reached around it). They are put into the catalogue once; retired there, they stay away. Returns at once with
 * what will be served; enrolment, start and the reading of tools follow in the background until `ready`.
 */
export async function startExampleServers(options: {
  ctx: Ctx;
  /** Context for what enters the catalogue, where its first moment is not now (the demo). */
  catalogueCtx?: Ctx;
  dataFolder: string;
  firstPort: number;
  log: Logger;
}): Promise<{ servers: ExampleServer[]; ready: Promise<void>; stop(): Promise<void> }> {
  const { ctx, log, firstPort, catalogueCtx = ctx } = options;
  const folder = path.join(options.dataFolder, 'examples');
  const scratch = path.join(folder, 'files');
  const notes = path.join(folder, 'notes');
  await Promise.all([scratch, notes].map((each) => mkdir(each, { recursive: true, mode: 0o700 })));
  await writeFile(path.join(scratch, 'welcome.txt'), 'This folder is served by the example file server.\n', {
    flag: 'wx',
  }).catch(() => undefined);
  const notesKey = await keyIn(path.join(folder, 'notes-key'));
  const notesUrl = `http://127.0.0.1:${firstPort + 3}/mcp`;
  const servers = examples(firstPort);
  const ids = await installed(catalogueCtx, folder, servers, { url: notesUrl, credential: notesKey });
  const stops: KeptProcess[] = [];
  const stopping = new AbortController();

  const environment = inheritedEnvironment();
  stops.push(
    keepRunning({
      name: 'example notes server',
      command: process.execPath,
      args: [path.resolve(import.meta.dirname, '../examples/notes-server.ts')],
      environment: {
        ...environment,
        NOTES_FOLDER: notes,
        NOTES_PORT: String(firstPort + 3),
        NOTES_KEY: notesKey,
      },
      log,
    }),
  );
  const stateDir = path.join(folder, 'guard');
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const configFile = path.join(folder, 'guard.json');
  const node = process.execPath;
  await writeFile(
    configFile,
    JSON.stringify({
      stateDir,
      name: 'examples',
      upstreams: {
        [ids.everything]: { stdio: { command: node, args: [entryOf('server-everything'), 'stdio'] } },
        [ids.files]: { stdio: { command: node, args: [entryOf('server-filesystem'), scratch] } },
      },
    }),
    { mode: 0o600 },
  );

  const begin = async () => {
    const joinToken = (await isEnrolled(stateDir))
      ? undefined
      : (await inviteGuard(ctx, { name: 'examples', serverIds: Object.values(ids) })).joinToken;
    if (stopping.signal.aborted) return;
    stops.push(
      keepRunning({
        name: 'example guard',
        command: node,
        args: [path.resolve(import.meta.dirname, '../guard/bin.ts'), configFile],
        environment: { ...environment, ...(joinToken ? { COUNTERSIGN_JOIN_TOKEN: joinToken } : {}) },
        log,
      }),
    );
    for (const serverId of Object.values(ids))
      await readTools(ctx, catalogueCtx, serverId, log, stopping.signal);
  };
  const ready = begin();
  ready.catch((error: unknown) => log.error({ err: error }, 'the example servers could not be started'));

  return {
    servers,
    ready,
    async stop() {
      stopping.abort();
      await Promise.all(stops.reverse().map((kept) => kept.stop()));
    },
  };
}

function examples(firstPort: number): ExampleServer[] {
  const at = (offset: number) => `http://127.0.0.1:${firstPort + offset}/mcp`;
  return [
    {
      key: 'notes',
      name: 'Notes',
      description: 'A small notebook: reads, writes, deletes and sends notes.',
      resource: at(0),
    },
    {
      key: 'everything',
      name: 'Everything',
      description: 'The MCP reference server that shows every feature.',
      resource: at(1),
    },
    { key: 'files', name: 'Files', description: 'The MCP file server on a scratch folder.', resource: at(2) },
  ];
}

/** Ids of the three in the catalogue, added at the first start and remembered beside their data. */
async function installed(
  ctx: Ctx,
  folder: string,
  servers: ExampleServer[],
  notes: { url: string; credential: string },
): Promise<Record<ExampleServer['key'], string>> {
  const file = path.join(folder, 'servers.json');
  const known = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as Partial<
    Record<ExampleServer['key'], string>
  >;
  for (const server of servers) {
    if (known[server.key]) continue;
    const existing = await ctx.db.prisma.mcpServer.findUnique({
      where: { resource: server.resource },
      select: { id: true },
    });
    const input = addServerInput.parse({
      name: server.name,
      description: server.description,
      resource: server.resource,
      environment: ctx.site.environment,
      ...(server.key === 'notes' ? { upstreamUrl: notes.url, upstreamCredential: notes.credential } : {}),
    });
    known[server.key] = existing?.id ?? (await addServer(ctx, input)).id;
    await writeFile(file, JSON.stringify(known), { mode: 0o600 });
  }
  return known as Record<ExampleServer['key'], string>;
}

/** A random key kept in a file only this user reads; made at the first start. */
async function keyIn(file: string): Promise<string> {
  const known = await readFile(file, 'utf8').catch(() => null);
  if (known) return known;
  const key = randomToken();
  await writeFile(file, key, { mode: 0o600 });
  return key;
}

/** The guard keeps its identity in its state folder once it is enrolled. */
async function isEnrolled(stateDir: string): Promise<boolean> {
  return readFile(path.join(stateDir, 'identity.json')).then(
    () => true,
    () => false,
  );
}

/** Reads a server's tools through its guard, which may need a moment to start. */
async function readTools(
  ctx: Ctx,
  catalogueCtx: Ctx,
  serverId: string,
  log: Logger,
  stopped: AbortSignal,
): Promise<void> {
  for (let attempt = 1; attempt <= syncAttempts; attempt++) {
    if (stopped.aborted) return;
    try {
      await syncServer(
        catalogueCtx,
        { serverId },
        { publish: publishServerChange, catalogueToken: (_, resource) => mintCatalogueToken(ctx, resource) },
      );
      return;
    } catch (error) {
      if (attempt === syncAttempts)
        log.warn({ err: error, serverId }, "an example server's tools could not be read");
      await sleep(Math.min(250 * attempt, 2_000));
    }
  }
}

function entryOf(name: string): string {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve(`@modelcontextprotocol/${name}/package.json`);
  return path.join(path.dirname(manifest), 'dist', 'index.js');
}
