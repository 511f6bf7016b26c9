import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '#lib/platform/log.ts';
import { signalProcess } from './processes.ts';

export type KeptProcess = { stop(): Promise<void> };

export type KeptProcessOptions = {
  /** Shown in the log. */
  name: string;
  command: string;
  args: readonly string[];
  /** The whole environment of the child: nothing of ours is inherited unless it is in here. */
  environment: Readonly<Record<string, string | undefined>>;
  log: Logger;
  /** Called with each line the child prints. */
  onLine?(line: string): void;
};

const firstDelayMs = 200;
const longestDelayMs = 10_000;
const recoveredAfterMs = 30_000;
const stopTimeoutMs = 5_000;

/** Runs a child process and starts it again, more slowly each time, when it ends by itself. */
export function keepRunning(options: KeptProcessOptions): KeptProcess {
  let stopping = false;
  let child: ChildProcess | null = null;
  let delayMs = firstDelayMs;

  function start(): void {
    const startedAt = performance.now();
    const started = spawn(options.command, [...options.args], {
      env: options.environment as NodeJS.ProcessEnv,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    followLines(started, (line) => {
      options.log.debug({ process: options.name, line }, 'a child process says');
      options.onLine?.(line);
    });
    started.once('error', (error) =>
      options.log.error({ err: error, process: options.name }, 'could not be started'),
    );
    started.once('close', async (exitCode) => {
      child = null;
      if (stopping) return;
      if (performance.now() - startedAt > recoveredAfterMs) delayMs = firstDelayMs;
      options.log.error({ exitCode, process: options.name }, 'ended by itself and is started again');
      await sleep(delayMs);
      delayMs = Math.min(delayMs * 2, longestDelayMs);
      if (!stopping) start();
    });
  }

  start();
  return {
    async stop() {
      stopping = true;
      const running = child;
      if (!running?.pid) return;
      const { pid } = running;
      const ended = new Promise<void>((resolve) => running.once('close', () => resolve()));
      signalProcess(pid, 'SIGTERM');
      const force = setTimeout(() => signalProcess(pid, 'SIGKILL'), stopTimeoutMs);
      await ended;
      clearTimeout(force);
    },
  };
}

function followLines(child: ChildProcess, onLine: (line: string) => void): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8');
    stream?.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = (lines.pop() ?? '').slice(-10_000);
      for (const line of lines) if (line.trim()) onLine(line);
    });
  }
}
