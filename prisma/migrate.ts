import { createHash } from 'node:crypto';
import type { MigrationList } from '@prisma/schema-engine-wasm';
import pg from 'pg';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { oldestCompatible } from './compatibility.ts';
import { readMigrations, withSchemaEngine } from './schema-engine.ts';

/** Any number no other program takes: two processes that start on one database must not migrate it at once. */
const migrationLock = 7_264_591_223;

type AppliedMigration = { migration_name: string; checksum: string; finished: boolean; failed: boolean };

const firstMigration = '0001_init';

/**
 * Brings a database to the newest migration and returns the names it applied, in order; and those of a newer version
 * it found there and may work beside, which then are the only ones. The work is Prisma's own
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
): Promise<{ applied: string[]; newer: string[] }> {
  const migrations = upTo(await readMigrations(), options.through);
  const client = new pg.Client({ connectionString: databaseUrl });
  // A connection that is lost fails the query under way, or the next one.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await mendCutOff(client);
    const applied = await readApplied(client);
    // Where a newer version has migrated already, only that one changes the schema and what roles may do.
    const newer = options.through ? [] : await newerMigrations(client, applied, migrations);
    if (newer.length > 0) return { applied: [], newer };
    refuseForeignHistory(applied, migrations);
    if (applied.length === migrations.migrationDirectories.length) {
      if (!options.through) await writeNeeded(client);
      return { applied: [], newer: [] };
    }
    const result = await withSchemaEngine(databaseUrl, (engine) =>
      engine.applyMigrations({
        migrationsList: migrations,
        filters: { externalTables: [], externalEnums: [] },
      }),
    );
    if (!options.through) await writeNeeded(client);
    return { applied: result.appliedMigrationNames, newer: [] };
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
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished, coalesce(logs, '') <> '' AS failed
       FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY migration_name`,
  );
  return rows;
}

/**
 * A start that was cut off while a migration ran leaves it begun and not finished. Its script is one transaction, and
 * what says that it is finished is part of it: so nothing of it is there, and it is begun again. Of the first one, which
 * earlier versions ran without saying so, what is there tells. One that failed has its error stored and is for people.
 */
async function mendCutOff(client: pg.Client): Promise<void> {
  const begun = (await readApplied(client)).filter(({ finished, failed }) => !finished && !failed);
  if (begun.length === 0) return;
  const { rows } = await client.query(`SELECT to_regclass('installation') IS NOT NULL AS present`);
  if (rows[0].present && begun[0]?.migration_name === firstMigration) {
    await client.query(
      'UPDATE _prisma_migrations SET finished_at = now(), applied_steps_count = 1 WHERE finished_at IS NULL AND migration_name = $1',
      [firstMigration],
    );
  }
  await client.query(
    'DELETE FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL AND logs IS NULL',
  );
}

/**
 * What a program must know at least to work on this schema: the newest migration that takes something away that
 * earlier versions read. Written on the database by whoever migrates it, so that older programs, which cannot know newer
 * migrations, know whether they may go on beside them while an upgrade rolls.
 */
async function readNeeded(client: pg.Client): Promise<string | null> {
  const { rows } = await client.query<{ comment: string | null }>(
    `SELECT obj_description(to_regclass('_prisma_migrations'), 'pg_class') AS comment`,
  );
  return /^countersign needs (\S+)$/.exec(rows[0]?.comment ?? '')?.[1] ?? null;
}

async function writeNeeded(client: pg.Client): Promise<void> {
  if ((await readNeeded(client)) === oldestCompatible) return;
  await client.query(
    `COMMENT ON TABLE _prisma_migrations IS ${client.escapeLiteral(`countersign needs ${oldestCompatible}`)}`,
  );
}

/** Migrations of a newer version that this one may work beside; empty where there are none. Throws where it may not. */
async function newerMigrations(
  client: pg.Client,
  applied: readonly AppliedMigration[],
  migrations: MigrationList,
): Promise<string[]> {
  const known = migrations.migrationDirectories.map(({ path }) => path);
  const newest = known.at(-1) ?? '';
  const newer = applied.map((row) => row.migration_name).filter((name) => name > newest);
  if (newer.length === 0) return [];
  const needed = await readNeeded(client);
  if (needed !== null && needed <= newest) return newer;
  throw new OperatorError(
    `The database was migrated by a newer Countersign (${newer.at(-1)}) in a way this version cannot work with. ` +
      'Start that version, or restore a backup made before the upgrade.',
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
