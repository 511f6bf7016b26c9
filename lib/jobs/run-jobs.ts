import { Logger as JobLogger, type LogLevel, parseCronItems, run, type TaskList } from 'graphile-worker';
import type { Ctx } from '#lib/platform/ctx.ts';
import { openPool } from '#lib/platform/db.ts';
import type { Logger } from '#lib/platform/log.ts';
import type { Services } from './services.ts';
import { schedule, type Task, tasks } from './tasks.ts';

export type RunningJobs = {
  /** Stops taking jobs and lets those under way finish. */
  close(): Promise<void>;
};

const concurrentJobs = 3;
const poolSize = 5;

/**
 * Takes jobs from the queue and runs the schedule. Any number of workers may do this on one database: each job is
 * taken by one. Wakes by LISTEN and, should a notification be lost, looks every two seconds.
 */
export async function runJobs(options: {
  databaseUrl: string;
  /** A fresh context for each run, with the system as actor. */
  newCtx(taskName: string): Ctx;
  services: Services;
  log: Logger;
}): Promise<RunningJobs> {
  // A connection that dies is replaced by the next use; the runner retries by itself.
  const pool = openPool({ connectionString: options.databaseUrl, max: poolSize });
  pool.on('error', (error) => options.log.warn({ err: error }, 'a connection of the jobs was lost'));

  const taskList: TaskList = Object.fromEntries(
    Object.entries<Task>(tasks).map(([name, task]) => [
      name,
      async (payload: unknown) => {
        await task(options.newCtx(name), payload, options.services);
      },
    ]),
  );
  const runner = await run({
    pgPool: pool,
    taskList,
    parsedCronItems: parseCronItems(
      schedule.map(({ task, match, missed }) => ({
        task,
        match,
        // One at a time: a run that takes longer than its pause is not joined by the next.
        options: {
          backfillPeriod: missed === 'once' ? 24 * 3600 * 1000 : 0,
          maxAttempts: 3,
          jobKey: task,
          jobKeyMode: 'preserve_run_at' as const,
        },
      })),
    ),
    concurrency: concurrentJobs,
    pollInterval: 2_000,
    noHandleSignals: true,
    logger: new JobLogger(() => (level, message) => writeLine(options.log, level, message)),
  });
  let closing = false;
  const ended = runner.promise.catch((error: unknown) => {
    if (!closing) throw error;
  });
  // The worker process decides what an ended runner means (it is started again); unhandled here it would be silent.
  ended.catch((error: unknown) => {
    options.log.error({ err: error }, 'the jobs ended by themselves');
    process.exit(1);
  });
  return {
    async close() {
      closing = true;
      await runner.stop().catch(() => undefined);
      await ended.catch(() => undefined);
      await pool.end();
    },
  };
}

function writeLine(log: Logger, level: LogLevel | string, message: string): void {
  if (level === 'error') log.error(message);
  else if (level === 'warning') log.warn(message);
  else log.debug(message);
}
