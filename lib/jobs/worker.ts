import { setTimeout as sleep } from 'node:timers/promises';
import { logOrigin, rawPublicKey, signNote } from '#lib/audit/checkpoint.ts';
import { runSequencer } from '#lib/audit/sequencer.ts';
import { activeSigningKey } from '#lib/credentials/signing-keys.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Config } from '#lib/platform/env.ts';
import { newId } from '#lib/platform/ids.ts';
import type { Logger } from '#lib/platform/log.ts';
import { sweepDue } from '#lib/revocation/receipt.ts';
import { runJobs } from './run-jobs.ts';
import { openServices } from './services.ts';
import { atStart } from './tasks.ts';

export type RunningWork = { close(): Promise<void> };

const sweepEveryMs = 1_000;

/**
 * Everything that goes on without anybody asking: the order of history, queued and scheduled jobs, and the second
 * look after each stop. Any number of workers may run on one database; each piece of work is done by one.
 */
export async function startWork(options: {
  config: Config;
  databaseUrls: { gate: string; sequencer: string };
  /** A fresh context for each run, with the system as actor. */
  newCtx(taskName: string): Ctx;
  log: Logger;
}): Promise<RunningWork> {
  const { newCtx, log, databaseUrls } = options;
  const site = newCtx('sequencer').site;
  const origin = logOrigin(site);
  const sequencer = runSequencer({
    databaseUrl: databaseUrls.sequencer,
    holder: newId('trace'),
    origin,
    clock: newCtx('sequencer').clock,
    log,
    async sign(text) {
      const key = await activeSigningKey(newCtx('sequencer'), 'checkpoint');
      return signNote(text, {
        name: origin,
        publicKey: rawPublicKey(key.publicJwk),
        privateKey: key.privateKey,
      });
    },
  });
  const services = openServices(options.config, { historyUrl: databaseUrls.gate, log });
  const jobs = await runJobs({ databaseUrl: databaseUrls.gate, newCtx, services, log });
  for (const task of atStart) {
    await newCtx(task).db.hot.query('SELECT graphile_worker.add_job($1, job_key => $1, max_attempts => 3)', [
      task,
    ]);
  }

  const ending = new AbortController();
  const sweeping = (async () => {
    while (!ending.signal.aborted) {
      const ctx = newCtx('second look');
      try {
        await sweepDue(ctx, (error, revocationId) =>
          log.warn({ err: error, revocationId }, 'a second look after a stop failed; trying again'),
        );
      } catch (error) {
        log.warn({ err: error }, 'a second look after a stop failed; trying again');
      }
      await sleep(sweepEveryMs, undefined, { signal: ending.signal }).catch(() => undefined);
    }
  })();

  return {
    async close() {
      ending.abort();
      await Promise.all([sweeping, jobs.close(), sequencer.close()]);
      services.mail?.close();
    },
  };
}
