import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { WireProxy } from '#tests/wire-proxy.ts';
import { prepareDatabase } from '../server/database.ts';
import { pendingMigrations } from './migrate.ts';

let superuser: pg.Client;
beforeAll(async () => {
  superuser = new pg.Client({ connectionString: inject('postgres').superuserUrl });
  await superuser.connect();
});
afterAll(() => superuser?.end());

/** An empty database of the owner's. */
async function emptyDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `migrate_${randomBytes(6).toString('hex')}`;
  await superuser.query(`CREATE DATABASE ${name} OWNER countersign_owner`);
  const url = new URL(inject('postgres').templateUrls.owner);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      await superuser.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** Everything a migration makes, by name and shape. */
async function schemaOf(url: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(
      `SELECT 'column' AS what, table_name || '.' || column_name AS name, data_type AS shape
         FROM information_schema.columns WHERE table_schema = 'public'
       UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
       UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
       UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
       UNION ALL SELECT 'migration', migration_name, checksum FROM _prisma_migrations WHERE finished_at IS NOT NULL
       ORDER BY 1, 2, 3`,
    );
    return rows;
  } finally {
    await client.end();
  }
}

/** How many migrations were begun, finished or not. */
async function begun(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(`SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present`);
    if (!rows[0].present) return 0;
    return (await client.query('SELECT 1 FROM _prisma_migrations')).rowCount ?? 0;
  } finally {
    await client.end();
  }
}

test('a first start that is cut off before or in its first migration is finished by the next (T81)', {
  timeout: 180_000,
}, async () => {
  const whole = await schemaOf(inject('postgres').templateUrls.owner);
  let cutOff = 0;
  // Few before the first migration begins; there its script, which is one statement to whoever waits for it.
  for (let message = 40; ; message += message < 120 ? 40 : 9) {
    const database = await emptyDatabase();
    const { proxy, url } = await WireProxy.start(database.url);
    try {
      proxy.arm({ message, where: 'before' });
      const first = await prepareDatabase(url).catch((error: Error) => error);
      // From the second migration on somebody may have data to lose, and people decide.
      if (proxy.cutAt === null || (await begun(database.url)) > 1) break;
      cutOff++;
      expect([message, first]).toEqual([message, expect.any(Error)]);
      const again = await prepareDatabase(database.url).catch((error: Error) => error);
      expect([message, again]).toEqual([message, expect.objectContaining({ leastPrivilege: true })]);
      expect(await pendingMigrations(database.url)).toEqual([]);
      expect(await schemaOf(database.url)).toEqual(whole);
    } finally {
      await proxy.close();
      await database.drop();
    }
  }
  expect(cutOff).toBeGreaterThan(10);
});
