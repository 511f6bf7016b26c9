import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { prepareDatabase } from '../server/database.ts';
import { oldestCompatible } from './compatibility.ts';
import { migrate, pendingMigrations } from './migrate.ts';
import { readMigrations } from './schema-engine.ts';

/**
 * While an upgrade rolls, the version before runs on the schema of the version after: expand first, contract a release
 * later (T81). Each line here was looked at: nothing the version before reads or writes is taken from it.
 */
const reviewed: Record<string, readonly RegExp[]> = {
  // Before the first release; nobody ran on what was before it.
  '0003_event_words': [/^ALTER TABLE audit_event ALTER COLUMN words DROP EXPRESSION$/],
  // Indexes are made again in another shape; statements do not name them.
  '0006_event_indexes': [/^DROP INDEX /],
};

/** What makes a statement take something away from, or ask something new of, a program that does not know it. */
const takesAway: readonly [string, RegExp][] = [
  ['drops', /\bDROP\s+(?!NOT\s+NULL|DEFAULT)/i],
  ['renames', /\bRENAME\b/i],
  ['changes a type', /\bALTER\s+COLUMN\s+\S+\s+(?:SET\s+DATA\s+)?TYPE\b/i],
  ['asks for a value', /\bSET\s+NOT\s+NULL\b/i],
  [
    'asks for a value',
    /\bADD\s+COLUMN\s+(?:IF\s+NOT\s+EXISTS\s+)?\S+\s+(?![^,;]*\bDEFAULT\b)[^,;]*\bNOT\s+NULL\b/i,
  ],
  ['allows less', /\bALTER\s+TABLE\s+\S+\s+ADD\s+CONSTRAINT\b/i],
  ['allows less', /\bCREATE\s+UNIQUE\s+INDEX\b/i],
  ['removes rows', /\b(?:DELETE\s+FROM|TRUNCATE)\b/i],
];

/** Statements of a script, without comments; bodies of functions stay in one piece. */
function statementsOf(sql: string): string[] {
  const bare = sql.replaceAll(/--.*$/gm, '');
  const bodies: string[] = [];
  const cut = bare.replaceAll(/\$\$[\s\S]*?\$\$/g, (body) => `$${bodies.push(body)}$`);
  return cut
    .split(';')
    .map((statement) => statement.replaceAll(/\s+/g, ' ').trim())
    .filter((statement) => statement !== '');
}

function complaintsOf(name: string, sql: string): string[] {
  const created = new Set(
    [...sql.matchAll(/CREATE TABLE (?:IF NOT EXISTS )?"?(\w+)"?/gi)].map(([, table]) => table),
  );
  return statementsOf(sql).flatMap((statement) => {
    if (reviewed[name]?.some((pattern) => pattern.test(statement))) return [];
    // What a table of this very migration allows is nobody's loss.
    const on = /(?:ALTER TABLE|\bON)\s+(?:ONLY )?"?(\w+)"?/i.exec(statement)?.[1];
    if (on && created.has(on)) return [];
    return takesAway.flatMap(([what, pattern]) =>
      pattern.test(statement) ? [`${name} ${what}: ${statement}`] : [],
    );
  });
}

describe('migrations after the first two', () => {
  test('take nothing away from the version before, or were reviewed', async () => {
    const { migrationDirectories } = await readMigrations();
    const complaints = migrationDirectories
      .slice(2)
      .flatMap(({ path, migrationFile: { content } }) =>
        complaintsOf(path, content.tag === 'ok' ? content.value : ''),
      );
    expect(complaints).toEqual([]);
    expect(migrationDirectories.map(({ path }) => path)).toContain(oldestCompatible);
  });

  test.each([
    'ALTER TABLE client DROP COLUMN name',
    'DROP TABLE client',
    'ALTER TABLE client RENAME COLUMN name TO label',
    'ALTER TABLE client ALTER COLUMN name TYPE varchar(3)',
    'ALTER TABLE client ALTER COLUMN jwks SET NOT NULL',
    'ALTER TABLE client ADD COLUMN x TEXT NOT NULL',
    'ALTER TABLE client ADD CONSTRAINT few CHECK (name <> $$x$$)',
    'CREATE UNIQUE INDEX one ON client (name)',
    'DELETE FROM client',
  ])('%s would be found', (statement) => {
    expect(complaintsOf('9999_x', `-- a comment\n${statement};`)).toHaveLength(1);
  });

  test.each([
    'ALTER TABLE client ADD COLUMN x TEXT',
    "ALTER TABLE client ADD COLUMN x TEXT NOT NULL DEFAULT ''",
    'CREATE TABLE fresh (id TEXT PRIMARY KEY NOT NULL); CREATE UNIQUE INDEX one ON fresh (id)',
    'ALTER TABLE client ALTER COLUMN name DROP NOT NULL',
    'CREATE INDEX few ON client (name)',
    '-- DROP TABLE client',
  ])('%s is fine', (script) => {
    expect(complaintsOf('9999_x', script)).toEqual([]);
  });
});

describe('two versions on one database', () => {
  let superuser: pg.Client;
  const made: string[] = [];
  beforeAll(async () => {
    superuser = new pg.Client({ connectionString: inject('postgres').superuserUrl });
    await superuser.connect();
  });
  afterAll(async () => {
    for (const name of made) await superuser.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await superuser?.end();
  });

  async function database(template?: string): Promise<string> {
    const name = `two_${randomBytes(6).toString('hex')}`;
    made.push(name);
    await superuser.query(
      `CREATE DATABASE ${name} ${template ? `TEMPLATE ${template}` : ''} OWNER countersign_owner`,
    );
    const url = new URL(inject('postgres').templateUrls.owner);
    url.pathname = `/${name}`;
    return url.href;
  }

  async function run(url: string, ...statements: string[]): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      let result = await client.query('SELECT 1');
      for (const statement of statements) result = await client.query(statement);
      return result;
    } finally {
      await client.end();
    }
  }

  const ofTomorrow = `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
    VALUES ('tomorrow', 'x', '9999_of_tomorrow', now(), now(), 1)`;
  const needs = (name: string) => `COMMENT ON TABLE _prisma_migrations IS 'countersign needs ${name}'`;

  test('the older works beside a newer one that only added, and changes neither schema nor rights', async () => {
    const url = await database(inject('postgres').template);
    // The newer version gave the gate a table it may only read.
    await run(
      url,
      ofTomorrow,
      'CREATE TABLE of_tomorrow (id text)',
      'GRANT SELECT ON of_tomorrow TO countersign_gate',
    );
    expect(await prepareDatabase(url)).toMatchObject({
      applied: [],
      newer: ['9999_of_tomorrow'],
      leastPrivilege: true,
    });
    const { rows } = await run(
      url,
      `SELECT has_table_privilege('countersign_gate', 'of_tomorrow', 'INSERT') AS wider`,
    );
    expect(rows).toEqual([{ wider: false }]);
  });

  test('the older refuses one that took something away, and one that does not say, in a sentence', async () => {
    const url = await database(inject('postgres').template);
    await run(url, ofTomorrow, needs('9999_of_tomorrow'));
    await expect(prepareDatabase(url)).rejects.toThrow(
      /migrated by a newer Countersign \(9999_of_tomorrow\) in a way this version cannot work with/,
    );
    await run(url, 'COMMENT ON TABLE _prisma_migrations IS NULL');
    await expect(prepareDatabase(url)).rejects.toThrow(/cannot work with/);
  });

  test('whoever migrates says on the database what it needs', async () => {
    const { rows } = await run(
      inject('postgres').templateUrls.owner,
      `SELECT obj_description('_prisma_migrations'::regclass) AS says`,
    );
    expect(rows).toEqual([{ says: `countersign needs ${oldestCompatible}` }]);
  });

  test('several that start at once on an empty database migrate it once', { timeout: 60_000 }, async () => {
    const url = await database();
    const prepared = await Promise.all(Array.from({ length: 4 }, () => prepareDatabase(url)));
    expect(prepared.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
    expect(await pendingMigrations(url)).toEqual([]);
  });

  test('a later migration that was begun and cut off is begun again; one that failed is for people', async () => {
    const url = await database();
    const name = '0008_identity_provider';
    await migrate(url, { through: name });
    const undo = 'UPDATE _prisma_migrations SET finished_at = NULL, applied_steps_count = 0';
    // What it made is taken away by hand, as its transaction would have been undone.
    await run(
      url,
      `${undo} WHERE migration_name = '${name}'`,
      'DROP TABLE person_identity; ALTER TABLE role_grant DROP COLUMN provider_group, DROP COLUMN lapses_at',
    );
    expect((await prepareDatabase(url)).applied).toContain(name);
    await run(url, `${undo}, logs = 'syntax error' WHERE migration_name = '${name}'`);
    await expect(prepareDatabase(url)).rejects.toThrow(/failed half way/);
  });
});
