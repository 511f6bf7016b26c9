import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type Db, openDb } from '#lib/platform/db.ts';
import {
  connectionString,
  databaseRoles,
  ensureRolesAndDatabase,
  prepareDatabase,
} from '#server/database.ts';
import { freeLoopbackPort, startCluster, superuserName } from '#server/postgres/cluster.ts';
import { placeCluster } from '#server/postgres/place.ts';

/** One PostgreSQL with fsync, a database a side, and one process a side: what every row measures between. */
export type Sides = {
  /** Countersign: where it listens, and a context on its database for what a row needs beforehand. */
  ours: { url: string; host: string; ctx: Ctx };
  /** oidc-provider, and the connection string of its database. */
  startPeer(options: { clients: object[]; tokenFormat: 'jwt' | 'opaque' }): Promise<Peer>;
  close(): Promise<void>;
};
export type Peer = { url: string; databaseUrl: string; close(): Promise<void> };

let shared: Promise<Sides> | null = null;

/** The sides of this run, started with the first row that needs them. */
export function sides(): Promise<Sides> {
  shared ??= startSides();
  return shared;
}

export async function closeSides(): Promise<void> {
  if (shared) await (await shared).close();
  shared = null;
}

async function startSides(): Promise<Sides> {
  const undo: (() => Promise<void>)[] = [];
  try {
    return await startBoth(undo);
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => {});
    throw error;
  }
}

async function startBoth(undo: (() => Promise<void>)[]): Promise<Sides> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'countersign-bench-'));
  // PostgreSQL's account passes through it; a database placed elsewhere would outlive this folder.
  await chmod(home, 0o755);
  const place = await placeCluster(home);
  const password = randomBytes(16).toString('hex');
  const cluster = await startCluster(place, {
    superuserPassword: password,
    durable: true,
    sharedBuffersMb: 256,
    onUnexpectedExit: (detail) => console.error('PostgreSQL ended by itself', detail),
  });
  undo.push(() => rm(home, { recursive: true, force: true }), cluster.stop);
  const superuser = (database: string) => connectionString(cluster, superuserName, password, database);
  const passwords = { owner: password, gate: password, console: password, sequencer: password };
  await ensureRolesAndDatabase(superuser('postgres'), 'countersign', passwords);
  await ensureRolesAndDatabase(superuser('postgres'), 'peer', passwords);
  const owner = connectionString(cluster, databaseRoles.owner, password, 'countersign');
  await prepareDatabase(owner);
  const gateUrl = connectionString(cluster, databaseRoles.gate, password, 'countersign');
  const peerUrl = connectionString(cluster, databaseRoles.owner, password, 'peer');
  const key = randomBytes(32);
  const db: Db = openDb(gateUrl, { prisma: 4, hot: 4, emergency: 1 });
  const ourPort = await freeLoopbackPort();
  const issuer = `http://localhost:${ourPort}`;
  const ctx: Ctx = {
    actor: systemActor('bench'),
    clock: systemClock,
    db,
    vault: openVault(key),
    site: {
      issuer,
      consoleOrigin: `http://countersign.localhost:${ourPort}`,
      environment: 'sandbox',
      demo: false,
    },
    traceId: 'trc_bench',
    address: '127.0.0.1',
    userAgent: 'bench',
  } as Ctx;
  await db.prisma.installation.create({ data: { id: 1, issuer, createdAt: systemClock.now() } });
  await ensureSigningKeys(ctx);
  const gate = await startChild('ours.ts', {
    BENCH_PORT: String(ourPort),
    BENCH_DATABASE_URL: gateUrl,
    BENCH_KEY: key.toString('base64url'),
  });
  return {
    ours: { url: `http://127.0.0.1:${ourPort}`, host: `localhost:${ourPort}`, ctx },
    async startPeer({ clients, tokenFormat }) {
      const peerPort = await freeLoopbackPort();
      const child = await startChild('peer.ts', {
        PEER_PORT: String(peerPort),
        PEER_DATABASE_URL: peerUrl,
        PEER_CLIENTS: JSON.stringify(clients),
        PEER_TOKEN_FORMAT: tokenFormat,
        NODE_ENV: 'production',
      });
      return { url: `http://127.0.0.1:${peerPort}`, databaseUrl: peerUrl, close: () => endChild(child) };
    },
    async close() {
      await endChild(gate);
      await db.close();
      await cluster.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function startChild(file: string, environment: Record<string, string>): Promise<ChildProcess> {
  const child = fork(path.join(import.meta.dirname, file), {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
    child.once('error', reject);
  });
  return child;
}

function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.disconnect();
  });
}
