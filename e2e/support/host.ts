import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { openDb } from '#lib/platform/db.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { siteOf } from '#lib/platform/site.ts';
import { reachDatabase } from '../../server/reach-database.ts';

/** One data folder and port on this host, as whoever administers the host sees it. */
export type Host = { port: number; dataFolder: string; environment?: Record<string, string> };
export type CommandResult = { code: number | null; output: string };

const root = path.resolve(import.meta.dirname, '../..');

/** Starts `countersign …` with the settings of a host, and nothing of this process's own. */
export function startCommand(
  host: Host,
  args: readonly string[],
): { child: ChildProcess; ended: Promise<CommandResult> } {
  const child = spawn(process.execPath, ['--import', './scripts/prepare.mjs', 'cli/main.ts', ...args], {
    cwd: root,
    env: {
      NODE_ENV: 'production',
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...host.environment,
      PORT: String(host.port),
      COUNTERSIGN_DATA: host.dataFolder,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
    });
  const ended = new Promise<CommandResult>((resolve) => {
    child.once('close', (code) => resolve({ code, output }));
  });
  return { child, ended };
}

export const runCommand = (host: Host, ...args: string[]): Promise<CommandResult> =>
  startCommand(host, args).ended;

/** Lends `work` the database of a host, as the host's own commands reach it. */
export async function onHost<T>(host: Host, work: (ctx: Ctx, ownerUrl: string) => Promise<T>): Promise<T> {
  const config = parseConfig(
    { ...host.environment, PORT: String(host.port), COUNTERSIGN_DATA: host.dataFolder },
    { workingFolder: '/' },
  );
  const database = await reachDatabase(config, createLogger({ level: 'fatal' }), { command: 'a test' });
  const db = openDb(database.databaseUrls.gate, { prisma: 2, hot: 1, emergency: 1 });
  try {
    return await work(
      {
        actor: systemActor('test'),
        clock: systemClock,
        db,
        vault: null,
        site: siteOf(config),
        traceId: 'trc_test',
        address: null,
        userAgent: null,
      },
      database.databaseUrls.owner,
    );
  } finally {
    await db.close();
    await database.release();
  }
}
