import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anonymous } from '#lib/platform/actor.ts';
import { testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { decisionConflict, rolesEffectiveSince } from './decision-facts.ts';
import { findSession } from './read-actor.ts';
import { confirmRole, endRole, grantRole } from './roles.ts';
import { createHandoff, openSession } from './sessions.ts';

type Someone = Awaited<ReturnType<typeof addPerson>>;
const databases: TestDatabase[] = [];
async function installation(admins: string[]) {
  const database = await createTestDatabase();
  databases.push(database);
  const people: Record<string, Someone> = {};
  for (const name of admins) people[name] = await addPerson(database.db, name, ['admin']);
  people.olive = await addPerson(database.db, 'olive', ['owner']);
  return { database, people, as: (name: string) => testCtx(database.db, people[name] as Someone) };
}
afterAll(async () => {
  for (const database of databases) await database.drop();
});

async function grantOf(database: TestDatabase, person: Someone | undefined, role: string) {
  return database.db.prisma.roleGrant.findFirstOrThrow({
    where: { personId: person?.personId, role, endedAt: null },
  });
}

describe('with one admin', () => {
  test('a weighty role takes effect at once', async () => {
    const { people, as } = await installation(['adam']);
    expect(
      await grantRole(as('adam'), { personId: people.olive?.personId as string, role: 'approver' }),
    ).toMatchObject({
      state: 'in effect',
    });
  });
  test('the last admin stays', async () => {
    const { database, people, as } = await installation(['adam']);
    const grant = await grantOf(database, people.adam, 'admin');
    await expect(endRole(as('adam'), { grantId: grant.id, reason: '' })).rejects.toMatchObject({
      code: 'conflict',
    });
  });
});

describe('with two admins', () => {
  test('approver and admin wait for the other, and count only then', async () => {
    const { database, people, as } = await installation(['adam', 'ada']);
    const personId = people.olive?.personId as string;
    const { grantId, state } = await grantRole(as('adam'), { personId, role: 'approver' });
    expect(state).toBe('waits for a second admin');
    const ctx = testCtx(database.db, anonymous);
    const handoff = await createHandoff(database.db.prisma, ctx, personId, 'password');
    const session = await openSession(ctx, { handoff, previousToken: null });
    expect((await findSession(ctx, session.token))?.actor.roles).toEqual(['owner']);
    await expect(confirmRole(as('adam'), { grantId })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(confirmRole(as('olive'), { grantId })).rejects.toMatchObject({ code: 'forbidden' });
    await confirmRole(as('ada'), { grantId });
    expect(await findSession(ctx, session.token)).toBeNull();
    const after = await openSession(ctx, {
      handoff: await createHandoff(database.db.prisma, ctx, personId, 'password'),
      previousToken: null,
    });
    expect((await findSession(ctx, after.token))?.actor.roles).toEqual(['approver', 'owner']);
    await expect(confirmRole(as('ada'), { grantId })).rejects.toMatchObject({ code: 'conflict' });
    const events = await database.db.prisma.auditEvent.findMany({
      where: { subjectId: grantId },
      orderBy: { id: 'asc' },
    });
    expect(events.map((event) => [event.kind, event.actorName])).toEqual([
      ['role.grant', 'adam'],
      ['role.confirm', 'ada'],
    ]);
  });
  test('auditor and owner need one', async () => {
    const { people, as } = await installation(['adam', 'ada']);
    expect(
      await grantRole(as('adam'), { personId: people.olive?.personId as string, role: 'auditor' }),
    ).toMatchObject({
      state: 'in effect',
    });
  });
  test('nobody confirms their own role', async () => {
    const { database, people, as } = await installation(['adam', 'ada']);
    const { grantId } = await grantRole(as('ada'), {
      personId: people.adam?.personId as string,
      role: 'approver',
    });
    await expect(confirmRole(as('adam'), { grantId })).rejects.toMatchObject({ code: 'forbidden' });
    expect(await database.db.prisma.roleGrant.findUnique({ where: { id: grantId } })).toMatchObject({
      effectiveAt: null,
    });
  });
  test('two who take the role from each other at once leave one admin', async () => {
    const { database, people, as } = await installation(['adam', 'ada']);
    const [adams, adas] = [
      await grantOf(database, people.adam, 'admin'),
      await grantOf(database, people.ada, 'admin'),
    ];
    const both = await Promise.allSettled([
      endRole(as('adam'), { grantId: adas.id, reason: '' }),
      endRole(as('ada'), { grantId: adams.id, reason: '' }),
    ]);
    expect(both.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    expect(await database.db.prisma.roleGrant.count({ where: { role: 'admin', endedAt: null } })).toBe(1);
  });
  test('two who grant the same role at once make one grant', async () => {
    const { database, people, as } = await installation(['adam', 'ada']);
    const input = { personId: people.olive?.personId as string, role: 'auditor' as const };
    const both = await Promise.allSettled([grantRole(as('adam'), input), grantRole(as('ada'), input)]);
    expect(both.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((outcome) => outcome.status === 'rejected')?.reason).toMatchObject({ code: 'conflict' });
    expect(await database.db.prisma.roleGrant.count({ where: { role: 'auditor' } })).toBe(1);
  });
});

describe('granting', () => {
  let site: Awaited<ReturnType<typeof installation>>;
  beforeAll(async () => {
    site = await installation(['adam']);
  });
  test.each(['olive', 'ava', 'audrey'])('is not for %s', async (name) => {
    const roles = { olive: ['owner'], ava: ['approver'], audrey: ['auditor'] } as const;
    site.people[name] ??= await addPerson(site.database.db, name, roles[name as 'ava']);
    const input = { personId: site.people.olive?.personId as string, role: 'admin' as const };
    await expect(grantRole(site.as(name), input)).rejects.toMatchObject({ code: 'forbidden' });
  });
  test('takes a role away with its reason on record', async () => {
    const grant = await grantOf(site.database, site.people.olive, 'owner');
    await endRole(site.as('adam'), { grantId: grant.id, reason: 'moved teams' });
    await expect(endRole(site.as('adam'), { grantId: grant.id, reason: '' })).rejects.toMatchObject({
      code: 'conflict',
    });
    const event = await site.database.db.prisma.auditEvent.findFirstOrThrow({
      where: { kind: 'role.end', subjectId: grant.id },
    });
    expect(event).toMatchObject({ actorName: 'adam', reason: 'moved teams' });
  });
});

describe('the right to decide', () => {
  test('knows since when it stands and by whose word', async () => {
    const { database, people, as } = await installation(['adam', 'ada']);
    const personId = people.olive?.personId as string;
    const { grantId } = await grantRole(as('adam'), { personId, role: 'approver' });
    expect(await rolesEffectiveSince(database.db.prisma, as('adam'), personId, ['approver'])).toMatchObject({
      since: null,
    });
    await confirmRole(as('ada'), { grantId });
    const right = await rolesEffectiveSince(database.db.prisma, as('adam'), personId, ['approver']);
    expect(right.since).toEqual(as('adam').clock.now());
    expect([...right.grantedBySubjects].sort()).toEqual([people.ada?.subject, people.adam?.subject]);
  });
  const since = new Date('2026-03-01T00:00:00Z');
  test.each([
    ['by somebody else, after the grant', '2026-03-02', ['local:olive'], null],
    ['submitted before the grant', '2026-02-28', ['local:olive'], 'submitted before the grant'],
    ['by whoever granted the role', '2026-03-02', ['local:olive', 'local:adam'], 'granted by the requester'],
  ])('on a request %s', (_name, at, requesterSubjects, expected) => {
    const right = { since, grantedBySubjects: ['local:adam'] };
    expect(decisionConflict(right, { submittedAt: new Date(at), requesterSubjects })).toBe(expected);
  });
  test('is none without a role in effect', () => {
    const none = { since: null, grantedBySubjects: [] };
    expect(decisionConflict(none, { submittedAt: since, requesterSubjects: [] })).toBe(
      'has no right to decide',
    );
  });
});
