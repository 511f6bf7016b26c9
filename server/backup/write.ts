import pg from 'pg';
import { nodesAskedBy, rootOf } from '#lib/audit/merkle.ts';
import { readNodes } from '#lib/audit/sequencer.ts';
import type { Clock } from '#lib/platform/clock.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import {
  type BackupKeys,
  ContainerWriter,
  type End,
  type Header,
  type Sink,
  type TableEnd,
} from './container.ts';
import { copyOut } from './copy.ts';
import { listTables, readSequences } from './tables.ts';

export type Written = { header: Header; end: End; tables: ReadonlyMap<string, TableEnd> };

/**
 * Writes everything a database holds, as of one instant, to the sink. All tables are read in one snapshot, so that
 * the copy is what the database was at that instant however much is written meanwhile; nobody is locked out.
 *
 * @throws OperatorError where there is no installation in the database.
 */
export async function writeBackup(
  databaseUrl: string,
  options: {
    sink: Sink;
    keys: BackupKeys;
    version: string;
    clock: Clock;
    /** Leaves out what a restore has no use for. A move takes it along: for it no time is lost. */
    withoutEphemeral?: boolean;
  },
): Promise<Written> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'countersign backup' });
  // A connection that is lost fails the query under way, or the next one.
  client.on('error', () => undefined);
  await client.connect();
  try {
    // Text forms that do not depend on whose session reads them.
    await client.query(`SET TimeZone = 'UTC'`);
    await client.query(`SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'`);
    await client.query('SET extra_float_digits = 1; SET statement_timeout = 0');
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const header = await readHeader(client, options);
    const writer = new ContainerWriter(options.sink);
    await writer.begin(header);
    const tables = new Map<string, TableEnd>();
    for (const { name, columns, select } of await listTables(client, options)) {
      await writer.beginTable({ name, columns });
      for await (const piece of copyOut(client, `COPY (${select}) TO STDOUT`)) await writer.rows(piece);
      tables.set(name, await writer.endTable());
    }
    const end = await writer.end(await readSequences(client), options.keys);
    await client.query('COMMIT');
    return { header, end, tables };
  } finally {
    await client.end();
  }
}

async function readHeader(
  client: pg.Client,
  { keys, version, clock }: { keys: BackupKeys; version: string; clock: Clock },
): Promise<Header> {
  const noInstallation = 'There is no installation in this database yet: start Countersign once first.';
  const present = await client.query(`SELECT to_regclass('public.installation') IS NOT NULL AS present`);
  if (!present.rows[0].present) throw new OperatorError(noInstallation);
  const installation = await client.query<{
    issuer: string;
    demo: boolean;
    issuer_epoch: number;
    feed_generation: number;
  }>('SELECT issuer, demo, issuer_epoch, feed_generation FROM installation WHERE id = 1');
  const [row] = installation.rows;
  if (!row) throw new OperatorError(noInstallation);
  const migrations = await client.query<{ name: string; checksum: string; finished: boolean }>(
    `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished FROM _prisma_migrations
      WHERE rolled_back_at IS NULL ORDER BY migration_name`,
  );
  if (migrations.rows.some(({ finished }) => !finished))
    throw new OperatorError(
      'A migration of this database did not finish. Start Countersign, which says what to do.',
    );
  const log = await client.query<{ size: string; checkpoint: string | null }>(
    `SELECT coalesce((SELECT max(sequence) + 1 FROM audit_leaf), 0)::text AS size,
            (SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1) AS checkpoint`,
  );
  const heads = await client.query<{ id: string; head: string }>(
    'SELECT server_id AS id, sequence::text AS head FROM feed_head ORDER BY 1',
  );
  const size = Number(log.rows[0]?.size ?? 0);
  return {
    version,
    createdAt: clock.now().toISOString(),
    issuer: row.issuer,
    demo: row.demo,
    migrations: migrations.rows.map(({ name, checksum }) => ({ name, checksum })),
    keyCheck: keys.check,
    key: 'on the host, not in this file',
    history: {
      size,
      rootHash: (await readRoot(client, size)).toString('base64'),
      checkpoint: log.rows[0]?.checkpoint ?? null,
    },
    revocation: {
      issuerEpoch: row.issuer_epoch,
      feedGeneration: row.feed_generation,
      heads: Object.fromEntries(heads.rows.map(({ id, head }) => [id, Number(head)])),
    },
  };
}

async function readRoot(client: pg.Client, size: number): Promise<Buffer> {
  const nodes = await readNodes(
    client,
    nodesAskedBy((at) => rootOf(size, at)),
  );
  return Buffer.from(
    rootOf(size, (level, index) => {
      const hash = nodes.get(`${level}/${index}`);
      if (!hash) throw new TypeError(`node ${level}/${index} was not asked for`);
      return hash;
    }),
  );
}
