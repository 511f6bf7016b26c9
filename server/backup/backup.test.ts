import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { logOrigin, rawPublicKey, signNote } from '#lib/audit/checkpoint.ts';
import { Sequencer } from '#lib/audit/sequencer.ts';
import { verifyLog } from '#lib/audit/verify.ts';
import { activeSigningKey, ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { checkpointVerifiers } from '#lib/jobs/verify-history.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault, randomToken } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { openDb } from '#lib/platform/db.ts';
import type { InstallationSecrets } from '#lib/platform/secrets.ts';
import { recordCopy } from '#lib/revocation/record-copy.ts';
import { createApprovedAgent } from '#tests/credentials-world.ts';
import { testCtx } from '#tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { backupInto } from '../../cli/backup.ts';
import { prepareDatabase, refuseUnfinished } from '../database.ts';
import { backupKeysOf, readContainer } from './container.ts';
import { columnsOf, textArrayOf } from './copy.ts';
import { readBytes, writeWholeFile } from './file.ts';
import { finishLoading, holdLoading, loadBackup } from './load.ts';
import { verifyBackup } from './verify.ts';
import { type Written, writeBackup } from './write.ts';

const keyEncryptionKey = randomBytes(32);
const vault = openVault(keyEncryptionKey);
const keys = backupKeysOf(vault);
let database: TestDatabase;
let superuser: pg.Client;
let folder: string;
let ctx: Ctx;
let whole: string;
let written: Written;

const fileOf = (name: string) => path.join(folder, name);
const write = (name: string, url = database.urls.owner) =>
  writeWholeFile(fileOf(name), (sink) =>
    writeBackup(url, { sink, keys, version: '0.0.0-test', clock: systemClock }),
  );

/** Gives every event its place and signs the head, as the worker does. */
async function order(target: { urls: { sequencer: string } }): Promise<void> {
  const client = new pg.Client({ connectionString: target.urls.sequencer });
  await client.connect();
  const key = await activeSigningKey(ctx, 'checkpoint');
  const origin = logOrigin(ctx.site);
  const sequencer = await Sequencer.open(client, {
    databaseUrl: '',
    holder: 'test',
    origin,
    clock: systemClock,
    log: { info() {}, warn() {}, error() {} },
    sign: async (text) =>
      signNote(text, { name: origin, publicKey: rawPublicKey(key.publicJwk), privateKey: key.privateKey }),
  });
  while ((await sequencer.step()).more);
  await client.end();
}

/** An empty database of the owner's. */
async function emptyDatabase(): Promise<{ url: string; [Symbol.asyncDispose](): Promise<void> }> {
  const name = `restore_${randomBytes(6).toString('hex')}`;
  await superuser.query(`CREATE DATABASE ${name} OWNER countersign_owner`);
  const url = new URL(inject('postgres').templateUrls.owner);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      await superuser.query(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

beforeAll(async () => {
  superuser = new pg.Client({ connectionString: inject('postgres').superuserUrl });
  await superuser.connect();
  folder = await mkdtemp(path.join(os.tmpdir(), 'countersign-backup-'));
  database = await createTestDatabase();
  ctx = testCtx(database.db, undefined, { vault, clock: systemClock });
  await database.db.prisma.installation.create({
    data: { id: 1, issuer: ctx.site.issuer, createdAt: new Date() },
  });
  await ensureSigningKeys(ctx);
  await createApprovedAgent(ctx, { authMethod: 'private_key_jwt' });
  await order(database);
  for (const to of ['plain', 'tab\tnewline\nback\\slash "quotes" {a,b} \\N é 😀', '', 'null'])
    await recordCopy(ctx, { kind: 'installation.backup', to });
  await database.db.prisma.person.updateMany({
    data: { displayName: 'Tab\there, line\nthere, back\\slash, \\N and 😀' },
  });
  await order(database);
  whole = fileOf('whole');
  written = await write('whole');
});
afterAll(async () => {
  await database?.drop();
  await superuser?.end();
  await rm(folder, { recursive: true, force: true });
});

describe('a backup', () => {
  test('is one file only its owner may read, without the key, and verifies with and without it', async () => {
    expect((await stat(whole)).mode & 0o777).toBe(0o600);
    const bytes = await readFile(whole);
    const verified = await verifyBackup(whole, keys);
    expect(verified).toMatchObject({ sealed: true, header: { issuer: ctx.site.issuer } });
    expect(verified.history.size).toBeGreaterThan(8);
    expect(verified.history.checkpoints).toBe(2);
    expect((await verifyBackup(whole, null)).sealed).toBeNull();
    expect((await verifyBackup(whole, backupKeysOf(openVault(randomBytes(32))))).sealed).toBeNull();
    for (const form of ['base64url', 'hex', 'base64'] as const)
      expect(bytes.includes(keys.seal.toString(form))).toBe(false);
    expect(await readdir(folder)).toEqual(['whole']);
  });

  test('holds no answers kept for a day, no budgets and no steps of a sign-in; a move takes them along', async () => {
    const soon = new Date(Date.now() + 60_000);
    await database.db.prisma.idempotencyKey.create({
      data: { key: 'k', requestHash: 'h', status: 200, response: {}, createdAt: new Date(), expiresAt: soon },
    });
    const ephemeral = ['idempotency_key', 'passkey_challenge', 'rate_bucket', 'sign_in_handoff'];
    const kept = await writeWholeFile(fileOf('kept'), (sink) =>
      writeBackup(database.urls.owner, {
        sink,
        keys,
        version: '0.0.0-test',
        clock: systemClock,
        withoutEphemeral: true,
      }),
    );
    const moved = await write('moved');
    expect([...moved.tables.keys()].filter((name) => !kept.tables.has(name)).sort()).toEqual(ephemeral);
    expect(kept.tables.has('assertion_use')).toBe(true);
    await using target = await emptyDatabase();
    const loaded = await loadBackup(target.url, readContainer(readBytes(fileOf('kept'))), 'restore');
    expect([...loaded.tables]).toEqual([...kept.tables]);
    await database.db.prisma.idempotencyKey.deleteMany();
    for (const name of ['kept', 'moved']) await rm(fileOf(name));
  });

  test('never takes the place of a file that is there', async () => {
    await writeFile(fileOf('mine'), 'mine');
    await expect(write('mine')).rejects.toThrow('exists already');
    expect(await readFile(fileOf('mine'), 'utf8')).toBe('mine');
    await rm(fileOf('mine'));
  });

  test('counts as made once the file has its name, and not when it failed', async () => {
    const finished = () =>
      database.db.prisma.auditEvent.findMany({ where: { kind: 'installation.backup_finish' } });
    const to = fileOf('counted');
    const reached = (owner: string) => ({
      databaseUrls: { ...database.urls, owner },
      secrets: { keyEncryptionKey } as InstallationSecrets,
      release: async () => undefined,
    });
    await expect(backupInto(to)(ctx, reached('postgresql://127.0.0.1:1/none'))).rejects.toThrow();
    expect(await readdir(folder)).toEqual(['whole']);
    expect(await finished()).toEqual([]);
    await backupInto(to)(ctx, reached(database.urls.owner));
    const [finish, ...others] = await finished();
    expect(others).toEqual([]);
    const { end, bytes } = await verifyBackup(to, keys);
    expect(finish).toMatchObject({ data: { to: 'counted', digest: end.digest, bytes } });
    expect(finish?.parentIds).toHaveLength(1);
    await rm(to);
    await order(database);
    whole = fileOf('whole');
    await rm(whole);
    written = await write('whole');
  });

  test('that fails leaves nothing behind', async () => {
    await expect(
      writeWholeFile(fileOf('failed'), async (sink) => {
        await sink(Buffer.from('half'));
        throw new Error('the database is gone');
      }),
    ).rejects.toThrow('the database is gone');
    expect(await readdir(folder)).toEqual(['whole']);
  });

  test('of the same instant is the same, byte for byte but for its time', async () => {
    const again = await write('again');
    expect([...again.tables]).toEqual([...written.tables]);
    await rm(fileOf('again'));
  });

  test('taken while others write is one instant, and verifies', { timeout: 60_000 }, async () => {
    const ending = new AbortController();
    const writers = Array.from({ length: 3 }, async () => {
      while (!ending.signal.aborted)
        await recordCopy(ctx, { kind: 'installation.backup', to: randomToken(4) });
    });
    const ordering = (async () => {
      while (!ending.signal.aborted) await order(database);
    })();
    try {
      for (let round = 0; round < 5; round++) {
        await write('under-load');
        const { history, rowsOf } = await verifyBackup(fileOf('under-load'), keys);
        expect(history.size).toBeLessThanOrEqual(rowsOf.get('audit_event') ?? 0);
        await rm(fileOf('under-load'));
      }
    } finally {
      ending.abort();
      await Promise.all([...writers, ordering]);
      await order(database);
    }
  });
});

describe('a damaged backup', () => {
  test('is told from a whole one, whichever byte was changed', { timeout: 60_000 }, async () => {
    const { size } = await stat(whole);
    const bytes = await readFile(whole);
    const broken = fileOf('broken');
    await writeFile(broken, bytes);
    const handle = await open(broken, 'r+');
    // Each byte of the beginning and the end, where lengths and digests are, and a sample of the rest.
    const places = Array.from({ length: size }, (_, at) => at).filter(
      (at) => at < 60 || at > size - 120 || at % Math.ceil(size / 150) === 0,
    );
    for (const at of places) {
      const original = bytes[at] as number;
      await handle.write(Buffer.of(original ^ 1), 0, 1, at);
      const found = await verifyBackup(broken, keys).catch((error: Error) => error);
      expect([at, found]).toEqual([at, expect.objectContaining({ name: 'DamagedBackup' })]);
      await handle.write(Buffer.of(original), 0, 1, at);
    }
    await handle.close();
    expect((await verifyBackup(broken, keys)).sealed).toBe(true);
    await rm(broken);
  });

  test('that is cut off anywhere is told so', async () => {
    const { size } = await stat(whole);
    const cut = fileOf('cut');
    for (const length of [0, 5, 21, 24, 300, Math.floor(size / 2), size - 1]) {
      await writeFile(cut, await readFile(whole));
      await truncate(cut, length);
      await expect(verifyBackup(cut, keys)).rejects.toThrow(length < 21 ? /cut off|not a backup/ : 'cut off');
    }
    await rm(cut);
  });

  test('whose writer altered history is found by the history itself, though every digest is right', async () => {
    await using altered = await cloned();
    await altered.run(`ALTER TABLE audit_event DISABLE TRIGGER USER`);
    await altered.run(`UPDATE audit_event SET reason = 'harmless' WHERE arrival = 3`);
    await write('altered', altered.url);
    await expect(verifyBackup(fileOf('altered'), keys)).rejects.toThrow(/History does not hold.*was altered/);
    await rm(fileOf('altered'));
  });

  test('written again by somebody without the key is not sealed', async () => {
    const other = backupKeysOf(openVault(randomBytes(32)));
    await writeWholeFile(fileOf('forged'), (sink) =>
      writeBackup(database.urls.owner, {
        sink,
        keys: { seal: other.seal, check: keys.check },
        version: '0.0.0-test',
        clock: systemClock,
      }),
    );
    await expect(verifyBackup(fileOf('forged'), keys)).rejects.toThrow('its seal');
    await rm(fileOf('forged'));
  });
});

describe('loading', () => {
  test('gives back every row as it was, and history that verifies and goes on', {
    timeout: 60_000,
  }, async () => {
    await using target = await emptyDatabase();
    await loadBackup(target.url, readContainer(readBytes(whole)), 'restore');
    await expect(prepareDatabase(target.url)).rejects.toThrow('A restore into this database was cut off');
    expect(await prepareDatabase(target.url, { restoring: true })).toMatchObject({ leastPrivilege: true });
    await finishLoading(target.url);
    await prepareDatabase(target.url);
    const again = await write('loaded', target.url);
    expect([...again.tables]).toEqual([...written.tables]);
    expect(again.end.sequences).toEqual(written.end.sequences);
    await rm(fileOf('loaded'));

    const gateUrl = new URL(database.urls.gate);
    gateUrl.pathname = new URL(target.url).pathname;
    const db = openDb(gateUrl.href, { prisma: 1, hot: 1, emergency: 1 });
    const restored = { ...ctx, db };
    await recordCopy(restored, { kind: 'installation.backup', to: 'afterwards' });
    await expect(db.hot.query(`DELETE FROM audit_event`)).rejects.toThrow('permission denied');
    const sequencerUrl = new URL(database.urls.sequencer);
    sequencerUrl.pathname = gateUrl.pathname;
    await order({ urls: { sequencer: sequencerUrl.href } });
    const found = await verifyLog({
      databaseUrl: gateUrl.href,
      origin: logOrigin(ctx.site),
      verifiers: await checkpointVerifiers(restored),
      clock: systemClock,
    });
    expect(found).toMatchObject({ outcome: 'intact', size: written.header.history.size + 1 });
    await db.close();
    const owner = new pg.Client({ connectionString: target.url });
    await owner.connect();
    await expect(owner.query(`DELETE FROM audit_event`)).rejects.toThrow('append-only');
    await owner.end();
  });

  test('refuses a database with anything in it, and leaves it as it is', async () => {
    await expect(loadBackup(database.urls.owner, readContainer(readBytes(whole)), 'restore')).rejects.toThrow(
      `holds the installation ${ctx.site.issuer} already`,
    );
    expect(await database.db.prisma.agent.count()).toBe(1);
  });

  test('refuses the backup of a newer version before it writes', async () => {
    await using newer = await cloned();
    await newer.run(`INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at)
      VALUES ('x', 'x', '9999_of_tomorrow', now(), now())`);
    await write('newer', newer.url);
    await using target = await emptyDatabase();
    await expect(
      loadBackup(target.url, readContainer(readBytes(fileOf('newer'))), 'restore'),
    ).rejects.toThrow('made by a newer Countersign (0.0.0-test, migration 9999_of_tomorrow)');
    await prepareDatabase(target.url);
    await rm(fileOf('newer'));
  });

  test('that is cut off leaves what nothing starts on, and begins anew the next time', async () => {
    await using target = await emptyDatabase();
    const half = async function* () {
      let given = 0;
      for await (const piece of readBytes(whole)) {
        const rest = piece.subarray(0, 20_000);
        given += rest.length;
        yield rest;
        if (given >= 20_000) throw new Error('the disk is gone');
      }
    };
    await expect(loadBackup(target.url, readContainer(half()), 'restore')).rejects.toThrow(
      'the disk is gone',
    );
    await expect(prepareDatabase(target.url)).rejects.toThrow('Run the restore again');
    const loaded = await loadBackup(target.url, readContainer(readBytes(whole)), 'restore');
    expect([...loaded.tables]).toEqual([...written.tables]);
    await finishLoading(target.url);
    await prepareDatabase(target.url);
  });

  test('keeps another one off, and says whose it was where it was cut off', async () => {
    await using target = await emptyDatabase();
    {
      await using _first = await holdLoading(target.url);
      await expect(holdLoading(target.url)).rejects.toThrow('Another restore or move is loading');
    }
    await using _next = await holdLoading(target.url);
    await loadBackup(target.url, readContainer(readBytes(whole)), 'move');
    await expect(prepareDatabase(target.url)).rejects.toThrow('Run the move again');
    await expect(refuseUnfinished(target.url)).rejects.toThrow('A move into this database was cut off');
  });

  test('of an older version brings the database up to date afterwards', async () => {
    await using target = await emptyDatabase();
    await using older = await emptyDatabase();
    const { migrate } = await import('#prisma/migrate.ts');
    await migrate(older.url, { through: '0006_event_indexes' });
    const client = new pg.Client({ connectionString: older.url });
    await client.connect();
    await client.query(`INSERT INTO installation (id, issuer, created_at) VALUES (1, 'http://old', now())`);
    await client.end();
    await write('older', older.url);
    await loadBackup(target.url, readContainer(readBytes(fileOf('older'))), 'restore');
    const { applied } = await prepareDatabase(target.url, { restoring: true });
    expect(applied).toContain('0007_registration_tokens');
    await rm(fileOf('older'));
  });
});

/** A copy of the database as it is, to be damaged by the superuser. */
async function cloned() {
  const name = `altered_${randomBytes(6).toString('hex')}`;
  await database.db.close();
  await superuser.query(`CREATE DATABASE ${name} TEMPLATE ${database.name} OWNER countersign_owner`);
  const url = new URL(database.urls.owner);
  url.pathname = `/${name}`;
  const superuserUrl = new URL(database.superuserUrl);
  superuserUrl.pathname = `/${name}`;
  Object.assign(database, { db: openDb(database.urls.gate, { prisma: 4, hot: 4, emergency: 1 }) });
  ctx = { ...ctx, db: database.db };
  return {
    url: url.href,
    async run(statement: string) {
      const client = new pg.Client({ connectionString: superuserUrl.href });
      await client.connect();
      await client.query(statement).finally(() => client.end());
    },
    async [Symbol.asyncDispose]() {
      await superuser.query(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

test('the columns of a row of COPY are read as they were', () => {
  expect(columnsOf('a\\tb\t\\N\t\t\\\\N\tx\\ny\\\\')).toEqual(['a\tb', null, '', '\\N', 'x\ny\\']);
  expect(textArrayOf('{}')).toEqual([]);
  expect(textArrayOf('{a,"b,c","d\\"e\\\\","",NULL2}')).toEqual(['a', 'b,c', 'd"e\\', '', 'NULL2']);
});
