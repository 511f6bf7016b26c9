import pg from 'pg';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { knownMigrations, migrate } from '#prisma/migrate.ts';
import { type LoadedBy, restoringSchema } from '../database.ts';
import { DamagedBackup, type End, type Header, type Part, type TableEnd } from './container.ts';
import { copyIn } from './copy.ts';
import { listTables } from './tables.ts';

export type Loaded = { header: Header; end: End; tables: ReadonlyMap<string, TableEnd> };

/**
 * Brings an empty database to the migrations of a backup and loads it, in one transaction. From the first statement
 * until `finishLoading` the database carries a mark with which nothing starts on it, so that one that was cut off is
 * never taken for whole, nor for empty; loading again begins anew.
 *
 * @throws OperatorError where the database is not empty, or the backup is of a newer product.
 */
export async function loadBackup(
  ownerUrl: string,
  parts: AsyncIterator<Part>,
  by: LoadedBy,
): Promise<Loaded> {
  const first = await parts.next();
  if (first.done || first.value.kind !== 'header') throw new DamagedBackup('The backup has no header.');
  const { header } = first.value;
  await refuseNewer(header);
  await prepareEmpty(ownerUrl, by);
  await migrate(ownerUrl, { through: header.migrations.at(-1)?.name });
  return withOwner(ownerUrl, async (client) => {
    await client.query('BEGIN');
    const targets = new Map((await listTables(client)).map((table) => [table.name, table]));
    for (const name of [...targets.keys()].reverse()) {
      // The rules for single changes were kept when the rows were written; here they would refuse history itself.
      await client.query(`ALTER TABLE ${pg.escapeIdentifier(name)} DISABLE TRIGGER USER`);
      // What migrations put there is in the backup as well.
      await client.query(`DELETE FROM ${pg.escapeIdentifier(name)}`);
    }
    const tables = new Map<string, TableEnd>();
    for (;;) {
      const { value: part, done } = await parts.next();
      if (done || part.kind === 'header') throw new DamagedBackup('The backup is cut off: it has no end.');
      if (part.kind === 'end') {
        await setSequences(client, part.end);
        for (const name of targets.keys())
          await client.query(`ALTER TABLE ${pg.escapeIdentifier(name)} ENABLE TRIGGER USER`);
        await client.query('COMMIT');
        return { header, end: part.end, tables };
      }
      // Names come from the file: only those this database has are ever put into a statement.
      const target = targets.get(part.table.name);
      const { columns } = part.table;
      if (!target || tables.has(target.name) || !sameMembers(target.columns, columns))
        throw new DamagedBackup(`The table ${part.table.name} is not one of this version.`);
      const list = columns.map((column) => pg.escapeIdentifier(column)).join(', ');
      const taken = await copyIn(
        client,
        `COPY ${pg.escapeIdentifier(target.name)} (${list}) FROM STDIN`,
        part.rows,
      );
      const end = part.end();
      if (taken !== end.rows) throw new DamagedBackup(`Not all rows of ${target.name} were taken.`);
      tables.set(target.name, end);
    }
  });
}

/** Any number no other lock of ours has. */
const loadingLock = 7_264_591_225;

/**
 * Keeps every other restore and move off a database from before it is looked at until what is loaded is finished; two
 * would each take the other's half for one that was cut off. Ends with its process, however that ends.
 *
 * @throws OperatorError where another one is at it.
 */
export async function holdLoading(ownerUrl: string): Promise<AsyncDisposable> {
  const client = await connectTo(ownerUrl);
  const [row] = (
    await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [loadingLock])
  ).rows;
  if (!row?.held) {
    await client.end();
    throw new OperatorError(
      'Another restore or move is loading this database at this moment. Wait until it is done.',
    );
  }
  return { [Symbol.asyncDispose]: () => client.end() };
}

/** Connected to a database an operator named. Throws `OperatorError` with that name when it cannot be reached. */
export async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    application_name: 'countersign restore',
  });
  client.on('error', () => undefined);
  await client.connect().catch((error: Error) => {
    throw new OperatorError(`${nameOf(url)} cannot be reached: ${error.message}`, { cause: error });
  });
  return client;
}

/** A database by host and name, as history and people may see it: no account, no password. */
export function nameOf(url: string): string {
  const { hostname, port, pathname, searchParams } = new URL(url);
  const host = searchParams.get('host') ?? `${hostname}${port ? `:${port}` : ''}`;
  return `${host}${pathname}`;
}

/** Takes the mark away: from here on the database may be started on. */
export async function finishLoading(ownerUrl: string): Promise<void> {
  await withOwner(ownerUrl, async (client) => {
    await client.query(`DROP SCHEMA ${restoringSchema}`);
    await client.query('ANALYZE');
  });
}

async function refuseNewer(header: Header): Promise<void> {
  const known = new Map((await knownMigrations()).map(({ name, checksum }) => [name, checksum]));
  for (const { name, checksum } of header.migrations) {
    if (known.get(name) === checksum) continue;
    throw new OperatorError(
      known.has(name)
        ? `The backup was made with another form of the migration ${name}. Restore it with the version that wrote it, ${header.version}.`
        : `The backup was made by a newer Countersign (${header.version}, migration ${name}). Restore it with that version or a later one.`,
    );
  }
}

/**
 * Whether an earlier loading was left unfinished here; that one may be begun anew.
 *
 * @throws OperatorError where the database holds anything else.
 */
export async function requireEmpty(client: pg.Client): Promise<{ unfinished: boolean }> {
  const { rows } = await client.query<{ unfinished: boolean; tables: string; installed: boolean }>(
    `SELECT to_regnamespace('${restoringSchema}') IS NOT NULL AS unfinished,
            (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') AS tables,
            to_regclass('public.installation') IS NOT NULL AS installed`,
  );
  const [found] = rows;
  if (found?.unfinished || found?.tables === '0') return { unfinished: found.unfinished };
  const issuer = found?.installed
    ? (await client.query<{ issuer: string }>('SELECT issuer FROM installation')).rows[0]?.issuer
    : undefined;
  throw new OperatorError(
    issuer
      ? `The database holds the installation ${issuer} already. Nothing is ever put over another: use an empty database, or a new folder.`
      : 'The database is not empty. Nothing is ever put over something else: use an empty database, or a new folder.',
  );
}

async function prepareEmpty(ownerUrl: string, by: LoadedBy): Promise<void> {
  await withOwner(ownerUrl, async (client) => {
    await client.query(`SET lock_timeout = '10s'`);
    const { unfinished } = await requireEmpty(client);
    await client.query('BEGIN');
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${restoringSchema}`);
    await client.query(`COMMENT ON SCHEMA ${restoringSchema} IS '${by}'`);
    if (unfinished) {
      const tables = await client.query<{ name: string }>(
        `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
      );
      for (const { name } of tables.rows) await client.query(`DROP TABLE ${name} CASCADE`);
      const functions = await client.query<{ name: string }>(
        `SELECT p.oid::regprocedure::text AS name FROM pg_proc p
          WHERE p.pronamespace = 'public'::regnamespace AND p.proowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
            AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')`,
      );
      for (const { name } of functions.rows) await client.query(`DROP FUNCTION ${name} CASCADE`);
      await client.query('DROP SCHEMA IF EXISTS graphile_worker CASCADE');
    }
    await client.query('COMMIT');
  });
}

async function setSequences(client: pg.Client, end: End): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT sequencename AS name FROM pg_sequences WHERE schemaname = 'public'`,
  );
  for (const { name } of rows) {
    const last = end.sequences[name];
    if (last) await client.query('SELECT setval($1::regclass, $2)', [pg.escapeIdentifier(name), last]);
  }
}

function sameMembers(left: readonly string[], right: readonly string[]): boolean {
  return [...left].sort().join() === [...right].sort().join();
}

async function withOwner<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'countersign restore' });
  // A connection that is lost fails the query under way, or the next one.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
