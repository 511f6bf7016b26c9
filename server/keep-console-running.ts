import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '#lib/platform/log.ts';

/**
 * Bounds each half of V8's young generation, in megabytes. Otherwise it grows while modules load and is never given
 * back; see docs/decisions/0018.
 */
const smallYoungGeneration = '--max-semi-space-size=8';

export type RunningConsole = {
  /** Process id of the console that runs now, null between two. */
  pid(): number | null;
  stop(): Promise<void>;
};

const firstDelayMs = 100;
const longestDelayMs = 10_000;
const recoveredAfterMs = 30_000;
const startTimeoutMs = 60_000;
const stopTimeoutMs = 6_000;

/**
 * Runs the console as a child and starts it again, on the same port, when it ends by itself, waiting longer each
 * time it fails at once. Resolves when the first one serves pages.
 *
 * @throws when the first console does not come up, with its exit code.
 */
export async function keepConsoleRunning(options: {
  host: string;
  port: number;
  startSecret: string;
  environment: NodeJS.ProcessEnv;
  log: Logger;
}): Promise<RunningConsole> {
  let stopping = false;
  let delayMs = firstDelayMs;
  let child: ChildProcess | null = null;

  async function start(): Promise<void> {
    const started = fork(path.join(import.meta.dirname, 'console-child.ts'), {
      env: options.environment,
      // What this process was started with (a preloaded module) is not the child's business.
      execArgv: [smallYoungGeneration],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const startedAt = performance.now();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        started.kill('SIGKILL');
        reject(new Error(`the console did not start within ${startTimeoutMs / 1000} s`));
      }, startTimeoutMs);
      started.once('exit', (code, signal) => {
        clearTimeout(timer);
        reject(new Error(`the console ended while starting (code ${code}, signal ${signal})`));
      });
      // Could not be spawned, or ended before it was told anything: an event without a listener would end this process.
      started.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      started.once('message', () => {
        clearTimeout(timer);
        resolve();
      });
      started.send({ host: options.host, port: options.port, startSecret: options.startSecret });
    });
    started.removeAllListeners('exit');
    child = started;
    started.once('exit', (code, signal) => {
      child = null;
      if (stopping) return;
      options.log.error({ exitCode: code, signal }, 'the console ended by itself and is started again');
      if (performance.now() - startedAt > recoveredAfterMs) delayMs = firstDelayMs;
      void restart();
    });
  }

  async function restart(): Promise<void> {
    while (!stopping) {
      await sleep(delayMs);
      delayMs = Math.min(delayMs * 2, longestDelayMs);
      if (stopping) return;
      try {
        await start();
        options.log.info({ pid: child?.pid }, 'the console runs again');
        return;
      } catch (error) {
        options.log.error({ err: error }, 'the console could not be started');
      }
    }
  }

  await start();
  return {
    pid: () => child?.pid ?? null,
    async stop() {
      stopping = true;
      const running = child;
      if (!running || running.exitCode !== null) return;
      const ended = new Promise<void>((resolve) => running.once('exit', () => resolve()));
      running.kill('SIGTERM');
      const timer = setTimeout(() => running.kill('SIGKILL'), stopTimeoutMs);
      await ended;
      clearTimeout(timer);
    },
  };
}
