import { chmod, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { type OpenedDatabase, openDatabase } from './open-database.ts';
import { placeCluster } from './postgres/place.ts';

let home: string;
let opened: OpenedDatabase | null = null;

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'opened-'));
  // The unprivileged account PostgreSQL may run as passes through it.
  await chmod(home, 0o755);
});
afterAll(async () => {
  await opened?.postgres?.stop();
  await rm(home, { recursive: true, force: true });
});

const open = () =>
  openDatabase(
    parseConfig({ COUNTERSIGN_DATA: home }, { workingFolder: '/' }),
    createLogger({ level: 'fatal' }),
  );

test('a start does not begin an empty history where the database was lost, nor take another for it', async () => {
  opened = await open();
  await opened.postgres?.stop();
  const { dataFolder } = await placeCluster(home);
  const identifierFile = path.join(home, 'database-identifier');
  const identifier = await readFile(identifierFile, 'utf8');

  await rename(dataFolder, path.join(home, 'away'));
  await expect(open()).rejects.toThrow(/not in .* any more\.\n.*delete .*database-identifier/);

  await rm(identifierFile);
  opened = await open();
  await opened.postgres?.stop();
  expect(await readFile(identifierFile, 'utf8')).not.toBe(identifier);

  await rm(dataFolder, { recursive: true });
  await rename(path.join(home, 'away'), dataFolder);
  await expect(open()).rejects.toThrow(/another one is/);
  await rm(identifierFile);
  opened = await open();
  expect(await readFile(identifierFile, 'utf8')).toBe(identifier);
});
