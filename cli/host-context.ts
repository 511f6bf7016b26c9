import { userInfo } from 'node:os';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { openDb } from '#lib/platform/db.ts';
import { readConfig } from '#lib/platform/env.ts';
import { newId } from '#lib/platform/ids.ts';
import { createLogger } from '#lib/platform/log.ts';
import { siteOf } from '#lib/platform/site.ts';
import { type ReachedDatabase, reachDatabase } from '../server/reach-database.ts';

/**
 * Lends `work` a context in which the host itself acts, as the history will say with the name of the account that ran
 * the command. Uses the running server's database, or starts it for as long as the work takes.
 */
export async function withHostContext<T>(
  command: string,
  work: (ctx: Ctx, database: ReachedDatabase) => Promise<T>,
  /** With `asItIs` the database is not brought up to date for it. */
  options: { asItIs?: boolean } = {},
): Promise<T> {
  const config = readConfig({});
  const log = createLogger({ level: 'warn' });
  const database = await reachDatabase(config, log, { command, ...options });
  const db = openDb(database.databaseUrls.gate, { prisma: 2, hot: 1, emergency: 1 });
  try {
    const known = await db.prisma.installation.findUnique({
      where: { id: 1 },
      select: { issuer: true, demo: true },
    });
    const ctx = {
      actor: systemActor(hostActorName(command)),
      clock: systemClock,
      db,
      vault: openVault(database.secrets.keyEncryptionKey),
      site: { ...siteOf(config), demo: known?.demo ?? config.demo },
      traceId: newId('trace'),
      address: null,
      userAgent: null,
    };
    return await work(ctx, database);
  } finally {
    await db.close().finally(() => database.release());
  }
}

/** Who acts when a command does: the history names the account that ran it. */
export function hostActorName(command: string): string {
  return `${command} (${userInfo().username})`;
}
