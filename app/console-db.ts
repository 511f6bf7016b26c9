import 'server-only';
import { readConsoleEnvironment } from '#lib/platform/console-environment.ts';
import { type Db, openDb } from '#lib/platform/db.ts';

/** Survives reloads of this module in development: one set of pools a process. */
const held = globalThis as typeof globalThis & { countersignConsoleDb?: Db };

/**
 * The console's doors to PostgreSQL: a role that reads and writes nothing, queries that leave secret columns out.
 * Opened at the first request; during the build there is nothing to connect to.
 */
export function consoleDb(): Db {
  held.countersignConsoleDb ??= openDb(
    readConsoleEnvironment().databaseUrl,
    { prisma: 10, hot: 4, emergency: 1 },
    { omitSecrets: true },
  );
  return held.countersignConsoleDb;
}
