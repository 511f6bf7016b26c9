import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { type Db, openDb, type PoolSizes } from '#lib/platform/db.ts';
import type { DatabaseUrls } from '../server/database.ts';

export type TestDatabase = {
  /** As the gate's role, like the verbs run: what that role may not do fails here too. */
  db: Db;
  name: string;
  /** One connection string for each role; the owner may do everything but change history. */
  urls: DatabaseUrls;
  /** The superuser, for what no role may do: to forge or damage rows on purpose. */
  superuserUrl: string;
  /** Closes the pools and drops the database. */
  drop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * Clones the migrated template into a database of its own, in some tens of milliseconds. Call it in beforeAll (or a
 * case) and drop it in afterAll, or write `await using database = await createTestDatabase()`. Works only under
 * vitest, whose global setup runs the PostgreSQL.
 */
export async function createTestDatabase(
  sizes: PoolSizes = { prisma: 4, hot: 4, emergency: 1 },
): Promise<TestDatabase> {
  const { superuserUrl, template, templateUrls } = inject('postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asSuperuser(
    superuserUrl,
    `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY OWNER countersign_owner`,
  );
  const urls = {
    owner: withDatabase(templateUrls.owner, name),
    gate: withDatabase(templateUrls.gate, name),
    console: withDatabase(templateUrls.console, name),
    sequencer: withDatabase(templateUrls.sequencer, name),
  };
  const db = openDb(urls.gate, sizes);
  const drop = async () => {
    await db.close();
    await asSuperuser(superuserUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  };
  return {
    db,
    name,
    urls,
    superuserUrl: withDatabase(superuserUrl, name),
    drop,
    [Symbol.asyncDispose]: drop,
  };
}

/** Somebody who owns the database edits it past every verb. Returns how many rows that touched. */
export async function editByHand(
  database: TestDatabase,
  statement: string,
  values: readonly unknown[] = [],
): Promise<number> {
  const client = new pg.Client({ connectionString: database.urls.owner });
  await client.connect();
  try {
    const { rowCount } = await client.query(statement, [...values]);
    return rowCount ?? 0;
  } finally {
    await client.end();
  }
}

async function asSuperuser(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}
