import { constants } from 'node:fs';
import { access, mkdir, readdir, rm, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { randomToken } from '#lib/platform/crypto.ts';
import { connectionString } from '../database.ts';
import { processIsAlive } from '../processes.ts';
import { startCluster, stopLeftOver, superuserName } from './cluster.ts';
import { placeCluster } from './place.ts';

export type ThrowAwayCluster = {
  host: string;
  port: number;
  /** Connection string of the superuser for a database of this cluster. */
  url(database: string): string;
  stop(): Promise<void>;
};

const prefix = 'countersign-';
const memoryFolder = '/dev/shm';
const enoughMemoryBytes = 2 * 1024 ** 3;

/** Memory where there is plenty (cloning a database is a matter of a thousand small files), else the temporary folder. */
async function throwAwayParent(): Promise<string> {
  try {
    const { bavail, bsize } = await statfs(memoryFolder);
    await access(memoryFolder, constants.W_OK);
    if (process.platform === 'linux' && bavail * bsize > enoughMemoryBytes) return memoryFolder;
  } catch {
    // No such folder here.
  }
  return os.tmpdir();
}

/**
 * Starts a PostgreSQL for tests and tools, without fsync, and removes it on stop. Clusters
 * whose program was killed are stopped and removed by the next one that starts.
 */
export async function startThrowAwayCluster(purpose: string): Promise<ThrowAwayCluster> {
  const parent = await throwAwayParent();
  await removeAbandoned(parent, purpose);
  const home = path.join(parent, `${prefix}${purpose}-${process.pid}`);
  await rm(home, { recursive: true, force: true });
  await mkdir(home, { recursive: true, mode: 0o755 });
  const password = randomToken();
  const place = await placeCluster(home);
  const cluster = await startCluster(place, {
    superuserPassword: password,
    durable: false,
    sharedBuffersMb: 128,
    onUnexpectedExit: ({ code, signal }) => {
      console.error(
        `PostgreSQL of ${purpose} ended by itself (code ${code}, signal ${signal}), see ${place.logFile}`,
      );
    },
  });
  return {
    host: cluster.host,
    port: cluster.port,
    url: (database) => connectionString(cluster, superuserName, password, database),
    async stop() {
      await cluster.stop();
      await rm(home, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function removeAbandoned(parent: string, purpose: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    const match = new RegExp(`^${prefix}${purpose}-(\\d+)$`).exec(name);
    if (!match || processIsAlive(Number(match[1]))) continue;
    const home = path.join(parent, name);
    // Somebody else's folder can neither be read nor removed, and is none of our business.
    const place = await placeCluster(home).catch(() => null);
    if (!place) continue;
    await stopLeftOver(place).catch(() => undefined);
    await rm(home, { recursive: true, force: true }).catch(() => undefined);
  }
}
