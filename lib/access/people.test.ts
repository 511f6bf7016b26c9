import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anonymous } from '#lib/platform/actor.ts';
import { TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { isApiToken, newApiToken } from './api-token-format.ts';
import { createApiToken, endApiToken } from './api-tokens.ts';
import { addGroupMember, createGroup, removeGroupMember } from './groups.ts';
import { changePassword, deactivatePerson, editProfile, reactivatePerson } from './people.ts';
import { findSession, findTokenHolder } from './read-actor.ts';
import { getPerson, listPeople, listPeopleQuery, listTeamIds, maySeeOwnedBy } from './read-people.ts';
import { createHandoff, openSession } from './sessions.ts';

type Someone = Awaited<ReturnType<typeof addPerson>>;
let database: TestDatabase;
let adam: Someone;
let olive: Someone;
let oscar: Someone;
let audrey: Someone;
beforeAll(async () => {
  database = await createTestDatabase();
  adam = await addPerson(database.db, 'adam', ['admin']);
  olive = await addPerson(database.db, 'olive', ['owner'], { password: 'the former password' });
  oscar = await addPerson(database.db, 'oscar', ['owner']);
  audrey = await addPerson(database.db, 'audrey', ['auditor']);
});
afterAll(() => database?.drop());
const as = (person: Someone, clock = new TestClock()) => testCtx(database.db, person, { clock });

async function sessionOf(person: Someone) {
  const ctx = testCtx(database.db, anonymous);
  const handoff = await createHandoff(database.db.prisma, ctx, person.personId, 'password');
  const opened = await openSession(ctx, { handoff, previousToken: null });
  const session = await findSession(ctx, opened.token);
  return { token: opened.token, ctx: testCtx(database.db, session?.actor) };
}

describe('deactivating a leaver', () => {
  test('ends sessions, tokens and roles in one act, and reactivating brings back no role', async () => {
    const leaver = await addPerson(database.db, 'lea', ['owner', 'approver']);
    const session = await sessionOf(leaver);
    const { token } = await createApiToken(session.ctx, { name: 'script', days: 30 });
    expect(await findTokenHolder(session.ctx, token)).toMatchObject({ personId: leaver.personId });
    await deactivatePerson(as(adam), { personId: leaver.personId, reason: 'left the company' });
    expect(await findSession(session.ctx, session.token)).toBeNull();
    expect(await findTokenHolder(session.ctx, token)).toBeNull();
    await expect(
      deactivatePerson(as(adam), { personId: leaver.personId, reason: 'again' }),
    ).rejects.toMatchObject({ code: 'conflict' });
    await reactivatePerson(as(adam), { personId: leaver.personId });
    const facts = await getPerson(as(adam), leaver.personId);
    expect(facts.grants.map((grant) => grant.state)).toEqual(['ended', 'ended']);
    expect(await findTokenHolder(session.ctx, token)).toBeNull();
    const event = await database.db.prisma.auditEvent.findFirstOrThrow({
      where: { kind: 'person.deactivate' },
    });
    expect(event).toMatchObject({
      actorName: 'adam',
      subjectId: leaver.personId,
      reason: 'left the company',
    });
  });
  test('is for admins, and not of oneself', async () => {
    await expect(
      deactivatePerson(as(audrey), { personId: olive.personId, reason: 'x' }),
    ).rejects.toMatchObject({ code: 'forbidden' });
    await expect(deactivatePerson(as(adam), { personId: adam.personId, reason: 'x' })).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(deactivatePerson(as(adam), { personId: 'per_none', reason: 'x' })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
  test('by two at once happens once', async () => {
    const ada = await addPerson(database.db, 'ada', ['admin']);
    const leaver = await addPerson(database.db, 'lou', ['owner']);
    const both = await Promise.allSettled(
      [adam, ada].map((admin) => deactivatePerson(as(admin), { personId: leaver.personId, reason: 'left' })),
    );
    expect(both.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect(
      await database.db.prisma.auditEvent.count({
        where: { kind: 'person.deactivate', subjectId: leaver.personId },
      }),
    ).toBe(1);
  });
});

describe('a password change', () => {
  test('needs the current one and ends the other sessions', async () => {
    const here = await sessionOf(olive);
    const there = await sessionOf(olive);
    const wrong = { currentPassword: 'not it', password: 'five unrelated words here' };
    await expect(changePassword(here.ctx, wrong)).rejects.toMatchObject({ code: 'invalid' });
    const { endedSessions } = await changePassword(here.ctx, {
      ...wrong,
      currentPassword: 'the former password',
    });
    expect(endedSessions).toBeGreaterThan(0);
    expect(await findSession(here.ctx, there.token)).toBeNull();
    expect(await findSession(here.ctx, here.token)).not.toBeNull();
  });
  test('cannot be guessed at speed', async () => {
    const here = await sessionOf(olive);
    const tries = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      tries.push(
        await changePassword(here.ctx, { currentPassword: 'x', password: 'five unrelated words' }).catch(
          (error) => error.code,
        ),
      );
    }
    expect(tries).toContain('limit_exceeded');
  });
});

describe('an API token', () => {
  test('has a prefix and a checksum that catches a slip of the pen', () => {
    const token = newApiToken();
    expect(token).toMatch(/^cs_[0-9A-Za-z]{46}$/);
    expect(isApiToken(token)).toBe(true);
    for (let index = 3; index < token.length; index++) {
      const slip = `${token.slice(0, index)}${token[index] === 'a' ? 'b' : 'a'}${token.slice(index + 1)}`;
      expect(isApiToken(slip)).toBe(false);
    }
  });
  test('is made in the browser only, never by another token', async () => {
    const viaToken = { ...olive, via: 'token' as const, sessionId: null };
    await expect(
      createApiToken(testCtx(database.db, viaToken), { name: 'x', days: 1 }),
    ).rejects.toMatchObject({ code: 'forbidden' });
  });
  test("acts with its holder's roles now, and dies at its end", async () => {
    const clock = new TestClock();
    const { token, tokenId } = await createApiToken(as(oscar, clock), { name: 'ci', days: 90 });
    expect(await findTokenHolder(as(oscar, clock), token)).toMatchObject({
      roles: ['owner'],
      via: 'token',
      sessionId: null,
    });
    await database.db.prisma.roleGrant.updateMany({
      where: { personId: oscar.personId },
      data: { endedAt: clock.now() },
    });
    expect(await findTokenHolder(as(oscar, clock), token)).toMatchObject({ roles: [] });
    await database.db.prisma.roleGrant.updateMany({
      where: { personId: oscar.personId },
      data: { endedAt: null },
    });
    clock.advanceSeconds(90 * 24 * 3600);
    expect(await findTokenHolder(as(oscar, clock), token)).toBeNull();
    const row = await database.db.prisma.apiToken.findUniqueOrThrow({ where: { id: tokenId } });
    expect(JSON.stringify(row)).not.toContain(token);
  });
  test('is ended by its holder or an admin, once, and by nobody else', async () => {
    const { token, tokenId } = await createApiToken(as(oscar), { name: 'ci', days: 1 });
    await expect(endApiToken(as(olive), { tokenId })).rejects.toMatchObject({ code: 'not_found' });
    const both = await Promise.allSettled([
      endApiToken(as(oscar), { tokenId }),
      endApiToken(as(adam), { tokenId }),
    ]);
    expect(both.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await findTokenHolder(as(oscar), token)).toBeNull();
    expect(
      await database.db.prisma.auditEvent.count({ where: { kind: 'api_token.end', subjectId: tokenId } }),
    ).toBe(1);
  });
});

describe('groups', () => {
  test('owner teams show their members what belongs to one of them', async () => {
    const { groupId } = await createGroup(as(adam), { name: 'Payments', kind: 'owner team' });
    expect(await maySeeOwnedBy(as(olive), oscar.personId)).toBe(false);
    for (const person of [olive, oscar])
      await addGroupMember(as(adam), { groupId, personId: person.personId });
    expect((await listTeamIds(as(olive))).sort()).toEqual([olive.personId, oscar.personId].sort());
    expect(await maySeeOwnedBy(as(olive), oscar.personId)).toBe(true);
    await removeGroupMember(as(adam), { groupId, personId: oscar.personId });
    expect(await maySeeOwnedBy(as(olive), oscar.personId)).toBe(false);
    await expect(removeGroupMember(as(adam), { groupId, personId: oscar.personId })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(
      await database.db.prisma.auditEvent.count({ where: { kind: 'group.change', subjectId: groupId } }),
    ).toBe(4);
  });
  test('an approver group lets nobody see more', async () => {
    const { groupId } = await createGroup(as(adam), { name: 'On call', kind: 'approver group' });
    for (const person of [olive, oscar])
      await addGroupMember(as(adam), { groupId, personId: person.personId });
    expect(await maySeeOwnedBy(as(olive), oscar.personId)).toBe(false);
  });
  test('are made by admins, one of a name', async () => {
    await expect(createGroup(as(audrey), { name: 'X', kind: 'owner team' })).rejects.toMatchObject({
      code: 'forbidden',
    });
    await createGroup(as(adam), { name: 'Twice', kind: 'owner team' });
    await expect(createGroup(as(adam), { name: 'Twice', kind: 'owner team' })).rejects.toMatchObject({
      code: 'conflict',
    });
  });
});

describe('the list of people', () => {
  test('is paged by name and seen by admins and auditors', async () => {
    await expect(listPeople(as(olive), listPeopleQuery.parse({}))).rejects.toMatchObject({
      code: 'forbidden',
    });
    const all = await listPeople(as(audrey), listPeopleQuery.parse({}));
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listPeople(as(adam), listPeopleQuery.parse({ limit: 2, cursor }));
      names.push(...page.items.map((person) => person.displayName));
      cursor = page.nextCursor ?? undefined;
    } while (cursor);
    expect(names).toEqual(all.items.map((person) => person.displayName));
  });
  test.each(['%', '_', '\\', "o'; DROP TABLE person; --"])(
    'takes %s as a plain character',
    async (search) => {
      expect((await listPeople(as(adam), listPeopleQuery.parse({ search }))).items).toEqual([]);
    },
  );
  test('a made-up cursor is refused', async () => {
    await expect(
      listPeople(as(adam), listPeopleQuery.parse({ cursor: 'bm9uc2Vuc2U' })),
    ).rejects.toMatchObject({ code: 'invalid' });
  });
  test('a profile is changed by its person and the change is on record', async () => {
    await editProfile(as(oscar), { displayName: 'Oscar Ops' });
    const event = await database.db.prisma.auditEvent.findFirstOrThrow({ where: { kind: 'person.edit' } });
    expect(event).toMatchObject({ before: { displayName: 'oscar' }, after: { displayName: 'Oscar Ops' } });
  });
});
