import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anonymous, type PersonActor, systemActor } from '#lib/platform/actor.ts';
import { TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { hasAdmin } from './has-admin.ts';
import {
  confirmPasswordReset,
  endInvitation,
  invitePerson,
  issueFirstAdminLink,
  issuePasswordReset,
  readInvitation,
  recoverAdmin,
  redeemInvitation,
} from './invitations.ts';
import { findSession } from './read-actor.ts';
import { listOpenInvitations } from './read-people.ts';
import { confirmRole, grantRole } from './roles.ts';
import { createHandoff, openSession } from './sessions.ts';
import { signIn } from './sign-in.ts';

const password = 'four unrelated words';
let databases: TestDatabase[] = [];
async function fresh() {
  const database = await createTestDatabase();
  databases.push(database);
  return database;
}
afterAll(async () => {
  for (const database of databases) await database.drop();
  databases = [];
});

const tokenOf = (link: { url: string }) => link.url.split('#')[1] as string;
const host = (database: TestDatabase, clock = new TestClock()) =>
  testCtx(database.db, systemActor('start'), { clock });
const stranger = (database: TestDatabase, clock = new TestClock()) =>
  testCtx(database.db, anonymous, { clock });

describe('the first admin link', () => {
  test('carries its token in the fragment and enrols one admin, whoever comes first', async () => {
    const database = await fresh();
    expect(await hasAdmin(host(database))).toBe(false);
    const link = await issueFirstAdminLink(host(database));
    expect(link.url).toMatch(/^http:\/\/countersign\.localhost:3000\/enrol#[\w-]{43}$/);
    const tries = await Promise.allSettled(
      [1, 2, 3, 4].map((n) =>
        redeemInvitation(stranger(database), {
          token: tokenOf(link),
          email: `adam${n}@example.test`,
          displayName: 'Adam',
          password,
        }),
      ),
    );
    expect(tries.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect(await database.db.prisma.person.count()).toBe(1);
    expect(await hasAdmin(host(database))).toBe(true);
    const kinds = (await database.db.prisma.auditEvent.findMany()).map((event) => event.kind).sort();
    expect(kinds).toEqual([
      'invitation.create',
      'invitation.redeem',
      'person.create',
      'person.password',
      'role.grant',
      'role.grant',
    ]);
    await expect(issueFirstAdminLink(host(database))).rejects.toMatchObject({ code: 'conflict' });
  });
  test('is made on the host only, ends after 15 minutes and when another is made', async () => {
    const database = await fresh();
    const clock = new TestClock();
    await expect(issueFirstAdminLink(stranger(database))).rejects.toMatchObject({ code: 'forbidden' });
    const first = await issueFirstAdminLink(host(database, clock));
    const second = await issueFirstAdminLink(host(database, clock));
    await expect(readInvitation(stranger(database, clock), { token: tokenOf(first) })).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(await readInvitation(stranger(database, clock), { token: tokenOf(second) })).toMatchObject({
      purpose: 'first admin',
    });
    clock.advanceSeconds(15 * 60);
    await expect(readInvitation(stranger(database, clock), { token: tokenOf(second) })).rejects.toMatchObject(
      { code: 'not_found' },
    );
  });
});

describe('an invitation', () => {
  let database: TestDatabase;
  let adam: Awaited<ReturnType<typeof addPerson>>;
  beforeAll(async () => {
    database = await fresh();
    adam = await addPerson(database.db, 'adam', ['admin']);
  });
  test('is made by admins only', async () => {
    const olive = await addPerson(database.db, 'olive', ['owner', 'approver', 'auditor']);
    await expect(
      invitePerson(testCtx(database.db, olive), { email: 'x@example.test', roles: [] }),
    ).rejects.toMatchObject({
      code: 'forbidden',
    });
  });
  test('makes a person with its address and roles, who is signed in at once', async () => {
    const link = await invitePerson(testCtx(database.db, adam), {
      email: 'ava@example.test',
      roles: ['approver'],
    });
    const ctx = stranger(database);
    const { handoff } = await redeemInvitation(ctx, {
      token: tokenOf(link),
      email: 'evil@example.test',
      displayName: 'Ava',
      password,
    });
    const session = await openSession(ctx, { handoff, previousToken: null });
    const facts = await findSession(ctx, session.token);
    expect(facts).toMatchObject({
      email: 'ava@example.test',
      actor: { displayName: 'Ava', roles: ['approver'] },
    });
    const grant = await database.db.prisma.roleGrant.findFirstOrThrow({
      where: { personId: facts?.actor.personId },
    });
    expect(grant.grantedById).toBe(adam.personId);
  });
  test('refuses an address that is here already, and a password that would be guessed', async () => {
    const ctx = testCtx(database.db, adam);
    await expect(invitePerson(ctx, { email: 'adam@example.test', roles: [] })).rejects.toMatchObject({
      code: 'conflict',
    });
    const link = await invitePerson(ctx, { email: 'weak@example.test', roles: [] });
    for (const guess of [
      'passwordpassword',
      'Password123456',
      'aaaaaaaaaaaaaa',
      'abcdefghijklmn',
      'weak@example.test',
    ]) {
      await expect(
        redeemInvitation(stranger(database), { token: tokenOf(link), displayName: 'Weak', password: guess }),
      ).rejects.toMatchObject({ code: 'invalid' });
    }
    expect(await readInvitation(stranger(database), { token: tokenOf(link) })).toMatchObject({
      email: 'weak@example.test',
    });
  });
  test('grants nothing when its admin is no longer one', async () => {
    const ada = await addPerson(database.db, 'ada', ['admin']);
    const link = await invitePerson(testCtx(database.db, ada), {
      email: 'late@example.test',
      roles: ['owner'],
    });
    await database.db.prisma.roleGrant.updateMany({
      where: { personId: ada.personId },
      data: { endedAt: new Date() },
    });
    const { personId } = await redeemInvitation(stranger(database), {
      token: tokenOf(link),
      displayName: 'Late',
      password,
    });
    expect(await database.db.prisma.roleGrant.count({ where: { personId } })).toBe(0);
  });
});

test('a reset sets the password, ends every session and tells the person', async () => {
  const database = await fresh();
  const adam = await addPerson(database.db, 'adam', ['admin']);
  const olive = await addPerson(database.db, 'olive', ['owner'], { password: 'the former password' });
  const ctx = stranger(database);
  const former = await openSession(ctx, {
    handoff: await createHandoff(database.db.prisma, ctx, olive.personId, 'password'),
    previousToken: null,
  });
  const link = await issuePasswordReset(testCtx(database.db, adam), { personId: olive.personId });
  await redeemInvitation(ctx, { token: tokenOf(link), password });
  expect(await findSession(ctx, former.token)).toBeNull();
  expect(await signIn(ctx, { email: 'olive@example.test', password: 'the former password' })).toEqual({
    refused: 'credentials',
  });
  expect(await signIn(ctx, { email: 'olive@example.test', password })).toHaveProperty('handoff');
  await expect(redeemInvitation(ctx, { token: tokenOf(link), password })).rejects.toMatchObject({
    code: 'not_found',
  });
  expect(await database.db.prisma.notification.count({ where: { personId: olive.personId } })).toBe(1);
  const reset = await database.db.prisma.auditEvent.findFirstOrThrow({
    where: { kind: 'invitation.create' },
  });
  expect(reset).toMatchObject({ actorId: adam.personId });
});

describe('a reset link of an approver or admin', () => {
  async function scene() {
    const database = await fresh();
    const adam = await addPerson(database.db, 'adam', ['admin']);
    const ada = await addPerson(database.db, 'ada', ['admin']);
    const petra = await addPerson(database.db, 'petra', ['approver'], { password: 'the former password' });
    return { database, adam, ada, petra, as: (actor: PersonActor) => testCtx(database.db, actor) };
  }

  test('does nothing by the word of one admin, and works when a second has confirmed it', async () => {
    const { database, adam, ada, petra, as } = await scene();
    const link = await issuePasswordReset(as(adam), { personId: petra.personId });
    expect(link.waits).toBe(true);
    const redeem = () => redeemInvitation(stranger(database), { token: tokenOf(link), password });
    await expect(redeem()).rejects.toMatchObject({ code: 'conflict' });
    const former = { email: petra.email, password: 'the former password' };
    expect(await signIn(stranger(database), former)).toHaveProperty('handoff');
    const { invitationId } = link;
    for (const actor of [adam, petra])
      await expect(confirmPasswordReset(as(actor), { invitationId })).rejects.toMatchObject({
        code: 'forbidden',
      });
    const rows = async (actor: PersonActor) =>
      (await listOpenInvitations(as(actor))).map(({ waits, canConfirm }) => [waits, canConfirm]);
    expect(await rows(adam)).toEqual([[true, false]]);
    expect(await rows(ada)).toEqual([[true, true]]);
    const outcomes = await Promise.allSettled([
      confirmPasswordReset(as(ada), { invitationId }),
      confirmPasswordReset(as(ada), { invitationId }),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await rows(ada)).toEqual([[false, false]]);
    expect(
      await database.db.prisma.auditEvent.findMany({ where: { kind: 'invitation.confirm' } }),
    ).toMatchObject([{ actorId: ada.personId, subjectId: invitationId, data: { personId: petra.personId } }]);
    const told = await database.db.prisma.notification.findMany({ where: { kind: 'invitation.confirm' } });
    expect(told.map(({ personId }) => personId).sort()).toEqual([adam.personId, petra.personId].sort());
    expect(await redeem()).toMatchObject({ personId: petra.personId });
  });

  test('waits when the role came after it was made, and when its admin is none any more', async () => {
    const { database, adam, ada, as } = await scene();
    const olive = await addPerson(database.db, 'olive', ['owner']);
    const link = await issuePasswordReset(as(adam), { personId: olive.personId });
    expect(link.waits).toBe(false);
    const { grantId } = await grantRole(as(adam), { personId: olive.personId, role: 'approver' });
    await confirmRole(as(ada), { grantId });
    await database.db.prisma.roleGrant.updateMany({
      where: { personId: adam.personId },
      data: { endedAt: new Date() },
    });
    await expect(
      redeemInvitation(stranger(database), { token: tokenOf(link), password }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });

  test('of one of two admins is made on the host alone', async () => {
    const { database, adam, ada, as } = await scene();
    await expect(issuePasswordReset(as(adam), { personId: ada.personId })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await database.db.prisma.invitation.count()).toBe(0);
  });

  test('goes at once while there is one admin, and is told', async () => {
    const database = await fresh();
    const adam = await addPerson(database.db, 'adam', ['admin']);
    const petra = await addPerson(database.db, 'petra', ['approver']);
    const link = await issuePasswordReset(testCtx(database.db, adam), { personId: petra.personId });
    expect(link.waits).toBe(false);
    expect(await redeemInvitation(stranger(database), { token: tokenOf(link), password })).toMatchObject({
      personId: petra.personId,
    });
    expect(await database.db.prisma.notification.count({ where: { personId: petra.personId } })).toBe(1);
  });

  test('that ended cannot be confirmed', async () => {
    const { adam, ada, petra, as } = await scene();
    const { invitationId } = await issuePasswordReset(as(adam), { personId: petra.personId });
    await endInvitation(as(adam), { invitationId });
    await expect(confirmPasswordReset(as(ada), { invitationId })).rejects.toMatchObject({ code: 'conflict' });
  });
});

test('recovery on the host brings back an admin who was deactivated', async () => {
  const database = await fresh();
  const adam = await addPerson(database.db, 'adam', ['admin'], { password: 'the former password' });
  await database.db.prisma.person.update({ where: { id: adam.personId }, data: { state: 'deactivated' } });
  await database.db.prisma.roleGrant.updateMany({ data: { endedAt: new Date() } });
  await expect(recoverAdmin(testCtx(database.db, adam), { email: adam.email })).rejects.toMatchObject({
    code: 'forbidden',
  });
  const link = await recoverAdmin(host(database), { email: adam.email });
  const ctx = stranger(database);
  const { handoff } = await redeemInvitation(ctx, { token: tokenOf(link), password });
  const session = await openSession(ctx, { handoff, previousToken: null });
  expect((await findSession(ctx, session.token))?.actor).toMatchObject({
    personId: adam.personId,
    roles: ['admin'],
  });
  expect(await database.db.prisma.auditEvent.count({ where: { kind: 'access.recover' } })).toBe(1);
  const told = await database.db.prisma.notification.findMany({ where: { personId: adam.personId } });
  expect(told.map(({ kind }) => kind)).toEqual(['access.recover']);
});

test('links cannot be tried out at speed', async () => {
  const database = await fresh();
  const ctx = stranger(database);
  let limited = 0;
  for (let attempt = 0; attempt < 30; attempt++) {
    await readInvitation(ctx, { token: `${'x'.repeat(40)}${attempt}` }).catch((error) => {
      if (error.code === 'limit_exceeded') limited++;
    });
  }
  expect(limited).toBe(10);
});
