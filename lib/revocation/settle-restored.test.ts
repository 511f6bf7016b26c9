import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { createResourceToken } from '#lib/credentials/resource-tokens.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { type Actor, type PersonActor, systemActor } from '#lib/platform/actor.ts';
import { addSeconds, systemClock } from '#lib/platform/clock.ts';
import { ctxOf } from '../../gate/context.ts';
import { type ApprovedAgent, createApprovedAgent, deliveredCode } from '../../tests/credentials-world.ts';
import { personActor, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase } from '../../tests/database.ts';
import { startTestGate, type TestGate } from '../../tests/gate.ts';
import { addPerson } from '../../tests/people.ts';
import { bodyOf, type TokenClient, tokenClient } from '../../tests/token-client.ts';
import { resumeIssuance } from './resume-issuance.ts';
import { settleRestored } from './settle-restored.ts';
import { stopAgentInput, suspendAgent } from './stop-agent.ts';

let gate: TestGate;
let client: TokenClient;
let admin: PersonActor;
let [keyed, interactive]: ApprovedAgent[] = [];
const backup = {
  madeAt: '2026-03-01T00:00:00.000Z',
  digest: 'digest',
  historySize: 7,
  rootHash: 'root',
};
const ctx = (actor: Actor = systemActor('test')) => ctxOf(gate.running.gate, { actor });

beforeAll(async () => {
  gate = await startTestGate(4840);
  client = tokenClient(gate);
  await gate.database.db.prisma.installation.create({
    data: { id: 1, issuer: gate.issuer, createdAt: new Date() },
  });
  await ensureSigningKeys(ctx());
  admin = { ...(await addPerson(gate.database.db, 'adam', ['admin'])), elevatedAt: systemClock.now() };
  keyed = await createApprovedAgent(ctx(), { authMethod: 'private_key_jwt' });
  interactive = await createApprovedAgent(ctx());
});
afterAll(() => gate?.close());

test('is done by the host alone, and not where nothing is installed', async () => {
  for (const actor of [admin, personActor('per_o', ['owner'])])
    await expect(settleRestored(testCtx(gate.database.db, actor), backup)).rejects.toMatchObject({
      code: 'forbidden',
    });
  await using empty = await createTestDatabase();
  await expect(settleRestored(testCtx(empty.db), backup)).rejects.toMatchObject({ code: 'not_found' });
});

test('everything that was given out before is dead, and nothing is issued until an admin says so', async () => {
  if (!keyed || !interactive) throw new TypeError('no agents');
  const minted = bodyOf(await client.credentials(keyed, { resource: keyed.resource }));
  const code = await deliveredCode(ctx(), interactive);
  const signedIn = bodyOf(await client.redeem(interactive, code));
  const carried = await deliveredCode(ctx(), interactive);
  const { token: apiToken } = await createApiToken(ctx(admin), { name: 'x', days: 1 });
  const { token: asker } = await createResourceToken(ctx(admin), {
    serverId: keyed.serverId,
    name: 'server',
    lifetimeDays: 1,
  });
  const introspect = async (token: string) => (await client.introspect(asker, token)).json();
  const whoAmI = () => gate.ask('/api/v1/issuance', { headers: { authorization: `Bearer ${apiToken}` } });
  expect((await introspect(minted.access_token)).active).toBe(true);
  expect((await whoAmI()).status).toBe(200);

  const keysOf = (purpose: string) =>
    gate.database.db.prisma.signingKey.findMany({ where: { purpose }, select: { kid: true, state: true } });
  const keysBefore = { feed: await keysOf('feed'), checkpoint: await keysOf('checkpoint') };
  const ended = await settleRestored(ctx(), backup);
  // A guard knows the next key of feeds already, also one that saw it taken into use in the lost time.
  for (const purpose of ['feed', 'checkpoint'] as const) {
    const after = new Map((await keysOf(purpose)).map(({ kid, state }) => [kid, state]));
    for (const { kid, state } of keysBefore[purpose])
      expect([state, after.get(kid)]).toEqual([state, state === 'next' ? 'active' : 'killed']);
    expect([...after.values()].sort()).toEqual(['active', 'killed', 'next']);
  }
  expect(ended).toMatchObject({ tokens: 2, families: 1, codes: 1, apiTokens: 1, keys: 2, handedOver: 2 });

  expect(await introspect(minted.access_token)).toEqual({ active: false });
  expect((await whoAmI()).status).toBe(401);
  const refused = async (answer: Promise<{ status: number; json(): Record<string, unknown> }>) => {
    const { status, json } = await answer;
    return [status, json().error];
  };
  const again = () => client.credentials(keyed as ApprovedAgent, { resource: keyed?.resource ?? '' });
  expect(await refused(again())).toEqual([503, 'temporarily_unavailable']);
  expect((await client.redeem(interactive, carried)).status).toBeGreaterThanOrEqual(400);

  await resumeIssuance(ctx(admin), { reason: 'Compared with the checkpoint of Monday.' });
  const fresh = bodyOf(await again());
  expect(await introspect(fresh.access_token)).toMatchObject({ active: true });
  expect(await introspect(minted.access_token)).toEqual({ active: false });
  expect(await refused(client.refresh(interactive, signedIn.refresh_token))).toEqual([400, 'invalid_grant']);
  expect(await refused(client.redeem(interactive, carried))).toEqual([400, 'invalid_grant']);
  // The forgery alarm that a token of the lost time sets off kills a dead key, not the one in use.
  expect(await introspect(fresh.access_token)).toMatchObject({ active: true });
});

test('history says what was restored, what that ended and why issuance stopped', async () => {
  const events = await gate.database.db.prisma.auditEvent.findMany({
    where: {
      kind: { in: ['installation.restore', 'installation.issuance_stop', 'installation.issuance_resume'] },
    },
    orderBy: { arrival: 'asc' },
  });
  const [restore, stop, resume] = events;
  expect(restore).toMatchObject({
    kind: 'installation.restore',
    actorKind: 'system',
    data: { ...backup, ended: { tokens: 2, families: 1 } },
    before: { issuerEpoch: 1 },
  });
  expect(stop).toMatchObject({ kind: 'installation.issuance_stop', parentIds: [restore?.id] });
  expect(resume).toMatchObject({ parentIds: [stop?.id], actorId: admin.personId });
  expect(
    await gate.database.db.prisma.notification.count({
      where: { personId: admin.personId, kind: 'installation.issuance_stop' },
    }),
  ).toBe(1);
  const killed = await gate.database.db.prisma.auditEvent.count({ where: { kind: 'key.kill' } });
  expect(killed).toBe(4);
});

test('whatever the lost time held, epochs and generations are past it: two restores of one backup, and a stop after them', async () => {
  if (!keyed) throw new TypeError('no agent');
  const installation = () => gate.database.db.prisma.installation.findUniqueOrThrow({ where: { id: 1 } });
  const first = await installation();
  const seconds = (systemClock.now().getTime() - Date.UTC(2026, 0, 1)) / 1000;
  expect(first.feedGeneration).toBeGreaterThan(seconds - 120);
  expect(first.issuerEpoch).toBeGreaterThan(seconds - 120);
  const agent = () =>
    gate.database.db.prisma.agent.findUniqueOrThrow({ where: { id: keyed?.agentId ?? '' } });
  // A guard's memory of the lost time is all there is of it: below what it has seen an agent stays refused.
  expect((await agent()).epoch).toBe(1);
  await suspendAgent(ctx(), stopAgentInput.parse({ agentId: keyed.agentId, cause: 'administrative' }));
  expect((await agent()).epoch).toBe(first.issuerEpoch);

  await Promise.allSettled([settleRestored(ctx(), backup), settleRestored(ctx(), backup)]);
  const second = await installation();
  expect(second.issuerEpoch).toBeGreaterThan(first.issuerEpoch);
  expect(second.issuanceStoppedAt).not.toBeNull();
  const active = await gate.database.db.prisma.signingKey.count({
    where: { purpose: 'token', state: 'active' },
  });
  expect(active).toBe(1);
});

test('a host whose clock is ahead leaves nothing alive for when it is set right', async () => {
  await resumeIssuance(ctx(admin), { reason: 'Once more.' });
  const { token: apiToken } = await createApiToken(ctx(admin), { name: 'y', days: 1 });
  const agent = await createApprovedAgent(ctx());
  await deliveredCode(ctx(), agent);
  const { prisma } = gate.database.db;
  const soon = addSeconds(systemClock.now(), 60);
  await prisma.guardJoinToken.create({
    data: {
      tokenDigest: 'join',
      guardName: 'g',
      serverIds: [],
      createdAt: systemClock.now(),
      expiresAt: soon,
    },
  });
  const inAYear = addSeconds(systemClock.now(), 365 * 86_400);
  const ended = await settleRestored({ ...ctx(), clock: { ...systemClock, now: () => inAYear } }, backup);
  expect(ended).toMatchObject({ apiTokens: 1, codes: 1, joinTokens: 1 });
  const answer = await gate.ask('/api/v1/issuance', { headers: { authorization: `Bearer ${apiToken}` } });
  expect(answer.status).toBe(401);
  const alive = { gt: systemClock.now() };
  expect(await prisma.authorizationCode.count({ where: { usedAt: null, expiresAt: alive } })).toBe(0);
  expect(await prisma.guardJoinToken.count({ where: { usedAt: null, expiresAt: alive } })).toBe(0);
  expect(await prisma.reveal.count({ where: { expiresAt: alive } })).toBe(0);
  expect(await prisma.credential.count({ where: { endedAt: null } })).toBe(0);
  expect(await prisma.personSession.count({ where: { endedAt: null } })).toBe(0);
});
