import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '#lib/platform/env.ts';
import type { Logger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { openDatabase } from '../open-database.ts';
import { placeCluster } from '../postgres/place.ts';
import { privateSocketFolder } from '../private-folder.ts';
import type { ReachedDatabase } from '../reach-database.ts';
import { holdSingleStart } from '../single-start.ts';

/**
 * The database a restore goes into: the one DATABASE_URL names, or an embedded one that is made where there is none.
 * Nothing else can start on the data folder until it is released.
 */
export async function openForRestore(config: Config, log: Logger, command: string): Promise<ReachedDatabase> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o755 });
  const runFolder = await privateSocketFolder(path.join(config.dataFolder, 'run'));
  const letGo = await holdSingleStart(runFolder, config.dataFolder, command);
  try {
    if (!config.databaseUrl) await forgetLostCluster(config.dataFolder);
    const { databaseUrls, secrets, postgres } = await openDatabase(config, log);
    return {
      databaseUrls,
      secrets,
      release: async () => (postgres?.stop() ?? Promise.resolve()).finally(letGo),
    };
  } catch (error) {
    await letGo();
    throw error;
  }
}

/** A disk was lost, or the database was put aside: what the installation knew its database by names nothing any more. */
async function forgetLostCluster(dataFolder: string): Promise<void> {
  const place = await placeCluster(dataFolder);
  if (await stat(path.join(place.dataFolder, 'PG_VERSION')).catch(() => null)) return;
  await rm(path.join(dataFolder, 'database-identifier'), { force: true });
}

/**
 * The key-encryption key of this host, made by nobody here: a new one would open nothing of what is in a backup.
 *
 * @throws OperatorError naming where it belongs.
 */
export async function requireKey(config: Config): Promise<Buffer> {
  const found = await findKey(config);
  if (found) return found;
  throw new OperatorError(
    'The key-encryption key of the backed-up installation is not here. It is never in a backup: put it into ' +
      `${keyFileOf(config.dataFolder)} (mode 0600), or set COUNTERSIGN_KEY_ENCRYPTION_KEY.`,
  );
}

/** The same, or null where there is none. */
export async function findKey(
  config: Pick<Config, 'dataFolder' | 'keyEncryptionKey'>,
): Promise<Buffer | null> {
  if (config.keyEncryptionKey) return config.keyEncryptionKey;
  const text = await readFile(keyFileOf(config.dataFolder), 'utf8').catch(() => null);
  const key = text === null ? null : Buffer.from(text.trim(), 'base64url');
  return key?.length === 32 ? key : null;
}

export function keyFileOf(dataFolder: string): string {
  return path.join(dataFolder, 'secrets', 'key-encryption-key');
}

/**
 * Makes a data folder for a restore and puts the host's key into it, because a database without its key opens nothing.
 * A key given by environment alone is not written anywhere: whoever keeps it off the disk goes on doing so.
 *
 * @throws OperatorError where there is something in the folder already, unless an earlier restore of this key was cut off.
 */
export async function prepareNewFolder(
  folder: string,
  { key, keyCheck, write }: { key: Buffer; keyCheck: string; write: boolean },
): Promise<void> {
  const present = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new OperatorError(`${folder} cannot be read: ${error.message}`);
  });
  const begun = await readFile(begunFileOf(folder), 'utf8').catch(() => null);
  if (present && present.length > 0 && begun !== keyCheck)
    throw new OperatorError(`${folder} is not empty. Name a folder that does not exist yet.`);
  await mkdir(path.join(folder, 'secrets'), { recursive: true, mode: 0o700 });
  await chmod(folder, 0o711);
  await writeFile(begunFileOf(folder), keyCheck, { mode: 0o600, flush: true });
  if (write) await writeFile(keyFileOf(folder), key.toString('base64url'), { mode: 0o600, flush: true });
}

/** The mark of a new folder whose restore is not finished, with what tells its key from others. */
const begunFileOf = (folder: string) => path.join(folder, 'restore-begun');

export async function forgetBegun(folder: string): Promise<void> {
  await rm(begunFileOf(folder), { force: true });
}
