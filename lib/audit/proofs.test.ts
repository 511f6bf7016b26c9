import { generateKeyPairSync } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#lib/platform/clock.ts';
import { testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { rawPublicKey, signNote } from './checkpoint.ts';
import { verifyConsistency, verifyInclusion } from './merkle.ts';
import { checkInclusion, latestCheckpoint, proveConsistency, proveInclusion } from './proofs.ts';
import { insertEvents, toEventRow } from './record.ts';
import { Sequencer } from './sequencer.ts';

const origin = 'countersign.example/audit';
const pair = generateKeyPairSync('ed25519');
const publicKey = rawPublicKey(pair.publicKey.export({ format: 'jwk' }) as { x: string });
let database: TestDatabase;
let client: pg.Client;
let rows: { id: string; digest: string }[];

beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.urls.sequencer });
  await client.connect();
  const sequencer = await Sequencer.open(client, {
    databaseUrl: database.urls.sequencer,
    holder: 'test',
    origin,
    sign: async (text: string) => signNote(text, { name: origin, publicKey, privateKey: pair.privateKey }),
    clock: systemClock,
    log: console,
  } as never);
  rows = Array.from({ length: 120 }, (_, index) =>
    toEventRow(testCtx(database.db), { kind: 'agent.create', subjectId: `agt_${index}` }),
  );
  // Heads at 9, 99 and 120: as text, 99 would be the largest.
  for (const [from, to] of [
    [0, 9],
    [9, 99],
    [99, 120],
  ]) {
    await database.db.hot.query(insertEvents('$1'), [JSON.stringify(rows.slice(from, to))]);
    await sequencer.step();
  }
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

const bytes = (text: string) => Buffer.from(text, 'base64');

test('the newest head is the largest', async () => {
  expect(await latestCheckpoint({ db: database.db })).toMatchObject({ size: 120 });
});

test('every event is proved against the head it is asked for', async () => {
  for (const [index, size] of [
    [0, undefined],
    [8, 9],
    [98, 99],
    [98, 120],
    [119, undefined],
  ] as const) {
    const event = rows[index] as { id: string; digest: string };
    const proof = await proveInclusion({ db: database.db }, event.id, size);
    expect(proof).toMatchObject({ index, size: size ?? 120 });
    expect(
      verifyInclusion({
        leafHash: bytes(proof.leafHash),
        index: proof.index,
        size: proof.size,
        proof: proof.proof.map(bytes),
        root: bytes(proof.root),
      }),
    ).toBe(true);
    expect(
      await checkInclusion({ db: database.db }, event.id, { stored: event.digest, computed: event.digest }),
    ).toMatchObject({ status: 'included', index, size: 120 });
  }
});

test('an altered event does not pass for included', async () => {
  const [event, other] = rows as [{ id: string; digest: string }, { id: string; digest: string }];
  const ctx = { db: database.db };
  expect(await checkInclusion(ctx, event.id, { stored: event.digest, computed: other.digest })).toMatchObject(
    {
      status: 'broken',
      index: 0,
    },
  );
  expect(await checkInclusion(ctx, event.id, { stored: other.digest, computed: other.digest })).toMatchObject(
    {
      status: 'broken',
      index: 0,
    },
  );
});

test('a later log is proved to continue an earlier one', async () => {
  const proof = await proveConsistency({ db: database.db }, 9, 120);
  expect(
    verifyConsistency({
      oldSize: 9,
      newSize: 120,
      oldRoot: bytes(proof.firstRoot),
      newRoot: bytes(proof.secondRoot),
      proof: proof.proof.map(bytes),
    }),
  ).toBe(true);
  await expect(proveConsistency({ db: database.db }, 9, 121)).rejects.toThrow(/120/);
  await expect(proveConsistency({ db: database.db }, 0, 5)).rejects.toThrow(/120/);
});

test('an event without a position, and a size before it, are refused', async () => {
  await expect(proveInclusion({ db: database.db }, 'evt_none')).rejects.toThrow(/no position/);
  await expect(proveInclusion({ db: database.db }, rows[50]?.id ?? '', 9)).rejects.toThrow(
    /between 51 and 120/,
  );
});
