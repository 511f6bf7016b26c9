import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { anonymous, type PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { newId } from '#lib/platform/ids.ts';
import { createServer } from '../../tests/credentials-world.ts';
import { personActor, TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { startTestGate, type TestGate } from '../../tests/gate.ts';
import { addPerson } from '../../tests/people.ts';
import { readIssuance, resumeIssuance, resumeIssuanceInput } from './resume-issuance.ts';
import { acceptAck } from './testimony.ts';

let database: TestDatabase;
let admin: PersonActor;
let guard: { id: string; name: string; serverIds: readonly string[] };
const clock = new TestClock();
const reason = { reason: 'Ended again what the checkpoint of Monday names.' };
const as = (actor: Ctx['actor']) => testCtx(database.db, actor, { clock });
const system = () => testCtx(database.db, undefined, { clock });

beforeAll(async () => {
  database = await createTestDatabase();
  await ensureSigningKeys(system());
  admin = await addPerson(database.db, 'adam', ['admin']);
  const { serverId } = await createServer(system(), [{ name: 'read_note' }]);
  guard = { id: newId('guard'), name: 'one', serverIds: [serverId] };
  await database.db.prisma.guard.create({
    data: {
      ...guard,
      serverIds: [serverId],
      signingKey: {},
      encryptionKey: {},
      thumbprint: 'test',
      version: 'test',
      enrolledById: admin.personId,
      enrolledAt: clock.now(),
    },
  });
});
afterAll(() => database?.drop());

beforeEach(async () => {
  const { prisma } = database.db;
  await prisma.installation.upsert({
    where: { id: 1 },
    create: { id: 1, issuer: 'http://localhost:3000', createdAt: clock.now() },
    update: { issuanceStoppedAt: null, issuanceStoppedReason: null, feedGeneration: 1 },
  });
});

/** The guard says what a restored backup offered it. */
function testify(offered: { generation: number; guardGeneration?: number }): Promise<void> {
  const [serverId = ''] = guard.serverIds;
  const { generation, guardGeneration = generation } = offered;
  const ahead = [{ serverId, knownHead: 9, offeredHead: 3, generation }];
  return acceptAck(system(), guard, {
    iss: guard.id,
    aud: 'http://localhost:3000',
    iat: 0,
    jti: newId('event'),
    generation: guardGeneration,
    applied: [],
    refusals: [],
    ahead,
  });
}

const generation = async () =>
  (await database.db.prisma.installation.findUniqueOrThrow({ where: { id: 1 } })).feedGeneration;
const events = (kind: string) =>
  database.db.prisma.auditEvent.findMany({ where: { kind }, orderBy: { arrival: 'asc' } });

describe('issuance stopped by a guard', () => {
  test('is resumed by an admin, for a reason, in a new generation', async () => {
    await testify({ generation: 1 });
    expect(await readIssuance(as(admin))).toMatchObject({ stoppedAt: clock.now().toISOString() });
    await resumeIssuance(as(admin), reason);
    expect(await readIssuance(as(admin))).toEqual({ stoppedAt: null });
    expect(await generation()).toBe(2);
    const [stop, resume] = [
      (await events('installation.issuance_stop')).at(-1),
      (await events('installation.issuance_resume')).at(-1),
    ];
    expect(resume).toMatchObject({
      actorId: admin.personId,
      reason: reason.reason,
      parentIds: [stop?.id],
      before: { feedGeneration: 1 },
      after: { feedGeneration: 2, issuanceStoppedAt: null },
    });
  });

  test('tells every admin, who would not know otherwise', async () => {
    await testify({ generation: 1 });
    const told = await database.db.prisma.notification.findFirst({
      where: { personId: admin.personId, kind: 'installation.issuance_stop' },
    });
    expect(told?.body).toMatch(/The guard one has seen a newer history/);
  });

  test('everybody with a role may know that it is stopped; why, only those who see all agents', async () => {
    await testify({ generation: 1 });
    const stoppedAt = clock.now().toISOString();
    expect(await readIssuance(as(personActor('per_o', ['owner'])))).toEqual({ stoppedAt, reason: '' });
    expect(await readIssuance(as(personActor('per_u', ['auditor'])))).toEqual({
      stoppedAt,
      reason: expect.stringContaining('The guard one has seen a newer history'),
    });
    await expect(readIssuance(as(personActor('per_n', [])))).rejects.toMatchObject({ code: 'forbidden' });
  });

  test.each([
    ['nobody', anonymous, 'unauthenticated'],
    ['an owner', personActor('per_o', ['owner']), 'forbidden'],
    ['an approver', personActor('per_a', ['approver']), 'forbidden'],
    ['an auditor', personActor('per_u', ['auditor']), 'forbidden'],
    ['a guard', { kind: 'guard', guardId: 'grd_x', name: 'x' } as const, 'unauthenticated'],
    ['a client', { kind: 'client', clientId: 'client_x' } as const, 'unauthenticated'],
    ['the installation itself', undefined, 'unauthenticated'],
  ])('is not resumed by %s', async (_, actor, code) => {
    await testify({ generation: 1 });
    const before = (await events('installation.issuance_resume')).length;
    const ctx = actor ? as(actor) : system();
    await expect(resumeIssuance(ctx, reason)).rejects.toMatchObject({ code });
    expect(await readIssuance(as(admin))).toMatchObject({ stoppedAt: expect.any(String) });
    expect(await events('installation.issuance_resume')).toHaveLength(before);
  });

  test('is not resumed without a reason', () => {
    for (const input of [{}, { reason: '' }, { reason: '  ' }, { reason: 'x'.repeat(2001) }])
      expect(resumeIssuanceInput.safeParse(input).success).toBe(false);
  });

  test('is resumed once: the second call says that it is not stopped', async () => {
    await testify({ generation: 1 });
    await resumeIssuance(as(admin), reason);
    await expect(resumeIssuance(as(admin), reason)).rejects.toMatchObject({ code: 'conflict' });
    expect(await generation()).toBe(2);
  });

  test('is resumed by one of many admins at once', async () => {
    await testify({ generation: 1 });
    const before = (await events('installation.issuance_resume')).length;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, () => resumeIssuance(as(admin), reason)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' });
    expect(await generation()).toBe(2);
    expect(await events('installation.issuance_resume')).toHaveLength(before + 1);
  });

  test('is not stopped again by what a guard had seen before it was resumed', async () => {
    await testify({ generation: 1 });
    await resumeIssuance(as(admin), reason);
    await testify({ generation: 1 });
    expect(await readIssuance(as(admin))).toEqual({ stoppedAt: null });
    await testify({ generation: 2 });
    expect(await readIssuance(as(admin))).toMatchObject({ stoppedAt: expect.any(String) });
  });

  test('goes on above the generation its guards are in, when the backup is older than an earlier resumption', async () => {
    await testify({ generation: 1, guardGeneration: 5 });
    await resumeIssuance(as(admin), reason);
    expect(await generation()).toBe(6);
  });

  test('goes on whatever generation a guard claims to be in', async () => {
    await testify({ generation: Number.MAX_SAFE_INTEGER, guardGeneration: Number.MAX_SAFE_INTEGER });
    await resumeIssuance(as(admin), reason);
    expect(await generation()).toBe(1_002);
  });
});

describe('over REST', () => {
  let gate: TestGate;
  beforeAll(async () => {
    gate = await startTestGate(27001);
    await gate.database.db.prisma.installation.create({
      data: {
        id: 1,
        issuer: gate.issuer,
        createdAt: new Date(),
        issuanceStoppedAt: new Date(),
        issuanceStoppedReason: 'test',
      },
    });
  });
  afterAll(() => gate?.close());

  const post = (token: string) =>
    gate.ask('/api/v1/issuance/resume', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(reason),
    });

  async function tokenFor(name: string): Promise<{ token: string; actor: PersonActor }> {
    const actor = await addPerson(gate.database.db, name, ['admin']);
    const ctx = testCtx(gate.database.db, actor, { clock: gate.running.gate.clock });
    return { actor, token: (await createApiToken(ctx, { name: 'test', days: 1 })).token };
  }

  test('nobody resumes: not with the token of a demoted admin, and not with one of an admin, which can give no proof', async () => {
    const [dora, adam] = [await tokenFor('dora'), await tokenFor('adam')];
    const { prisma } = gate.database.db;
    await prisma.roleGrant.updateMany({
      where: { personId: dora.actor.personId },
      data: { endedAt: new Date() },
    });
    expect((await post(dora.token)).status).toBe(403);
    expect((await post('cs_nothing')).status).toBe(401);
    const stopped = await gate.ask('/api/v1/issuance', {
      headers: { authorization: `Bearer ${adam.token}` },
    });
    expect(stopped.json()).toMatchObject({ reason: 'test', stoppedAt: expect.any(String) });
    const answer = await post(adam.token);
    expect([answer.status, answer.json().detail]).toEqual([
      403,
      'This must be done in the browser by the person themselves.',
    ]);
    const { issuanceStoppedAt } = await prisma.installation.findUniqueOrThrow({ where: { id: 1 } });
    expect(issuanceStoppedAt).not.toBeNull();
    const refused = await prisma.auditEvent.count({
      where: { kind: 'refusal.authenticated', actorId: dora.actor.personId },
    });
    expect(refused).toBe(1);
  });
});
