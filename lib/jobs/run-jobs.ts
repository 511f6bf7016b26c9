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

/** More than there are tasks that ask others and may wait for them: no mail and no expiry stands behind a slow server. */
const concurrentJobs = 6;
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

  const taskList = oneAtATime(
    Object.fromEntries(
      Object.entries<Task>(tasks).map(([name, task]) => [
        name,
        async (payload: unknown) => {
          await task(options.newCtx(name), payload, options.services);
        },
      ]),
    ),
    new Set(schedule.map(({ task }) => task)),
  );
  const runner = await run({
    pgPool: pool,
    taskList,
    parsedCronItems: parseCronItems(
      schedule.map(({ task, match, missed }) => ({
        task,
        match,
        // At most one waits; that no two run beside one another is up to `oneAtATime`.
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

/**
 * The same tasks, of which each of `names` holds at most one of this process's slots: a run that begins while another
 * goes on ends at once, and the next minute brings another. Not the queue's own `queueName`: a worker that dies without
 * a word would leave its queues locked for four hours.
 */
export function oneAtATime(
  taskList: Record<string, (payload: unknown) => Promise<void>>,
  names: ReadonlySet<string>,
): TaskList {
  const underWay = new Set<string>();
  return Object.fromEntries(
    Object.entries(taskList).map(([name, task]) => [
      name,
      async (payload: unknown) => {
        if (!names.has(name)) return task(payload);
        if (underWay.has(name)) return;
        underWay.add(name);
        try {
          await task(payload);
        } finally {
          underWay.delete(name);
        }
      },
    ]),
  );
}

function writeLine(log: Logger, level: LogLevel | string, message: string): void {
  if (level === 'error') log.error(message);
  else if (level === 'warning') log.warn(message);
  else log.debug(message);
}
