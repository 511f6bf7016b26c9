import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Db, openDb } from '#lib/platform/db.ts';
import {
  connectionString,
  type DatabaseUrls,
  databaseRoles,
  ensureRolesAndDatabase,
  prepareDatabase,
} from '../server/database.ts';
import { startCluster, superuserName } from '../server/postgres/cluster.ts';
import { placeCluster } from '../server/postgres/place.ts';

export type HistoryDatabase = {
  /** As the gate's role. */
  db: Db;
  urls: DatabaseUrls;
  superuserUrl: string;
  close(): Promise<void>;
};

/** A PostgreSQL of its own, with fsync and a gigabyte of buffers, with the product's schema and roles; removed afterwards. */
export async function openHistory(): Promise<HistoryDatabase> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'countersign-history-'));
  // PostgreSQL's account passes through it; a database placed elsewhere would outlive this folder.
  await chmod(home, 0o755);
  const place = await placeCluster(home);
  const name = 'bench';
  const password = randomBytes(16).toString('hex');
  const cluster = await startCluster(place, {
    superuserPassword: password,
    durable: true,
    sharedBuffersMb: 1024,
    onUnexpectedExit: ({ code }) => console.error(`PostgreSQL of the bench ended with ${code}`),
  });
  const superuserUrl = (database: string) => connectionString(cluster, superuserName, password, database);
  await ensureRolesAndDatabase(superuserUrl('postgres'), name, {
    owner: password,
    gate: password,
    console: password,
    sequencer: password,
  });
  const urlOf = (role: keyof DatabaseUrls) => connectionString(cluster, databaseRoles[role], password, name);
  const urls = {
    owner: urlOf('owner'),
    gate: urlOf('gate'),
    console: urlOf('console'),
    sequencer: urlOf('sequencer'),
  };
  await prepareDatabase(urls.owner);
  const db = openDb(urls.gate, { prisma: 2, hot: 8, emergency: 1 });
  return {
    db,
    urls,
    superuserUrl: superuserUrl(name),
    async close() {
      await db.close();
      await cluster.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}
