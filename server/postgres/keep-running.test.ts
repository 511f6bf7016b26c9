import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Logger } from '#lib/platform/log.ts';
import { connectionString } from '../database.ts';
import { startCluster, superuserName } from './cluster.ts';
import { keepPostgresRunning, type RunningPostgres } from './keep-running.ts';
import { type ClusterPlace, placeCluster } from './place.ts';
import { readSystemIdentifier } from './system-identifier.ts';

const superuserPassword = 'only-for-this-test';
let home: string;
let place: ClusterPlace;
let postgres: RunningPostgres;
const said: string[] = [];

const log = {
  info: (_: unknown, message: string) => said.push(message),
  error: (_: unknown, message: string) => said.push(message),
  fatal: (_: unknown, message: string) => said.push(message),
} as unknown as Logger;

async function query(sql: string): Promise<unknown[]> {
  const client = new pg.Client({
    connectionString: connectionString(postgres, superuserName, superuserPassword, 'postgres'),
  });
  client.on('error', () => undefined);
  await client.connect();
  return (await client.query(sql).finally(() => client.end())).rows;
}

/** Ends PostgreSQL by force while its folder is somewhere else, as when a disk goes away. */
async function losePlace(away: string): Promise<void> {
  said.length = 0;
  await rename(place.dataFolder, away);
  process.kill(postgres.pid(), 'SIGKILL');
}

const refused = () => said.some((message) => message.startsWith('the database folder is gone'));
const runsAgain = () => said.includes('PostgreSQL runs again');

/** A folder the unprivileged account of PostgreSQL can pass, so that the cluster lies in it and goes with it. */
async function temporaryHome(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'kept-'));
  await chmod(folder, 0o755);
  return folder;
}

beforeAll(async () => {
  home = await temporaryHome();
  place = await placeCluster(home);
  postgres = await keepPostgresRunning(place, { superuserPassword, log });
  await query('CREATE TABLE history AS SELECT 1 AS event');
});
afterEach(async () => {
  await expect
    .poll(() => query('SELECT event FROM history').catch(() => null), { timeout: 30_000 })
    .toEqual([{ event: 1 }]);
});
afterAll(async () => {
  await postgres?.stop();
  await rm(home, { recursive: true, force: true });
});

test('PostgreSQL that is killed runs again with what was committed', async () => {
  said.length = 0;
  const killed = postgres.pid();
  process.kill(killed, 'SIGKILL');
  await expect.poll(runsAgain, { timeout: 30_000 }).toBe(true);
  expect(postgres.pid()).not.toBe(killed);
});

test.each([
  ['vanished', false],
  ['was emptied', true],
])(
  'a database folder that %s is not made anew; put back, it runs again',
  { timeout: 60_000 },
  async (_, emptied) => {
    const away = `${place.dataFolder}.away`;
    await losePlace(away);
    if (emptied) await mkdir(place.dataFolder, { mode: 0o700 });
    await expect.poll(refused, { timeout: 30_000 }).toBe(true);
    said.length = 0;
    await expect.poll(refused, { timeout: 30_000 }).toBe(true);
    expect(runsAgain()).toBe(false);
    expect(await readSystemIdentifier(place.dataFolder)).toBeNull();
    expect(await readdir(place.dataFolder).catch(() => [])).toEqual([]);
    await rm(place.dataFolder, { recursive: true, force: true });
    await rename(away, place.dataFolder);
    await expect.poll(runsAgain, { timeout: 30_000 }).toBe(true);
  },
);

test("another database in its folder is not taken for this installation's", { timeout: 60_000 }, async () => {
  const away = `${place.dataFolder}.away`;
  await losePlace(away);
  await expect.poll(refused, { timeout: 30_000 }).toBe(true);
  const elsewhere = await temporaryHome();
  const other = await placeCluster(elsewhere);
  const cluster = await startCluster(other, {
    superuserPassword,
    durable: false,
    sharedBuffersMb: 16,
    onUnexpectedExit: () => undefined,
  });
  await cluster.stop();
  await rename(other.dataFolder, place.dataFolder);
  said.length = 0;
  await expect.poll(refused, { timeout: 30_000 }).toBe(true);
  expect(runsAgain()).toBe(false);
  await rm(elsewhere, { recursive: true });
  await rm(place.dataFolder, { recursive: true });
  await rename(away, place.dataFolder);
  await expect.poll(runsAgain, { timeout: 30_000 }).toBe(true);
});
