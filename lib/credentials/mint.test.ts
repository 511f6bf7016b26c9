import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import type { Db } from '#lib/platform/db.ts';
import { openWakeUps } from '#lib/platform/wake-ups.ts';
import { type ApprovedAgent, createApprovedAgent } from '#tests/credentials-world.ts';
import { testCtx } from '#tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { isDenied, listenToFeed } from './deny-set.ts';
import { mint } from './mint.ts';
import { ensureSigningKeys } from './signing-keys.ts';
import { judgeStanding, readStanding } from './standing.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await ensureSigningKeys(ctxWith(database.db));
});
afterAll(() => database.drop());

const ctxWith = (db: Db) => testCtx(db, systemActor('test'), { clock: systemClock });

async function mintOn(db: Db, agent: ApprovedAgent) {
  const standing = await readStanding(ctxWith(database.db), agent.clientId, agent.instanceId);
  const verdict = standing ? judgeStanding(standing, systemClock.now()) : null;
  if (!standing || verdict?.kind !== 'live') throw new TypeError(`not live: ${verdict?.kind}`);
  const binding = standing.bindings[0] as (typeof standing.bindings)[number];
  return () =>
    mint(ctxWith(db), {
      standing: { ...standing, agent: verdict.agent, instance: verdict.instance },
      binding,
      tools: binding.tools.map((tool) => tool.name),
      subject: agent.clientId,
      familyId: null,
      grantKind: 'client_credentials',
      spend: { kind: 'assertion', key: randomToken(), expiresAt: new Date(Date.now() + 60_000) },
    });
}

/** The same database over a connection that breaks around the minting statement. */
function breaking(db: Db, when: 'before it is sent' | 'after it committed'): Db {
  const hot = Object.create(db.hot) as Db['hot'];
  hot.query = (async (query: { name?: string }, ...rest: unknown[]) => {
    const isMint = query.name?.startsWith('credentials.mint');
    if (isMint && when === 'before it is sent') throw new Error('Connection terminated unexpectedly');
    const result = await (db.hot.query as (...all: unknown[]) => Promise<unknown>).call(
      db.hot,
      query,
      ...rest,
    );
    if (isMint) throw new Error('Connection terminated unexpectedly');
    return result;
  }) as Db['hot']['query'];
  return { ...db, hot };
}

const counts = async (agent: ApprovedAgent) => {
  const { rows } = await database.db.hot.query(
    `SELECT (SELECT count(*)::int FROM credential WHERE agent_id = $1) AS credentials,
            (SELECT count(*)::int FROM audit_event WHERE agent_id = $1 AND kind = 'credential.issue') AS events`,
    [agent.agentId],
  );
  return rows[0];
};

describe('minting', () => {
  test('a connection that breaks after the commit: the token is looked up and answered', async () => {
    const agent = await createApprovedAgent(ctxWith(database.db));
    const minted = await (await mintOn(breaking(database.db, 'after it committed'), agent))();
    expect(minted).toMatchObject({ token: expect.any(String) });
    expect(await counts(agent)).toEqual({ credentials: 1, events: 1 });
  });

  test('a connection that breaks before it: nothing happened, and the caller may ask again', async () => {
    const agent = await createApprovedAgent(ctxWith(database.db));
    const again = await mintOn(breaking(database.db, 'before it is sent'), agent);
    await expect(again()).rejects.toMatchObject({ code: 'unavailable' });
    expect(await counts(agent)).toEqual({ credentials: 0, events: 0 });
  });

  test('what was read a moment too early stores nothing', async () => {
    const changes = [
      'UPDATE agent SET epoch = epoch + 1 WHERE id = $1',
      "UPDATE instance SET state = 'suspended' WHERE agent_id = $1",
      "UPDATE tool_binding SET ended_at = now(), end_cause = 'superseded' WHERE agent_id = $1",
      'UPDATE tool_binding SET version = version + 1 WHERE agent_id = $1',
      "UPDATE person SET state = 'deactivated' WHERE id = (SELECT owner_id FROM agent WHERE id = $1)",
      "UPDATE client SET metadata_digest = 'sha256:new' WHERE id IN (SELECT client_id FROM instance WHERE agent_id = $1)",
      "UPDATE mcp_server SET state = 'retired' WHERE id IN (SELECT server_id FROM tool_binding WHERE agent_id = $1)",
    ];
    for (const change of changes) {
      const agent = await createApprovedAgent(ctxWith(database.db));
      const mintNow = await mintOn(database.db, agent);
      await database.db.hot.query(change, [agent.agentId]);
      expect([change, await mintNow()]).toEqual([change, 'refused']);
      expect(await counts(agent)).toEqual({ credentials: 0, events: 0 });
    }
  });

  test('one bad row of a shared statement fails alone', async () => {
    const agents = await Promise.all([1, 2, 3].map(() => createApprovedAgent(ctxWith(database.db))));
    const mints = await Promise.all(agents.map((agent) => mintOn(database.db, agent)));
    await database.db.hot.query('UPDATE agent SET epoch = epoch + 1 WHERE id = $1', [agents[1]?.agentId]);
    const results = await Promise.all(mints.map((run) => run()));
    expect(results.map((result) => typeof result === 'object')).toEqual([true, false, true]);
  });

  test('a stop heard of before the answer keeps the token from its holder', async () => {
    const agent = await createApprovedAgent(ctxWith(database.db));
    const wakeUps = await openWakeUps(database.db.url);
    const stopListening = await listenToFeed(ctxWith(database.db), wakeUps);
    try {
      const fact = {
        kind: 'agent.changed',
        agent: {
          id: agent.agentId,
          name: 'A',
          epoch: 2,
          state: 'suspended',
          owner: 'o',
          clientClass: 'c',
          source: 's',
          attended: true,
          dataClass: 'internal',
        },
      };
      await database.db.hot.query(
        `WITH h AS (INSERT INTO feed_head (server_id, sequence) VALUES ($1, 1) RETURNING sequence)
         INSERT INTO feed_entry (server_id, sequence, kind, subject, value, committed_at)
         SELECT $1, sequence, 'agent.changed', $2, $3, now() FROM h`,
        [agent.serverId, agent.agentId, JSON.stringify(fact)],
      );
      await database.db.hot.query("SELECT pg_notify('countersign_feed', $1)", [agent.serverId]);
      const question = { agentId: agent.agentId, epoch: 1, bindingId: agent.bindingId, kid: 'k' };
      await expect.poll(() => isDenied(database.db, question), { timeout: 5000 }).toBe(true);
      // The table says nothing of it here, as it would not to a statement that began before the stop committed.
      expect(await (await mintOn(database.db, agent))()).toBe('denied');
    } finally {
      stopListening();
      await wakeUps.close();
    }
    expect(isDenied(database.db, { agentId: agent.agentId, epoch: 1, bindingId: '', kid: '' })).toBe(false);
  });
});
