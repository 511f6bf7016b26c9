import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '#lib/platform/log.ts';
import { type Cluster, startCluster } from './cluster.ts';
import type { ClusterPlace } from './place.ts';
import { readSystemIdentifier } from './system-identifier.ts';

export type RunningPostgres = {
  host: string;
  port: number;
  /** Process id of the PostgreSQL that runs now. */
  pid(): number;
  stop(): Promise<void>;
};

const firstDelayMs = 50;
const longestDelayMs = 5_000;
/** A PostgreSQL that ran this long has recovered; the next failure starts with the short delay again. */
const recoveredAfterMs = 30_000;

/**
 * Runs the embedded PostgreSQL and starts it again, on the same address, whenever it ends by itself. Committed work
 * is safe; open connections fail and the pools make new ones.
 *
 * What is started again is the cluster that ran, or nothing: where its folder is gone or holds another one, this says
 * so and waits. A start would make a new database there, whose empty history would pass for this installation's.
 */
export async function keepPostgresRunning(
  place: ClusterPlace,
  options: { superuserPassword: string; log: Logger },
): Promise<RunningPostgres> {
  let stopping = false;
  let delayMs = firstDelayMs;
  let startedAt = performance.now();
  let restarting: Promise<void> | null = null;

  const start = (port?: number) =>
    startCluster(place, {
      superuserPassword: options.superuserPassword,
      durable: true,
      sharedBuffersMb: 256,
      port,
      onUnexpectedExit(detail) {
        if (stopping) return;
        options.log.error(detail, 'PostgreSQL ended by itself and is started again');
        if (performance.now() - startedAt > recoveredAfterMs) delayMs = firstDelayMs;
        restarting = restart();
      },
    });

  let current: Cluster = await start();
  const identifier = await readSystemIdentifier(place.dataFolder);

  async function restart(): Promise<void> {
    while (!stopping) {
      await sleep(delayMs);
      delayMs = Math.min(delayMs * 2, longestDelayMs);
      if (stopping) return;
      try {
        startedAt = performance.now();
        if ((await readSystemIdentifier(place.dataFolder)) !== identifier) {
          options.log.fatal(
            { folder: place.dataFolder },
            'the database folder is gone or holds another database: nothing is started until it is put back',
          );
          continue;
        }
        current = await start(current.port);
        options.log.info({ pid: current.pid }, 'PostgreSQL runs again');
        return;
      } catch (error) {
        options.log.error({ err: error }, 'PostgreSQL could not be started');
      }
    }
  }

  return {
    host: current.host,
    port: current.port,
    pid: () => current.pid,
    async stop() {
      stopping = true;
      await restarting;
      await current.stop();
    },
  };
}
