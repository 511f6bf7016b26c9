import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openVault } from '#lib/platform/crypto.ts';
import { notifyChange, openDb } from '#lib/platform/db.ts';
import { openWakeUps } from '#lib/platform/wake-ups.ts';
import { createServer } from '#tests/credentials-world.ts';
import { personActor, TestClock, testCtx } from '#tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { listenToFeed } from './deny-set.ts';
import {
  activeSigningKey,
  ensureSigningKeys,
  forgetKeys,
  keyPurposes,
  killSigningKey,
  listSigningKeys,
  publishedKeys,
  rotateSigningKey,
} from './signing-keys.ts';

let database: TestDatabase;
let clock: TestClock;
beforeEach(async () => {
  database = await createTestDatabase();
  clock = new TestClock();
});
afterEach(() => database.drop());

const system = () => testCtx(database.db, undefined, { clock });
const admin = () => testCtx(database.db, personActor('per_admin', ['admin']), { clock });
const states = async (purpose: string) =>
  (await listSigningKeys(system())).filter((key) => key.purpose === purpose).map((key) => key.state);

describe('signing keys', () => {
  test('every purpose has one active and one next key, however many processes start at once', async () => {
    await Promise.all(Array.from({ length: 4 }, () => ensureSigningKeys(system())));
    await ensureSigningKeys(system());
    for (const purpose of keyPurposes) expect((await states(purpose)).sort()).toEqual(['active', 'next']);
    const events = await database.db.prisma.auditEvent.groupBy({ by: ['kind'], _count: true });
    expect(Object.fromEntries(events.map((event) => [event.kind, event._count]))).toEqual({
      'key.activate': 3,
      'key.create': 6,
    });
  });

  test('private keys are sealed under their own row and the installation’s key', async () => {
    await ensureSigningKeys(system());
    const rows = await database.db.prisma.signingKey.findMany();
    for (const row of rows) {
      expect(row.privateSealed).not.toContain('"d"');
      expect(row.publicJwk).not.toHaveProperty('d');
    }
    forgetKeys(database.db);
    const stranger = { ...system(), vault: openVault(Buffer.alloc(32, 7)) };
    await expect(activeSigningKey(stranger, 'token')).rejects.toThrow();
    const [one, other] = rows;
    await database.db.hot.query('UPDATE signing_key SET private_sealed = $1 WHERE kid = $2', [
      other?.privateSealed,
      one?.kid,
    ]);
    forgetKeys(database.db);
    await expect(
      Promise.all(keyPurposes.map((purpose) => activeSigningKey(system(), purpose))),
    ).rejects.toThrow();
  });

  test('rotation: the published next key takes over, the old one stays until its last token has expired', async () => {
    await ensureSigningKeys(system());
    const { serverId } = await createServer(system(), []);
    const before = await publishedKeys(system(), 'token');
    const next = before.find((key) => key.state === 'next');
    const { kid, retiredKid } = await rotateSigningKey(admin(), { purpose: 'token' });
    expect(kid).toBe(next?.kid);
    expect((await activeSigningKey(system(), 'token')).kid).toBe(kid);
    expect((await publishedKeys(system(), 'token')).map((key) => key.state).sort()).toEqual([
      'active',
      'next',
      'retired',
    ]);
    const [entry] = await database.db.prisma.feedEntry.findMany({ where: { serverId } });
    expect(entry).toMatchObject({ kind: 'keys.changed', value: { tokenKeys: { keys: [{}, {}, {}] } } });
    clock.advanceSeconds(661);
    forgetKeys(database.db);
    expect((await publishedKeys(system(), 'token')).map((key) => key.kid)).not.toContain(retiredKid);
  });

  test('killing the active key puts the next one in its place and tells every guard', async () => {
    await ensureSigningKeys(system());
    const { serverId } = await createServer(system(), []);
    const { kid } = await activeSigningKey(system(), 'token');
    await killSigningKey(admin(), { kid, reason: 'leaked' });
    expect((await activeSigningKey(system(), 'token')).kid).not.toBe(kid);
    expect((await publishedKeys(system(), 'token')).map((key) => key.kid)).not.toContain(kid);
    const entries = await database.db.prisma.feedEntry.findMany({
      where: { serverId },
      orderBy: { sequence: 'asc' },
    });
    expect(entries.map((entry) => entry.kind)).toEqual(['key.killed', 'keys.changed']);
    await expect(killSigningKey(admin(), { kid, reason: 'again' })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect((await states('token')).sort()).toEqual(['active', 'killed', 'next']);
  });

  test('only an admin rotates and kills; two at once have one outcome each', async () => {
    await ensureSigningKeys(system());
    const { kid } = await activeSigningKey(system(), 'feed');
    const approver = testCtx(database.db, personActor('per_a', ['approver']), { clock });
    await expect(rotateSigningKey(approver, { purpose: 'feed' })).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(killSigningKey(approver, { kid, reason: 'x' })).rejects.toMatchObject({ code: 'forbidden' });
    const kills = await Promise.allSettled(
      Array.from({ length: 4 }, () => killSigningKey(admin(), { kid, reason: 'race' })),
    );
    expect(kills.filter((kill) => kill.status === 'fulfilled')).toHaveLength(1);
    expect((await states('feed')).sort()).toEqual(['active', 'killed', 'next']);
    const event = await database.db.prisma.auditEvent.findFirstOrThrow({ where: { kind: 'key.kill' } });
    expect(event).toMatchObject({ actorId: 'per_admin', subjectId: kid, reason: 'race' });
  });

  test('a key that another process changed is used here at once; a stopped agent makes nobody read keys again', async () => {
    await ensureSigningKeys(system());
    const wakeUps = await openWakeUps(database.db.url);
    const stopListening = await listenToFeed(system(), wakeUps);
    const other = openDb(database.urls.gate, { prisma: 1, hot: 1, emergency: 1 });
    try {
      const before = await activeSigningKey(system(), 'feed');
      const heard = new Promise<void>((resolve) => {
        void wakeUps.listen({ channels: ['countersign_change'], onNotice: () => resolve() });
      });
      await other.prisma.$transaction((tx) => notifyChange(tx, 'agents', 'agt_1'));
      await heard;
      expect(await activeSigningKey(system(), 'feed')).toBe(before);
      const elsewhere = testCtx(other, personActor('per_admin', ['admin']), { clock });
      const { kid } = await rotateSigningKey(elsewhere, { purpose: 'feed' });
      await expect.poll(async () => (await activeSigningKey(system(), 'feed')).kid).toBe(kid);
    } finally {
      stopListening();
      await other.close();
      await wakeUps.close();
    }
  });
});
