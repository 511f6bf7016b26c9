import { generateKeyPairSync } from 'node:crypto';
import pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#lib/platform/clock.ts';
import { testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { rawPublicKey, signNote } from './checkpoint.ts';
import { inclusionProof, leafHashOf, nodesAskedBy, verifyInclusion } from './merkle.ts';
import { insertEvents, toEventRow } from './record.ts';
import { FenceLost, readNodes, runSequencer, Sequencer, type SequencerOptions } from './sequencer.ts';
import { storeVerification, type Verification, verifyLog } from './verify.ts';

const origin = 'countersign.example/audit';
const pair = generateKeyPairSync('ed25519');
const publicKey = rawPublicKey(pair.publicKey.export({ format: 'jwk' }) as { x: string });
const verifiers = [{ name: origin, publicKey, key: pair.publicKey }];

let database: TestDatabase;
let options: SequencerOptions;
let clients: pg.Client[] = [];

const logged: string[] = [];
const log = {
  info: () => undefined,
  warn: (...given: unknown[]) => void logged.push(JSON.stringify(given)),
  error: () => undefined,
} as unknown as SequencerOptions['log'];

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  clients.push(client);
  return client;
}

beforeEach(async () => {
  database = await createTestDatabase();
  options = {
    databaseUrl: database.urls.sequencer,
    holder: 'test',
    origin,
    sign: async (text) => signNote(text, { name: origin, publicKey, privateKey: pair.privateKey }),
    clock: systemClock,
    log,
    pollMs: 10,
  };
  return async () => {
    for (const client of clients) await client.end().catch(() => undefined);
    clients = [];
    await database.drop();
  };
});

const rowsOf = (count: number, about = 'agt_x') =>
  Array.from({ length: count }, (_, index) =>
    toEventRow(testCtx(database.db, undefined, { clock: systemClock }), {
      kind: 'agent.create',
      subjectId: `${about}${index}`,
      data: { index, text: 'Grüße “all”', nested: { half: 0.5, big: 1e21 } },
    }),
  );

async function write(client: Pick<pg.Client, 'query'>, count: number, about?: string): Promise<string[]> {
  const rows = rowsOf(count, about);
  await client.query(insertEvents('$1'), [JSON.stringify(rows)]);
  return rows.map((row) => row.id);
}

const verify = (): Promise<Verification> =>
  verifyLog({ databaseUrl: database.urls.console, origin, verifiers, clock: systemClock });

async function ordered(): Promise<string[]> {
  const { rows } = await database.db.hot.query('SELECT event_id FROM audit_leaf ORDER BY sequence');
  return rows.map((row) => row.event_id);
}

async function openSequencer(): Promise<Sequencer> {
  return Sequencer.open(await connect(database.urls.sequencer), options);
}

async function drain(sequencer: Sequencer): Promise<void> {
  while ((await sequencer.step()).more);
}

describe('the sequencer', () => {
  test('orders what was committed and signs where the log stands', async () => {
    const ids = [...(await write(database.db.hot, 5)), ...(await write(database.db.hot, 2500))];
    const sequencer = await openSequencer();
    await drain(sequencer);
    expect(await ordered()).toEqual(ids);
    expect(await verify()).toMatchObject({ outcome: 'intact', size: 2505 });
    const { rows } = await database.db.hot.query('SELECT note FROM audit_checkpoint WHERE size = 2505');
    expect(rows[0].note.split('\n').slice(0, 2)).toEqual([origin, '2505']);
  });

  test('puts an event that commits late behind those that were there, and never misses it', async () => {
    const slow = await connect(database.urls.gate);
    const rolledBack = await connect(database.urls.gate);
    await slow.query('BEGIN');
    const late = await write(slow, 2, 'late');
    await rolledBack.query('BEGIN');
    await write(rolledBack, 3, 'never');
    const early = await write(database.db.hot, 4, 'early');
    const sequencer = await openSequencer();
    await sequencer.step();
    expect(await ordered()).toEqual(early);
    await rolledBack.query('ROLLBACK');
    await sequencer.step();
    await slow.query('COMMIT');
    await sequencer.step();
    expect(await ordered()).toEqual([...early, ...late]);
    // Settled is what no transaction of the whole cluster can precede any more, and other tests have theirs; it is kept
    // with the next event that is ordered.
    await expect
      .poll(
        async () => {
          await write(database.db.hot, 1);
          await sequencer.step();
          return (await database.db.hot.query('SELECT settled::int FROM sequencer_fence')).rows[0].settled;
        },
        { timeout: 30_000, interval: 100 },
      )
      .toBeGreaterThanOrEqual(9);
    expect(await verify()).toMatchObject({ outcome: 'intact', size: sequencer.size });
  });

  test('an event of a transaction younger than any that has ended is waited for too', async () => {
    const sequencer = await openSequencer();
    const older = await connect(database.urls.gate);
    const younger = await connect(database.urls.gate);
    for (const client of [older, younger]) {
      await client.query('BEGIN');
      await client.query('SELECT pg_current_xact_id()');
    }
    const late = await write(younger, 1, 'late');
    const early = await write(older, 1, 'early');
    await older.query('COMMIT');
    for (let looks = 0; looks < 3; looks++) await sequencer.step();
    expect(await ordered()).toEqual(early);
    await younger.query('COMMIT');
    await sequencer.step();
    expect(await ordered()).toEqual([...early, ...late]);
  });

  test('a transaction has its id before it takes an arrival number', async () => {
    const client = await connect(database.urls.gate);
    const { rows } = await client.query(
      `SELECT pg_get_expr(adbin, adrelid) AS taken FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
        WHERE adrelid = 'audit_event'::regclass AND attname = 'arrival'`,
    );
    await client.query('BEGIN');
    await client.query(`SELECT ${rows[0].taken}`);
    const after = await client.query('SELECT pg_current_xact_id_if_assigned() IS NOT NULL AS assigned');
    expect(after.rows).toEqual([{ assigned: true }]);
  });

  test('a late commit is found by the next holder as well', async () => {
    const slow = await connect(database.urls.gate);
    await slow.query('BEGIN');
    const late = await write(slow, 1, 'late');
    const early = await write(database.db.hot, 2, 'early');
    await (await openSequencer()).step();
    await slow.query('COMMIT');
    await (await openSequencer()).step();
    expect(await ordered()).toEqual([...early, ...late]);
  });

  test('once fenced it writes nothing more', async () => {
    const first = await openSequencer();
    await write(database.db.hot, 3);
    await first.step();
    const second = await openSequencer();
    await write(database.db.hot, 3);
    await expect(first.step()).rejects.toThrow(FenceLost);
    await second.step();
    expect(await verify()).toMatchObject({ outcome: 'intact', size: 6 });
  });

  test('of two running at once one orders; when it is cut off mid-way the other goes on where it was', async () => {
    const one = runSequencer(options);
    const two = runSequencer({ ...options, holder: 'other' });
    const killer = await connect(database.superuserUrl);
    let written = 0;
    for (let round = 0; round < 12; round++) {
      await write(database.db.hot, 50);
      written += 50;
      if (round % 3 === 1) {
        await killer.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'countersign sequencer'`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await expect.poll(async () => (await ordered()).length, { timeout: 10_000 }).toBe(written);
    expect([one.isHolder(), two.isHolder()].filter(Boolean)).toHaveLength(1);
    await one.close();
    await two.close();
    expect(await verify()).toMatchObject({ outcome: 'intact', size: written });
  });

  test('its stored tree proves every event', async () => {
    await write(database.db.hot, 137);
    await drain(await openSequencer());
    const { rows } = await database.db.hot.query('SELECT root_hash FROM audit_checkpoint WHERE size = 137');
    const events = await database.db.hot.query(
      'SELECT digest FROM audit_event JOIN audit_leaf ON event_id = id ORDER BY sequence',
    );
    for (const index of [0, 1, 63, 64, 128, 136]) {
      const wanted = nodesAskedBy((at) => inclusionProof(index, 137, at));
      const nodes = await readNodes(database.db.hot, wanted);
      const proof = inclusionProof(index, 137, (level, at) => nodes.get(`${level}/${at}`) as Uint8Array);
      const leafHash = leafHashOf(Buffer.from(events.rows[index].digest, 'base64url'));
      expect(verifyInclusion({ leafHash, index, size: 137, proof, root: rows[0].root_hash })).toBe(true);
    }
  });

  test('without a key it orders all the same and signs when there is one', async () => {
    const client = await connect(database.urls.sequencer);
    let hasKey = false;
    const sequencer = await Sequencer.open(client, {
      ...options,
      sign: (text) => (hasKey ? options.sign(text) : Promise.reject(new Error('no key yet'))),
    });
    await write(database.db.hot, 2);
    await sequencer.step();
    expect(await ordered()).toHaveLength(2);
    hasKey = true;
    await sequencer.step();
    expect((await database.db.hot.query('SELECT size::int FROM audit_checkpoint')).rows).toEqual([
      { size: 2 },
    ]);
  });
});

describe('history cannot be changed', () => {
  const tables = [
    'audit_event',
    'audit_leaf',
    'audit_node',
    'audit_checkpoint',
    'audit_verification',
  ] as const;
  const column = {
    audit_event: 'reason',
    audit_leaf: 'sequence',
    audit_node: 'level',
    audit_checkpoint: 'note',
    audit_verification: 'problem',
  } as const;

  test.each(['owner', 'gate', 'console', 'sequencer'] as const)('by the role of the %s', async (role) => {
    await write(database.db.hot, 9);
    await drain(await openSequencer());
    await storeVerification(database.db, await verify());
    const client = await connect(database.urls[role]);
    for (const table of tables) {
      const name = column[table];
      const refusal = /permission denied|append-only/;
      await expect(client.query(`UPDATE ${table} SET ${name} = ${name}`)).rejects.toThrow(refusal);
      await expect(client.query(`DELETE FROM ${table}`)).rejects.toThrow(refusal);
      await expect(client.query(`TRUNCATE ${table}`)).rejects.toThrow(refusal);
    }
    expect(await verify()).toMatchObject({ outcome: 'intact', size: 9 });
  });

  test.each(['gate', 'console'] as const)('nor its order written by the role of the %s', async (role) => {
    const client = await connect(database.urls[role]);
    await expect(client.query(`INSERT INTO audit_leaf VALUES (0, 'evt_x', '\\x00', now())`)).rejects.toThrow(
      /permission denied/,
    );
    await expect(
      client.query(`INSERT INTO audit_checkpoint VALUES (1, '\\x00', 'note', now())`),
    ).rejects.toThrow(/permission denied/);
    await expect(client.query('UPDATE sequencer_fence SET fence = 99')).rejects.toThrow(/permission denied/);
  });

  test('an event of the sequencer itself is refused', async () => {
    const client = await connect(database.urls.sequencer);
    await expect(write(client, 1)).rejects.toThrow(/permission denied/);
  });
});

describe('what a database administrator does to history is found', () => {
  /** As the superuser with triggers off, like somebody who means it. */
  async function tamper(sql: string, values: unknown[] = []): Promise<void> {
    const client = await connect(database.superuserUrl);
    await client.query('SET session_replication_role = replica');
    await client.query(sql, values);
  }
  let ids: string[];
  beforeEach(async () => {
    ids = await write(database.db.hot, 40);
    await drain(await openSequencer());
    expect(await verify()).toMatchObject({ outcome: 'intact', size: 40 });
  });

  test('an altered column', async () => {
    await tamper(`UPDATE audit_event SET data = '{"index":8}' WHERE id = $1`, [ids[7]]);
    expect(await verify()).toMatchObject({ outcome: 'broken', firstBadPosition: 7 });
  });

  test('an altered column with its digest made to fit', async () => {
    const forged = rowsOf(1)[0];
    await tamper(
      `UPDATE audit_event e SET digest = f.digest, at = f.at, data = f.data, subject_id = f.subject_id, trace_id = f.trace_id, id = f.id
         FROM jsonb_populate_record(NULL::audit_event, $2::jsonb) f WHERE e.id = $1`,
      [ids[7], JSON.stringify(forged)],
    );
    await tamper('UPDATE audit_leaf SET event_id = $1 WHERE sequence = 7', [forged?.id]);
    expect(await verify()).toMatchObject({ outcome: 'broken', firstBadPosition: 7 });
  });

  test('an altered event with digest and leaf made to fit: the signed root contradicts it', async () => {
    const forged = rowsOf(1)[0];
    await tamper('DELETE FROM audit_event WHERE id = $1', [ids[7]]);
    await tamper(insertEvents('$1'), [JSON.stringify([forged])]);
    await tamper('UPDATE audit_leaf SET event_id = $1, leaf_hash = $2 WHERE sequence = 7', [
      forged?.id,
      leafHashOf(Buffer.from(forged?.digest ?? '', 'base64url')),
    ]);
    const found = await verify();
    expect(found.outcome).toBe('broken');
    expect(found.firstBadPosition).toBeGreaterThanOrEqual(7);
  });

  test('a deleted event', async () => {
    await tamper('DELETE FROM audit_event WHERE id = $1', [ids[30]]);
    expect(await verify()).toMatchObject({ outcome: 'broken', firstBadPosition: 30 });
  });

  test('two events in each other’s place', async () => {
    await tamper('UPDATE audit_leaf SET event_id = event_id || $1 WHERE sequence IN (3, 4)', ['x']);
    await tamper('UPDATE audit_leaf SET event_id = $1 WHERE sequence = 3', [ids[4]]);
    await tamper('UPDATE audit_leaf SET event_id = $1 WHERE sequence = 4', [ids[3]]);
    expect(await verify()).toMatchObject({ outcome: 'broken', firstBadPosition: 3 });
  });

  test('the end of the log cut off', async () => {
    await tamper('DELETE FROM audit_leaf WHERE sequence >= 35');
    expect(await verify()).toMatchObject({ outcome: 'broken', firstBadPosition: 35 });
  });

  test('an event slipped in below what was settled', async () => {
    await tamper('UPDATE audit_event SET arrival = arrival + 1000 WHERE id = $1', [ids[5]]);
    const row = {
      ...toEventRow(testCtx(database.db), { kind: 'agent.create', subjectId: 'agt_forged' }),
      arrival: 6,
    };
    await tamper(
      insertEvents('$1').replace('(id,', '(arrival, id,').replace('SELECT e.id', 'SELECT e.arrival, e.id'),
      [JSON.stringify([row])],
    );
    expect(await verify()).toMatchObject({ outcome: 'broken', firstBadPosition: null });
  });

  test('a checkpoint exchanged for one without a signature', async () => {
    await tamper(`UPDATE audit_checkpoint SET note = replace(note, '40', '41')`);
    expect(await verify()).toMatchObject({ outcome: 'broken' });
  });

  test('a stored node of the tree altered', async () => {
    await tamper(`UPDATE audit_node SET hash = '\\x00' WHERE level = 2 AND index = 3`);
    expect(await verify()).toMatchObject({ outcome: 'broken', firstBadPosition: 15 });
  });
});
