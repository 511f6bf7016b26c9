import { once } from 'node:events';
import { open, readFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { logOrigin } from '#lib/audit/checkpoint.ts';
import { verifyLog } from '#lib/audit/verify.ts';
import { checkpointVerifiers } from '#lib/jobs/verify-history.ts';
import { systemActor } from '#lib/platform/actor.ts';
import type { Clock } from '#lib/platform/clock.ts';
import { newRandomBytes, openVault } from '#lib/platform/crypto.ts';
import { openDb } from '#lib/platform/db.ts';
import type { Config } from '#lib/platform/env.ts';
import { newId } from '#lib/platform/ids.ts';
import type { Logger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { siteOf } from '#lib/platform/site.ts';
import { recordCopy } from '#lib/revocation/record-copy.ts';
import { databaseRoles, prepareDatabase } from '../database.ts';
import { markMoved, refuseMoved } from '../moved.ts';
import { placeCluster } from '../postgres/place.ts';
import { backupKeysOf, readContainer } from './container.ts';
import {
  connectTo,
  finishLoading,
  holdLoading,
  type Loaded,
  loadBackup,
  nameOf,
  requireEmpty,
} from './load.ts';
import { openForRestore } from './open-empty.ts';
import { type Written, writeBackup } from './write.ts';

export type MovedDatabase = {
  rows: number;
  tables: number;
  history: { size: number; rootHash: string };
  /** The settings to use from here on are in this file, which only its owner may read. */
  settingsFile: string;
  /** What the operator has still to do by hand, in sentences. */
  remarks: string[];
};

/** Oldest PostgreSQL the product runs on. */
const oldestServer = 15;

/**
 * Copies the embedded database to an empty external one, compares the two row by row and history event by event, and
 * only then marks the data folder, so that the old one is not started by accident. The server must be stopped: nobody
 * may write to what is being left. Cut off at any point, either the old database is still the one to use, or both say
 * that the move has to be run again.
 *
 * @throws OperatorError in words for whoever ran it.
 */
export async function moveDatabase(
  targetUrl: string,
  options: { config: Config; log: Logger; clock: Clock; actorName: string; version: string },
): Promise<MovedDatabase> {
  const { config, log, clock, version } = options;
  await requireEmbedded(config);
  const target = nameOf(targetUrl);
  const source = await openForRestore(config, log, 'countersign move');
  try {
    const settingsFile = path.join(config.dataFolder, 'secrets', 'external-database.env');
    await using _alone = await holdLoading(targetUrl);
    const roles = await prepareTarget(targetUrl, settingsFile);
    await prepareDatabase(source.databaseUrls.owner);
    const vault = openVault(source.secrets.keyEncryptionKey);
    const keys = backupKeysOf(vault);
    await withCtx(source.databaseUrls.gate, { ...options, vault }, (ctx) =>
      recordCopy(ctx, { kind: 'installation.move', to: target }),
    );
    const copied = await copy(source.databaseUrls.owner, targetUrl, { keys, version, clock });
    await prepareDatabase(targetUrl, { restoring: true });
    const arrived = await writeBackup(targetUrl, { sink: async () => undefined, keys, version, clock });
    refuseDifference(copied, arrived);
    await withCtx(targetUrl, { ...options, vault }, async (ctx) => {
      const found = await verifyLog({
        databaseUrl: targetUrl,
        origin: logOrigin(ctx.site),
        verifiers: await checkpointVerifiers(ctx),
        clock,
      });
      if (found.outcome === 'broken')
        throw new OperatorError(`History does not verify, so nothing was moved. ${found.problem}`);
    });
    await markMoved(config.dataFolder, { to: target, at: clock.now().toISOString() });
    // Whoever is cut off before this line has a target nothing starts on, and one after it nothing left to do.
    await finishLoading(targetUrl);
    const { size, rootHash } = arrived.header.history;
    return {
      rows: arrived.end.rows,
      tables: arrived.end.tables,
      history: { size, rootHash },
      settingsFile,
      remarks: roles.remarks,
    };
  } finally {
    await source.release();
  }
}

async function requireEmbedded(config: Config): Promise<void> {
  if (config.databaseUrl)
    throw new OperatorError(
      'DATABASE_URL is set: this installation runs on an external PostgreSQL already. A backup and a restore copy it elsewhere.',
    );
  await refuseMoved(config.dataFolder);
  const place = await placeCluster(config.dataFolder);
  if (await stat(path.join(place.dataFolder, 'PG_VERSION')).catch(() => null)) return;
  throw new OperatorError(`There is no embedded database in ${config.dataFolder}.`);
}

/** The container, from one database into the other, through memory for a few hundred kilobytes at a time. */
async function copy(
  sourceUrl: string,
  targetUrl: string,
  options: Omit<Parameters<typeof writeBackup>[1], 'sink'>,
): Promise<Written> {
  const stream = new PassThrough({ highWaterMark: 512 * 1024 });
  const writing = writeBackup(sourceUrl, {
    ...options,
    async sink(bytes) {
      if (stream.destroyed) throw new Error('the other side of the copy has ended');
      if (!stream.write(bytes)) await Promise.race([once(stream, 'drain'), once(stream, 'close')]);
    },
  }).then(
    (written) => {
      stream.end();
      return written;
    },
    (error: Error) => {
      stream.destroy(error);
      throw error;
    },
  );
  const loading: Promise<Loaded> = loadBackup(targetUrl, readContainer(stream), 'move').catch(
    (error: Error) => {
      stream.destroy();
      throw error;
    },
  );
  const [written, loaded] = await Promise.allSettled([writing, loading]);
  // The side that takes knows better what is wrong than the one that was cut off by it.
  if (loaded.status === 'rejected') throw loaded.reason;
  if (written.status === 'rejected') throw written.reason;
  return written.value;
}

function refuseDifference(copied: Written, arrived: Written): void {
  for (const [name, { rows, digest }] of copied.tables) {
    const there = arrived.tables.get(name);
    if (there?.rows === rows && there.digest === digest) continue;
    throw new OperatorError(
      `The table ${name} is not the same on both sides (${rows} rows here, ${there?.rows ?? 'none'} there). Nothing was moved.`,
    );
  }
  const [here, there] = [copied.header.history, arrived.header.history];
  if (here.size !== there.size || here.rootHash !== there.rootHash)
    throw new OperatorError('History has another root on the other side. Nothing was moved.');
}

type LimitedRole = 'gate' | 'console' | 'sequencer';
const limitedRoles: readonly LimitedRole[] = ['gate', 'console', 'sequencer'];
const variableOf = (role: LimitedRole) => `COUNTERSIGN_${role.toUpperCase()}_DATABASE_URL`;
type Roles = { remarks: string[] };

/**
 * Checks that the target can be used, writes the settings to start with, and makes the limited accounts where its owner
 * may. The settings come first: an account whose password nobody has kept would be of no use to the next attempt.
 */
async function prepareTarget(targetUrl: string, settingsFile: string): Promise<Roles> {
  const client = await connectTo(targetUrl);
  try {
    const { rows } = await client.query<{ version: number; makes_roles: boolean; owner: boolean }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS version, r.rolcreaterole OR r.rolsuper AS makes_roles,
              has_database_privilege(current_database(), 'CREATE') AS owner
         FROM pg_roles r WHERE r.rolname = current_user`,
    );
    const [found] = rows;
    if (!found || found.version < oldestServer)
      throw new OperatorError(
        `PostgreSQL ${oldestServer} or newer is needed; this one is ${found?.version}.`,
      );
    if (!found.owner)
      throw new OperatorError(
        'The account of the URL does not own the database: Countersign makes schemas and tables in it.',
      );
    await requireEmpty(client);
    const known = await client.query<{ name: string }>(
      'SELECT rolname AS name FROM pg_roles WHERE rolname = ANY ($1)',
      [limitedRoles.map((role) => databaseRoles[role])],
    );
    const present = new Set(known.rows.map(({ name }) => name));
    const settings = new Map([['DATABASE_URL', targetUrl]]);
    const kept = await readSettings(settingsFile, targetUrl);
    const missing: { name: string; password: string }[] = [];
    const remarks: string[] = [];
    for (const role of limitedRoles) {
      const name = databaseRoles[role];
      const before = kept.get(variableOf(role));
      if (present.has(name) && before) settings.set(variableOf(role), before);
      else if (present.has(name)) {
        remarks.push(`The account ${name} exists already: set ${variableOf(role)} with its password.`);
      } else if (found.makes_roles) {
        const password = newRandomBytes(24).toString('hex');
        settings.set(variableOf(role), urlAs(targetUrl, name, password));
        missing.push({ name, password });
      } else {
        remarks.push(
          `The account of the URL may not make others: have ${name} made and set ${variableOf(role)}. Until then the ${role} works as the owner.`,
        );
      }
    }
    await writeSettings(settingsFile, settings);
    for (const { name, password } of missing) {
      await client.query(
        `CREATE ROLE ${client.escapeIdentifier(name)} LOGIN PASSWORD ${client.escapeLiteral(password)}`,
      );
    }
    return { remarks };
  } finally {
    await client.end();
  }
}

function urlAs(targetUrl: string, user: string, password: string): string {
  const url = new URL(targetUrl);
  url.username = user;
  url.password = password;
  return url.href;
}

/** What an earlier attempt at the same target has kept. */
async function readSettings(file: string, targetUrl: string): Promise<Map<string, string>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n').flatMap((line) => {
    const at = line.indexOf('=');
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
  });
  const kept = new Map(lines);
  return kept.get('DATABASE_URL') === targetUrl ? kept : new Map();
}

/** In the form of an environment file; passwords belong into a file rather than onto a screen. */
async function writeSettings(file: string, settings: ReadonlyMap<string, string>): Promise<void> {
  const unfinished = `${file}.new`;
  const handle = await open(unfinished, 'w', 0o600);
  try {
    await handle.writeFile([...settings].map(([name, value]) => `${name}=${value}\n`).join(''));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(unfinished, file);
}

async function withCtx<T>(
  url: string,
  options: { config: Config; clock: Clock; actorName: string; vault: ReturnType<typeof openVault> },
  work: (ctx: Parameters<typeof recordCopy>[0]) => Promise<T>,
): Promise<T> {
  const db = openDb(url, { prisma: 2, hot: 1, emergency: 1 });
  try {
    return await work({
      actor: systemActor(options.actorName),
      clock: options.clock,
      db,
      vault: options.vault,
      site: siteOf(options.config),
      traceId: newId('trace'),
      address: null,
      userAgent: null,
    });
  } finally {
    await db.close();
  }
}
