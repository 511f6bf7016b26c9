import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#lib/platform/clock.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { forgetBegun, keyFileOf, prepareNewFolder } from './backup/open-empty.ts';
import { restoreBackup } from './backup/restore.ts';
import { restoringSchema } from './database.ts';
import { openDatabase } from './open-database.ts';
import { findRunning } from './postgres/cluster.ts';
import { placeCluster } from './postgres/place.ts';
import { privateSocketFolder } from './private-folder.ts';
import { reachDatabase } from './reach-database.ts';
import { holdSingleStart } from './single-start.ts';

let home: string;
beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'reached-'));
  // The unprivileged account PostgreSQL may run as passes through it.
  await chmod(home, 0o755);
});
afterAll(() => rm(home, { recursive: true, force: true }));

const config = () => parseConfig({ COUNTERSIGN_DATA: home }, { workingFolder: '/' });
const log = createLogger({ level: 'silent' });
const reach = (options: Parameters<typeof reachDatabase>[2]) => reachDatabase(config(), log, options);
const backup = { command: 'countersign backup', asItIs: true };

async function ask<T extends pg.QueryResultRow>(url: string, statement: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client
    .query<T>(statement)
    .then(({ rows }) => rows)
    .finally(() => client.end());
}

/** Nobody holds the folder and no PostgreSQL was left behind. */
async function expectLetGo(): Promise<void> {
  expect(await findRunning(await placeCluster(home))).toBeNull();
  const letGo = await holdSingleStart(await privateSocketFolder(path.join(home, 'run')), home);
  await letGo();
}

test('a command of the host takes a stopped installation as it is, alone, and lets go of it whatever happens', {
  timeout: 120_000,
}, async () => {
  await expect(reach(backup)).rejects.toThrow(`There is no database in ${home} yet`);
  expect(await stat(path.join(home, 'postgres', 'data', 'PG_VERSION')).catch(() => null)).toBeNull();

  const { postgres } = await openDatabase(config(), log);
  await postgres?.stop();
  const reached = await reach(backup);
  const { owner } = reached.databaseUrls;
  const present = `SELECT to_regclass('_prisma_migrations') AS migrations, to_regnamespace('graphile_worker') AS jobs`;
  expect(await ask(owner, present)).toEqual([{ migrations: null, jobs: null }]);
  await expect(reach({ command: 'countersign admin first' })).rejects.toThrow(
    `A command of the host, countersign backup, uses ${home}`,
  );
  await ask(owner, `CREATE SCHEMA ${restoringSchema}`);
  await reached.release();
  await expectLetGo();

  for (const options of [backup, { command: 'countersign admin first' }]) {
    await expect(reach(options)).rejects.toThrow('was cut off');
    await expectLetGo();
  }
});

test('the folder of a server says so, and which command holds one', async () => {
  const runFolder = await privateSocketFolder(path.join(home, 'run'));
  const letGo = await holdSingleStart(runFolder, home);
  await expect(holdSingleStart(runFolder, home)).rejects.toMatchObject({ command: null });
  await letGo();
  const done = await holdSingleStart(runFolder, home, 'countersign move');
  await expect(holdSingleStart(runFolder, home)).rejects.toMatchObject({ command: 'countersign move' });
  await done();
});

describe('a new folder for a restore', () => {
  const key = Buffer.alloc(32, 1);

  test('gets the key that lay in a file, and none that came by environment', async () => {
    const [kept, bare] = [path.join(home, 'kept'), path.join(home, 'bare')];
    await prepareNewFolder(kept, { key, keyCheck: 'one', write: true });
    expect(await readFile(keyFileOf(kept), 'utf8')).toBe(key.toString('base64url'));
    await prepareNewFolder(bare, { key, keyCheck: 'one', write: false });
    expect(await readdir(path.join(bare, 'secrets'))).toEqual([]);
  });

  test('is not made where there is no key', async () => {
    const folder = path.join(home, 'unmade');
    const keyless = { ...config(), dataFolder: path.join(home, 'keyless'), keyEncryptionKey: null };
    await expect(
      restoreBackup(path.join(home, 'no-file'), {
        config: { ...keyless, dataFolder: folder },
        keyOf: keyless,
        newFolder: true,
        log,
        clock: systemClock,
        actorName: 'test',
      }),
    ).rejects.toThrow('The key-encryption key of the backed-up installation is not here');
    expect(await stat(folder).catch(() => null)).toBeNull();
  });

  test('is taken again for a restore of the same key that was cut off, and for nothing else', async () => {
    const folder = path.join(home, 'again');
    const prepare = (keyCheck: string) => prepareNewFolder(folder, { key, keyCheck, write: false });
    await prepare('one');
    await prepare('one');
    await expect(prepare('other')).rejects.toThrow('is not empty');
    await forgetBegun(folder);
    await expect(prepare('one')).rejects.toThrow('is not empty');
  });
});
