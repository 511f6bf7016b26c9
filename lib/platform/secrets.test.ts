import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadSecrets } from './secrets.ts';

const none = { keyEncryptionKey: null, sessionSecret: null, databaseExists: false };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'secrets-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('makes every secret once and reads the same ones again', async () => {
  const first = await loadSecrets(folder, none);
  expect(first.keyEncryptionKey).toHaveLength(32);
  expect(new Set(Object.values(first.databasePasswords)).size).toBe(5);
  expect(await loadSecrets(folder, { ...none, databaseExists: true })).toEqual(first);
});

test('two starts at once agree', async () => {
  const [one, two] = await Promise.all([loadSecrets(folder, none), loadSecrets(folder, none)]);
  expect(one).toEqual(two);
});

test('files are readable by their owner only, also after somebody widened them', async () => {
  await loadSecrets(folder, none);
  const file = path.join(folder, 'key-encryption-key');
  await chmod(file, 0o644);
  await loadSecrets(folder, none);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

test('a database whose key is gone stops the start instead of getting a new key', async () => {
  await loadSecrets(folder, none);
  await rm(path.join(folder, 'key-encryption-key'));
  await expect(loadSecrets(folder, { ...none, databaseExists: true })).rejects.toThrow(/is missing/);
});

test('a damaged file stops the start', async () => {
  await loadSecrets(folder, none);
  const file = path.join(folder, 'key-encryption-key');
  await writeFile(file, (await readFile(file, 'utf8')).slice(0, 10));
  await expect(loadSecrets(folder, none)).rejects.toThrow(/damaged/);
});

test('a configured key wins and is not written', async () => {
  const key = Buffer.alloc(32, 7);
  const secrets = await loadSecrets(folder, { ...none, keyEncryptionKey: key });
  expect(secrets.keyEncryptionKey).toEqual(key);
  await expect(stat(path.join(folder, 'key-encryption-key'))).rejects.toThrow();
});
