import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Logger as JobLogger, runMigrations } from 'graphile-worker';
import pg from 'pg';
import { openPool } from '#lib/platform/db.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { migrate } from '#prisma/migrate.ts';
import { prismaFolder } from '#prisma/schema-engine.ts';

/** The database roles: the owner migrates, each of the others may do only what its process needs (prisma/roles.sql). */
export const databaseRoles = {
  owner: 'countersign_owner',
  gate: 'countersign_gate',
  console: 'countersign_console',
  sequencer: 'countersign_sequencer',
} as const;

export type DatabaseRole = keyof typeof databaseRoles;
/** One connection string for each role. They may all be the same where an operator gave only one. */
export type DatabaseUrls = Record<DatabaseRole, string>;

/**
 * Makes the roles and the database in a PostgreSQL of our own, and sets the roles' passwords to the given ones.
 * Idempotent, so that a start killed between two statements is finished by the next.
 */
export async function ensureRolesAndDatabase(
  superuserUrl: string,
  database: string,
  passwords: Record<DatabaseRole, string>,
): Promise<void> {
  await withClient(superuserUrl, async (client) => {
    for (const role of Object.keys(databaseRoles) as DatabaseRole[]) {
      const name = client.escapeIdentifier(databaseRoles[role]);
      const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [databaseRoles[role]]);
      const verb = known.rowCount ? 'ALTER' : 'CREATE';
      await client.query(`${verb} ROLE ${name} LOGIN PASSWORD ${client.escapeLiteral(passwords[role])}`);
    }
    const present = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (!present.rowCount) {
      await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)} OWNER ${databaseRoles.owner}`);
    }
  });
}

/** Serialises starts that prepare one database at the same moment; another number than the migrations' own. */
const preparationLock = 7_264_591_224;

/** The mark of a database that a restore or a move is loading; gone when it is whole. */
export const restoringSchema = 'countersign_restoring';
/** What the mark says in its comment: whose loading it is. */
export type LoadedBy = 'restore' | 'move';

export type Preparation = {
  /** Names of the migrations this start applied. */
  applied: string[];
  /** Migrations of a newer version this one works beside; it then changes nothing. */
  newer: string[];
  /** False where the limited roles do not exist: a PostgreSQL of the operator's with one account. */
  leastPrivilege: boolean;
};

/**
 * Brings a database up to date as its owner: our migrations, the job queue's, then what each role may do
 * (prisma/roles.sql). Idempotent, and safe when several processes start at once.
 *
 * @throws OperatorError where a restore into it was not finished, unless it is the restore that asks.
 */
export async function prepareDatabase(
  ownerUrl: string,
  options: { restoring?: boolean } = {},
): Promise<Preparation> {
  return withClient(ownerUrl, async (client) => {
    await client.query('SELECT pg_advisory_lock($1)', [preparationLock]);
    if (!options.restoring) await refuseUnfinishedLoading(client);
    const { applied, newer } = await migrate(ownerUrl);
    if (newer.length > 0) return { applied, newer, leastPrivilege: await hasLimitedRoles(client) };
    await migrateJobQueue(ownerUrl);
    return { applied, newer, leastPrivilege: await applyGrants(client) };
  });
}

/** @throws OperatorError where what is in the database is not whole. Changes nothing. */
export async function refuseUnfinished(ownerUrl: string): Promise<void> {
  await withClient(ownerUrl, refuseUnfinishedLoading);
}

async function refuseUnfinishedLoading(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ unfinished: boolean; by: string | null }>(
    `SELECT to_regnamespace('${restoringSchema}') IS NOT NULL AS unfinished,
            obj_description(to_regnamespace('${restoringSchema}'), 'pg_namespace') AS by`,
  );
  if (!rows[0]?.unfinished) return;
  const by: LoadedBy = rows[0].by === 'move' ? 'move' : 'restore';
  throw new OperatorError(
    `A ${by} into this database was cut off, or still runs, so what is in it is not whole. ` +
      `Run the ${by} again; it begins anew.`,
  );
}

async function migrateJobQueue(ownerUrl: string): Promise<void> {
  const pool = openPool({ connectionString: ownerUrl, max: 2 });
  try {
    await runMigrations({ pgPool: pool, logger: new JobLogger(() => () => undefined) });
  } finally {
    await pool.end();
  }
}

async function hasLimitedRoles(client: pg.Client): Promise<boolean> {
  const limited = [databaseRoles.gate, databaseRoles.console, databaseRoles.sequencer];
  const { rows } = await client.query('SELECT count(*)::int AS found FROM pg_roles WHERE rolname = ANY($1)', [
    limited,
  ]);
  return rows[0].found === limited.length;
}

async function applyGrants(client: pg.Client): Promise<boolean> {
  if (!(await hasLimitedRoles(client))) return false;
  const sql = await readFile(path.join(prismaFolder, 'roles.sql'), 'utf8');
  // A script of several statements is one transaction: nobody ever works under half of the grants.
  await client.query(sql);
  return true;
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // A connection that is lost fails the query under way, or the next one.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The connection string of one role on a cluster of our own: a socket folder, or a loopback address on Windows. */
export function connectionString(
  cluster: { host: string; port: number },
  user: string,
  password: string,
  database: string,
): string {
  const credentials = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
  const host = encodeURIComponent(cluster.host);
  return `postgresql://${credentials}@localhost:${cluster.port}/${encodeURIComponent(database)}?host=${host}`;
}
