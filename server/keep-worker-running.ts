import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Logger } from '#lib/platform/log.ts';
import type { WorkerInput } from './worker.ts';

export type RunningWorker = {
  /** Whether background work is being done at this moment. */
  isRunning(): boolean;
  /** Resolves when background work has begun, or after a while without it. */
  begun(): Promise<void>;
  stop(): Promise<void>;
};

const firstDelayMs = 200;
const longestDelayMs = 10_000;
const stopTimeoutMs = 6_000;
const beginTimeoutMs = 15_000;
const recoveredAfterMs = 30_000;

/**
 * Runs background work in a thread and starts it again when it ends by itself. Never refuses a start: the gate can
 * issue, decide and revoke without it, and readiness says that it is missing.
 */
export function keepWorkerRunning(input: WorkerInput, log: Logger): RunningWorker {
  let stopping = false;
  let delayMs = firstDelayMs;
  let worker: Worker | null = null;
  let ready = false;

  function start(): void {
    const startedAt = performance.now();
    const started = new Worker(path.join(import.meta.dirname, 'worker.ts'), {
      workerData: input,
      execArgv: [],
      // Jobs make little garbage at a time: a young generation of the default size would only hold memory.
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    worker = started;
    started.once('message', () => {
      ready = true;
    });
    started.on('error', (error) => log.error({ err: error }, 'the worker failed'));
    started.once('exit', async (code) => {
      worker = null;
      ready = false;
      if (stopping) return;
      if (performance.now() - startedAt > recoveredAfterMs) delayMs = firstDelayMs;
      log.error({ exitCode: code }, 'the worker ended by itself and is started again');
      await sleep(delayMs);
      delayMs = Math.min(delayMs * 2, longestDelayMs);
      if (!stopping) start();
    });
  }

  start();
  return {
    isRunning: () => ready,
    async begun() {
      const deadline = performance.now() + beginTimeoutMs;
      while (!ready && !stopping && performance.now() < deadline) await sleep(20);
    },
    async stop() {
      stopping = true;
      const running = worker;
      if (!running) return;
      const ended = new Promise<void>((resolve) => running.once('exit', () => resolve()));
      running.postMessage('stop');
      const timer = setTimeout(() => void running.terminate(), stopTimeoutMs);
      await ended;
      clearTimeout(timer);
    },
  };
}
