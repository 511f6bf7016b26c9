import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import pg from 'pg';
import type { Clock } from '#lib/platform/clock.ts';
import { describeConfig, weaknessesOf } from '#lib/platform/describe-config.ts';
import { type Config, givenSettings } from '#lib/platform/env.ts';
import { readFreeSpace } from '#lib/platform/free-space.ts';
import { redactText } from '#lib/platform/log.ts';
import { knownMigrations } from '#prisma/migrate.ts';
import { findMoved } from './moved.ts';

/** One finding, or why it could not be found: a bundle is wanted most when half of it cannot be read. */
type Found<T> = T | { failed: string };

export type Diagnostics = {
  madeAt: string;
  versions: Record<string, string>;
  /** What differs from the defaults; of secrets and addresses with passwords only that they are set. */
  configuration: { lines: string[]; weaknesses: string[]; settingsGiven: string[] };
  health: Found<unknown>;
  disk: Found<{ folder: string; freeMb: number }>;
  moved: unknown;
  migrations: Found<{ applied: string[]; missing: string[]; unfinished: string[] }>;
  counts: Found<Record<string, number>>;
  state: Found<unknown>;
  /** What was reported as a problem lately, secrets hidden, the newest first. */
  problems: Found<{ what: string; text: string }[]>;
};

/** Texts of others' making may hold what no shape tells: addresses of people, and anything as random as a token. */
function mask(text: string): string {
  return redactText(text)
    .replaceAll(/[^\s@<>"']+@[^\s@<>"']+/g, '[address]')
    .replaceAll(/(?=[\w+/=-]*\d)[\w+/=-]{20,}/g, '[hidden]');
}

const healthTimeoutMs = 5_000;
const longestProblem = 500;
const mostProblems = 50;

/**
 * What somebody who helps has to know of an installation, and nothing they must not: no value of a setting that could
 * be a secret, no name, address or text of a person or client, no token in any form.
 */
export async function collectDiagnostics(options: {
  config: Config;
  clock: Clock;
  version: string;
  /** Null where the database cannot be reached, with the reason in `databaseProblem`. */
  ownerUrl: string | null;
  databaseProblem: string | null;
}): Promise<Diagnostics> {
  const { config, ownerUrl, clock } = options;
  const client = ownerUrl ? await connect(ownerUrl) : null;
  const asking = <T>(ask: (client: pg.Client) => Promise<T>): Promise<Found<T>> =>
    found(() => {
      if (client instanceof pg.Client) return ask(client);
      throw client ?? new Error(options.databaseProblem ?? 'the database is not reached');
    });
  try {
    return {
      madeAt: clock.now().toISOString(),
      versions: {
        countersign: options.version,
        node: process.version,
        platform: `${process.platform} ${process.arch}`,
        postgresql: String(
          await asking(
            async (db) => (await db.query(`SELECT current_setting('server_version') AS v`)).rows[0].v,
          ).then((version) => (typeof version === 'string' ? version : version.failed)),
        ),
      },
      configuration: {
        lines: describeConfig(config).map(redactText),
        weaknesses: weaknessesOf(config),
        settingsGiven: givenSettings(),
      },
      health: await found(() => readHealth(config.port)),
      disk: await found(async () => {
        const { folder, freeBytes } = await readFreeSpace([config.dataFolder]);
        return { folder, freeMb: Math.floor(freeBytes / 2 ** 20) };
      }),
      moved: await findMoved(config.dataFolder),
      migrations: await asking(readMigrationState),
      counts: await asking(readCounts),
      state: await asking(readState),
      problems: await asking((db) => readProblems(db, config.dataFolder)),
    };
  } finally {
    if (client instanceof pg.Client) await client.end();
  }
}

async function connect(url: string): Promise<pg.Client | Error> {
  const client = new pg.Client({
    connectionString: url,
    statement_timeout: 20_000,
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    return error as Error;
  }
}

async function found<T>(find: () => Promise<T>): Promise<Found<T>> {
  try {
    return await find();
  } catch (error) {
    return { failed: mask((error as Error).message) };
  }
}

function readHealth(port: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asking = request(
      { host: '127.0.0.1', port, path: '/readyz', timeout: healthTimeoutMs },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        answer.on('end', () => {
          try {
            resolve({ status: answer.statusCode, ...(JSON.parse(text) as object) });
          } catch {
            resolve({ status: answer.statusCode, note: 'another program answers on this port' });
          }
        });
      },
    );
    asking.on('timeout', () => asking.destroy(new Error('no answer within five seconds')));
    asking.on('error', reject);
    asking.end();
  });
}

async function readMigrationState(client: pg.Client) {
  const { rows } = await client.query<{ name: string; finished: boolean }>(
    `SELECT migration_name AS name, finished_at IS NOT NULL AS finished FROM _prisma_migrations
      WHERE rolled_back_at IS NULL ORDER BY migration_name`,
  );
  const applied = rows.filter(({ finished }) => finished).map(({ name }) => name);
  return {
    applied,
    missing: (await knownMigrations()).map(({ name }) => name).filter((name) => !applied.includes(name)),
    unfinished: rows.filter(({ finished }) => !finished).map(({ name }) => name),
  };
}

/** Rows of each table as PostgreSQL estimates them, and agents and requests by state. */
async function readCounts(client: pg.Client): Promise<Record<string, number>> {
  const { rows } = await client.query<{ name: string; count: string }>(
    `SELECT relname AS name, greatest(n_live_tup, 0)::text AS count FROM pg_stat_user_tables WHERE schemaname = 'public'
     UNION ALL SELECT 'agent ' || state, count(*)::text FROM agent GROUP BY state
     UNION ALL SELECT 'request ' || state, count(*)::text FROM registration_request GROUP BY state
     UNION ALL SELECT 'guard ' || state, count(*)::text FROM guard GROUP BY state
     UNION ALL SELECT 'connections', count(*)::text FROM pg_stat_activity WHERE datname = current_database() ORDER BY 1`,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, Number(count)]));
}

async function readState(client: pg.Client): Promise<unknown> {
  const { rows } = await client.query(
    `SELECT (SELECT issuance_stopped_at FROM installation) AS "issuanceStoppedAt",
            (SELECT feed_generation FROM installation) AS "feedGeneration",
            (SELECT issuer_epoch FROM installation) AS "issuerEpoch",
            (SELECT count(*)::int FROM audit_leaf) AS "logSize",
            (SELECT settled::text FROM sequencer_fence) AS "settledArrival",
            (SELECT max(arrival)::text FROM audit_event) AS "newestArrival",
            (SELECT json_build_object('outcome', outcome, 'finishedAt', finished_at, 'firstBadPosition', first_bad_position)
               FROM audit_verification ORDER BY finished_at DESC LIMIT 1) AS "verification",
            (SELECT max(at) FROM audit_event WHERE kind = 'installation.backup_finish') AS "lastBackupAt",
            (SELECT max(at) FROM audit_event WHERE kind = 'installation.restore') AS "lastRestoreAt",
            (SELECT json_agg(json_build_object('purpose', purpose, 'state', state, 'createdAt', created_at))
               FROM signing_key WHERE state <> 'killed') AS "keys",
            to_regnamespace('countersign_restoring') IS NOT NULL AS "restoreUnfinished"`,
  );
  return rows[0];
}

/** Errors of jobs and messages, and the end of the embedded PostgreSQL's own log. */
async function readProblems(
  client: pg.Client,
  dataFolder: string,
): Promise<{ what: string; text: string }[]> {
  const { rows } = await client.query<{ what: string; text: string }>(
    `SELECT 'job ' || t.identifier AS what, j.last_error AS text FROM graphile_worker._private_jobs j
       JOIN graphile_worker._private_tasks t ON t.id = j.task_id WHERE j.last_error IS NOT NULL
     UNION ALL (SELECT 'message by ' || channel, last_error FROM outbox_message WHERE last_error IS NOT NULL
       ORDER BY created_at DESC LIMIT ${mostProblems})
     UNION ALL SELECT 'tools of a server', last_sync_error FROM mcp_server WHERE last_sync_error IS NOT NULL`,
  );
  const log = await readFile(path.join(dataFolder, 'postgres', 'log', 'postgres.log'), 'utf8').catch(
    () => '',
  );
  const ofPostgres = log
    .split('\n')
    .filter((line) => /\b(?:FATAL|PANIC|WARNING|ERROR)\b/.test(line))
    .slice(-mostProblems)
    .reverse()
    .map((text) => ({ what: 'PostgreSQL', text }));
  return [...rows, ...ofPostgres].map(({ what, text }) => ({
    what,
    text: mask(text).slice(0, longestProblem),
  }));
}
