import type { Ctx } from '#lib/platform/ctx.ts';
import { forgetExpired } from './forget-expired.ts';

/** A background task: runs with the system as actor; throwing makes it run again later, with growing pauses. */
export type Task = (ctx: Ctx, payload: unknown) => Promise<void>;

/** Every task by its name. Verbs enqueue them with `graphile_worker.add_job` in their own transaction. */
export const tasks = {
  'forget-expired': forgetExpired,
} satisfies Record<string, Task>;

export type TaskName = keyof typeof tasks;

/** When tasks run by themselves (crontab syntax, UTC). A run missed while nothing was running is made up once. */
export const schedule: readonly { task: TaskName; match: string }[] = [
  { task: 'forget-expired', match: '17 * * * *' },
];
