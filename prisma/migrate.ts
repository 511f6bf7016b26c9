import { createHash } from 'node:crypto';
import type { MigrationList } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { readMigrations, withSchemaEngine } from './schema-engine.ts';

/** Any number no other program takes: two processes that start on one database must not migrate it at once. */
const migrationLock = 7_264_591_223;

type AppliedMigration = { migration_name: string; checksum: string; finished: boolean };

/**
 * Brings a database to the newest migration and returns the names it applied, in order. The work is Prisma's own
 * schema engine, so `_prisma_migrations` is what `prisma migrate deploy` would have written. A database that is up to
 * date costs one query.
 *
 * @throws when an earlier attempt failed half way, when an applied migration was edited since, or when the database
 * is newer than this program.
 */
export async function migrate(
  databaseUrl: string,
  /** The last migration to apply, for a backup of an older version; all of them unless given. */
  options: { through?: string | undefined } = {},
): Promise<string[]> {
  const migrations = upTo(await readMigrations(), options.through);
  const client = new pg.Client({ connectionString: databaseUrl });
  // A connection that is lost fails the query under way, or the next one.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await mendFirstMigration(client);
    const applied = await readApplied(client);
    refuseForeignHistory(applied, migrations);
    if (applied.length === migrations.migrationDirectories.length) return [];
    const result = await withSchemaEngine(databaseUrl, (engine) =>
      engine.applyMigrations({
        migrationsList: migrations,
        filters: { externalTables: [], externalEnums: [] },
      }),
    );
    return result.appliedMigrationNames;
  } finally {
    // Ends the session and with it the lock.
    await client.end();
  }
}

/** Every migration this program has, in order. */
export async function knownMigrations(): Promise<{ name: string; checksum: string }[]> {
  const { migrationDirectories } = await readMigrations();
  return migrationDirectories.map((directory) => ({
    name: directory.path,
    checksum: checksumOf(directory),
  }));
}

function upTo(migrations: MigrationList, last: string | undefined): MigrationList {
  if (last === undefined) return migrations;
  return {
    ...migrations,
    migrationDirectories: migrations.migrationDirectories.filter(({ path }) => path <= last),
  };
}

/** Names of migrations the database lacks; read-only, for readiness checks. */
export async function pendingMigrations(databaseUrl: string): Promise<string[]> {
  const migrations = await readMigrations();
  const client = new pg.Client({ connectionString: databaseUrl });
  // A connection that is lost fails the query under way, or the next one.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const applied = new Set(
      (await readApplied(client)).filter((row) => row.finished).map((row) => row.migration_name),
    );
    return migrations.migrationDirectories
      .map((directory) => directory.path)
      .filter((name) => !applied.has(name));
  } finally {
    await client.end();
  }
}

async function readApplied(client: pg.Client): Promise<AppliedMigration[]> {
  const table = await client.query(`SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present`);
  if (!table.rows[0].present) return [];
  const { rows } = await client.query<AppliedMigration>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY migration_name`,
  );
  return rows;
}

/**
 * A first start that was cut off while its first migration ran leaves it begun and not finished. Its script is one
 * transaction, so all of it is there or nothing: it is finished, or forgotten and begun again. Later migrations are
 * for people to look at, who then have data to lose.
 */
async function mendFirstMigration(client: pg.Client): Promise<void> {
  const begun = await readApplied(client);
  if (begun.length !== 1 || begun[0]?.finished !== false) return;
  const { rows } = await client.query(`SELECT to_regclass('installation') IS NOT NULL AS present`);
  await client.query(
    rows[0].present
      ? 'UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1 WHERE finished_at IS NULL'
      : 'DELETE FROM _prisma_migrations WHERE finished_at IS NULL',
  );
}

function refuseForeignHistory(applied: AppliedMigration[], migrations: MigrationList): void {
  const known = new Map(
    migrations.migrationDirectories.map((directory) => [directory.path, checksumOf(directory)] as const),
  );
  for (const row of applied) {
    const checksum = known.get(row.migration_name);
    if (checksum === undefined) {
      throw new OperatorError(
        `The database was migrated by a newer Countersign (${row.migration_name}). Start that version, or restore a backup.`,
      );
    }
    if (!row.finished) {
      throw new OperatorError(
        `The migration ${row.migration_name} failed half way. Its error is in _prisma_migrations.logs; ` +
          'restore the backup made before the upgrade, or mend the database and mark it with prisma migrate resolve.',
      );
    }
    if (checksum !== row.checksum) {
      throw new OperatorError(
        `The migration ${row.migration_name} differs from the one this database was made with. ` +
          'Start the version that made it, or (development only) remove the data folder.',
      );
    }
  }
}

function checksumOf(directory: MigrationList['migrationDirectories'][number]): string {
  const { content } = directory.migrationFile;
  return createHash('sha256')
    .update(content.tag === 'ok' ? content.value : '')
    .digest('hex');
}
