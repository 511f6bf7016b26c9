import { parentPort, workerData } from 'node:worker_threads';
import { startWork } from '#lib/jobs/worker.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { openDb } from '#lib/platform/db.ts';
import type { Config } from '#lib/platform/env.ts';
import { newId } from '#lib/platform/ids.ts';
import { createLogger } from '#lib/platform/log.ts';
import { siteOf } from '#lib/platform/site.ts';
import type { DatabaseUrls } from './database.ts';

/** What the worker is given by its parent; it reads no environment and no files of its own. */
export type WorkerInput = { config: Config; databaseUrls: DatabaseUrls; keyEncryptionKey: Uint8Array };

/** Runs background work until asked to stop. Used as a thread by server.ts, and in place by --role worker. */
export async function startWorker(input: WorkerInput): Promise<{ close(): Promise<void> }> {
  const log = createLogger({ level: input.config.logLevel, name: 'worker' });
  const db = openDb(input.databaseUrls.gate, { prisma: 5, hot: 4, emergency: 1 });
  const vault = openVault(input.keyEncryptionKey);
  const newCtx = (taskName: string): Ctx => ({
    actor: systemActor(`job ${taskName}`),
    clock: systemClock,
    db,
    vault,
    site: siteOf(input.config),
    traceId: newId('trace'),
    address: null,
    userAgent: null,
  });
  const work = await startWork({ config: input.config, databaseUrls: input.databaseUrls, newCtx, log });
  return {
    async close() {
      await work.close();
      await db.close();
    },
  };
}

if (parentPort) {
  const port = parentPort;
  const worker = await startWorker(workerData as WorkerInput);
  port.once('message', async () => {
    await worker.close();
    process.exit(0);
  });
  port.postMessage('ready');
}
