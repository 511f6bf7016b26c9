import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addSeconds, systemClock } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import { newId } from '#lib/platform/ids.ts';
import { readCompact } from '#lib/platform/jws.ts';
import { type ApprovedAgent, createApprovedAgent } from '#tests/credentials-world.ts';
import { personActor, testCtx } from '#tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { listCredentials, readReveals } from './read-credentials.ts';
import { revealCredential } from './reveal-credential.ts';
import { ensureSigningKeys } from './signing-keys.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await ensureSigningKeys(system());
});
afterAll(() => database.drop());

const system = () => testCtx(database.db, undefined, { clock: systemClock });
const as = (personId: string, more: Parameters<typeof personActor>[2] = {}) =>
  testCtx(database.db, personActor(personId, ['owner'], more), { clock: systemClock });

async function agentWithReveal(expiresInSeconds = 24 * 3600): Promise<ApprovedAgent & { revealId: string }> {
  const agent = await createApprovedAgent(system(), { clientClass: 'headless service' });
  const revealId = newId('reveal');
  const now = systemClock.now();
  await database.db.prisma.reveal.create({
    data: {
      id: revealId,
      agentId: agent.agentId,
      serverId: agent.serverId,
      ownerId: agent.ownerId,
      requestId: agent.requestId,
      createdAt: now,
      expiresAt: addSeconds(now, expiresInSeconds),
      mintedCredentialIds: [],
    },
  });
  return { ...agent, revealId };
}

describe('revealing a token', () => {
  test('gives the owner five minutes for one server, stored as a digest, and says who did it', async () => {
    const agent = await agentWithReveal();
    const revealed = await revealCredential(as(agent.ownerId), { revealId: agent.revealId });
    const claims = readCompact(revealed.token)?.payload;
    expect(claims).toMatchObject({ aud: agent.resource, sub: agent.ownerId });
    expect(revealed.expiresInSeconds).toBeLessThanOrEqual(300);
    const row = await database.db.prisma.credential.findUniqueOrThrow({
      where: { id: revealed.credentialId },
    });
    expect(row).toMatchObject({
      kind: 'revealed token',
      tokenDigest: sha256(revealed.token),
      grantKind: 'reveal',
    });
    const event = await database.db.prisma.auditEvent.findFirstOrThrow({
      where: { subjectId: revealed.credentialId },
    });
    expect(event).toMatchObject({ kind: 'credential.reveal', actorId: agent.ownerId });
    const { rows } = await database.db.hot.query(
      "SELECT (SELECT count(*)::int FROM credential c WHERE c::text LIKE '%' || $1 || '%') + (SELECT count(*)::int FROM audit_event e WHERE e::text LIKE '%' || $1 || '%') AS n",
      [revealed.token.split('.')[2]],
    );
    expect(rows[0].n).toBe(0);
  });

  test('is refused to anybody else, to a token of the owner, and before an owner role', async () => {
    const agent = await agentWithReveal();
    const input = { revealId: agent.revealId };
    await expect(revealCredential(as('per_other'), input)).rejects.toMatchObject({ code: 'not_found' });
    await expect(
      revealCredential(as(agent.ownerId, { via: 'token', sessionId: null }), input),
    ).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(revealCredential(system(), input)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(readReveals(as('per_other'), agent.agentId)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is refused when the day is over, the agent is stopped or the approval has ended', async () => {
    const late = await agentWithReveal(-1);
    await expect(revealCredential(as(late.ownerId), { revealId: late.revealId })).rejects.toMatchObject({
      code: 'not_found',
    });
    const stopped = await agentWithReveal();
    await database.db.hot.query("UPDATE agent SET state = 'suspended' WHERE id = $1", [stopped.agentId]);
    await expect(revealCredential(as(stopped.ownerId), { revealId: stopped.revealId })).rejects.toMatchObject(
      { code: 'forbidden' },
    );
    const ended = await agentWithReveal();
    await database.db.hot.query(
      "UPDATE tool_binding SET ended_at = now(), end_cause = 'superseded' WHERE agent_id = $1",
      [ended.agentId],
    );
    await expect(revealCredential(as(ended.ownerId), { revealId: ended.revealId })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('two tabs at once: one token lives, the other tab hears of a conflict', async () => {
    const agent = await agentWithReveal();
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => revealCredential(as(agent.ownerId), { revealId: agent.revealId })),
    );
    expect(results.filter((result) => result.status === 'fulfilled').length).toBeGreaterThan(0);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict' });
    }
    const reveal = await database.db.prisma.reveal.findUniqueOrThrow({ where: { id: agent.revealId } });
    const given = results.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value.credentialId] : [],
    );
    expect([...reveal.mintedCredentialIds].sort()).toEqual([...given].sort());
  });

  test('a lost one is minted again: the one before ends as superseded and stays in the ledger', async () => {
    const agent = await agentWithReveal();
    const first = await revealCredential(as(agent.ownerId), { revealId: agent.revealId });
    const second = await revealCredential(as(agent.ownerId), { revealId: agent.revealId });
    expect([first.supersededEarlier, second.supersededEarlier]).toEqual([false, true]);
    const { items } = await listCredentials(as(agent.ownerId), agent.agentId, { limit: 50, state: 'all' });
    expect(items.map(({ id, state, endCause }) => ({ id, state, endCause }))).toEqual([
      { id: second.credentialId, state: 'live', endCause: null },
      { id: first.credentialId, state: 'ended', endCause: 'superseded' },
    ]);
    const fed = await database.db.prisma.feedEntry.findMany({ where: { serverId: agent.serverId } });
    expect(fed.map((entry) => entry.value)).toMatchObject([{ tokenIds: [first.credentialId] }]);
    expect((await readReveals(as(agent.ownerId), agent.agentId)).reveals).toMatchObject([{ minted: 2 }]);
  });

  test('the ledger is for those who may see the agent, holds no digest, and pages', async () => {
    const agent = await agentWithReveal();
    for (let index = 0; index < 3; index++)
      await revealCredential(as(agent.ownerId), { revealId: agent.revealId });
    await expect(
      listCredentials(as('per_other'), agent.agentId, { limit: 50, state: 'all' }),
    ).rejects.toMatchObject({
      code: 'not_found',
    });
    const first = await listCredentials(as(agent.ownerId), agent.agentId, { limit: 2, state: 'all' });
    const rest = await listCredentials(as(agent.ownerId), agent.agentId, {
      limit: 2,
      state: 'all',
      cursor: first.nextCursor ?? '',
    });
    expect([first.items.length, rest.items.length, rest.nextCursor]).toEqual([2, 1, null]);
    expect(JSON.stringify(first)).not.toMatch(/digest/i);
    await database.db.hot.query('UPDATE agent SET epoch = epoch + 1 WHERE id = $1', [agent.agentId]);
    const after = await listCredentials(as(agent.ownerId), agent.agentId, { limit: 50, state: 'all' });
    expect(after.items[0]).toMatchObject({ state: 'ended', endCause: 'agent stopped' });
  });
});
