import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anonymous } from '#lib/platform/actor.ts';
import { TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { findSession, sessionIdleSeconds, sessionMaxSeconds } from './read-actor.ts';
import { createHandoff, endOtherSessions, endSession, openSession, signOut } from './sessions.ts';

let database: TestDatabase;
let people: Record<'olive' | 'adam' | 'audrey', Awaited<ReturnType<typeof addPerson>>>;
beforeAll(async () => {
  database = await createTestDatabase();
  people = {
    olive: await addPerson(database.db, 'olive', ['owner']),
    adam: await addPerson(database.db, 'adam', ['admin']),
    audrey: await addPerson(database.db, 'audrey', ['auditor']),
  };
});
afterAll(() => database?.drop());

async function signedIn(personId: string, options: { clock?: TestClock; previousToken?: string } = {}) {
  const ctx = testCtx(database.db, anonymous, { clock: options.clock ?? new TestClock() });
  const handoff = await createHandoff(database.db.prisma, ctx, personId, 'password');
  const opened = await openSession(ctx, { handoff, previousToken: options.previousToken ?? null });
  const session = await findSession(ctx, opened.token);
  if (!session) throw new Error('no session');
  return {
    token: opened.token,
    actor: session.actor,
    ctx: testCtx(database.db, session.actor, { clock: ctx.clock }),
  };
}

describe('a hand-over', () => {
  test('opens one session, whoever comes first', async () => {
    const ctx = testCtx(database.db, anonymous);
    const handoff = await createHandoff(database.db.prisma, ctx, people.olive.personId, 'password');
    const tries = await Promise.allSettled(
      Array.from({ length: 5 }, () => openSession(ctx, { handoff, previousToken: null })),
    );
    expect(tries.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
  });
  test('is worthless after sixty seconds', async () => {
    const clock = new TestClock();
    const ctx = testCtx(database.db, anonymous, { clock });
    const handoff = await createHandoff(database.db.prisma, ctx, people.olive.personId, 'password');
    clock.advanceSeconds(60);
    await expect(openSession(ctx, { handoff, previousToken: null })).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });
});

describe('a session', () => {
  test('planted before the sign-in ends with it', async () => {
    const planted = await signedIn(people.audrey.personId);
    const fresh = await signedIn(people.olive.personId, { previousToken: planted.token });
    expect(fresh.token).not.toBe(planted.token);
    expect(await findSession(fresh.ctx, planted.token)).toBeNull();
  });
  test('ends when nobody used it, and at the latest after its longest life', async () => {
    const clock = new TestClock();
    const idle = await signedIn(people.olive.personId, { clock });
    clock.advanceSeconds(sessionIdleSeconds - 1);
    expect(await findSession(idle.ctx, idle.token)).not.toBeNull();
    clock.advanceSeconds(sessionIdleSeconds + 1);
    expect(await findSession(idle.ctx, idle.token)).toBeNull();

    const busy = await signedIn(people.olive.personId, { clock });
    for (let spent = 0; spent < sessionMaxSeconds; spent += 3600) {
      clock.advanceSeconds(3600);
      if (spent + 3600 < sessionMaxSeconds) expect(await findSession(busy.ctx, busy.token)).not.toBeNull();
    }
    expect(await findSession(busy.ctx, busy.token)).toBeNull();
  });
  test('signed out is dead for every copy of its cookie, and history says so', async () => {
    const session = await signedIn(people.olive.personId);
    await signOut(session.ctx);
    expect(await findSession(session.ctx, session.token)).toBeNull();
    const event = await database.db.prisma.auditEvent.findFirstOrThrow({
      where: { kind: 'session.end', subjectId: session.actor.sessionId },
    });
    expect(event).toMatchObject({ actorId: people.olive.personId, reason: 'signed out' });
  });
  test('is stored as a digest', async () => {
    const session = await signedIn(people.olive.personId);
    const row = await database.db.prisma.personSession.findUniqueOrThrow({
      where: { id: session.actor.sessionId },
    });
    expect(JSON.stringify(row)).not.toContain(session.token);
  });
});

describe('ending a session', () => {
  test("is for its person and admins; another's does not exist for anybody else", async () => {
    const target = await signedIn(people.olive.personId);
    const auditor = testCtx(database.db, people.audrey);
    await expect(endSession(auditor, { sessionId: target.actor.sessionId })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(
      endSession(testCtx(database.db, anonymous), { sessionId: target.actor.sessionId }),
    ).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    await endSession(testCtx(database.db, people.adam), { sessionId: target.actor.sessionId });
    expect(await findSession(target.ctx, target.token)).toBeNull();
  });
  test('twice is a conflict, also at once', async () => {
    const target = await signedIn(people.olive.personId);
    const adam = testCtx(database.db, people.adam);
    const both = await Promise.allSettled([
      endSession(adam, { sessionId: target.actor.sessionId }),
      endSession(target.ctx, { sessionId: target.actor.sessionId }),
    ]);
    expect(both.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((outcome) => outcome.status === 'rejected')?.reason).toMatchObject({ code: 'conflict' });
    const events = await database.db.prisma.auditEvent.count({
      where: { kind: 'session.end', subjectId: target.actor.sessionId },
    });
    expect(events).toBe(1);
  });
  test('all others leaves this one', async () => {
    const here = await signedIn(people.audrey.personId);
    const there = await signedIn(people.audrey.personId);
    expect((await endOtherSessions(here.ctx)).ended).toBeGreaterThan(0);
    expect(await findSession(here.ctx, here.token)).not.toBeNull();
    expect(await findSession(here.ctx, there.token)).toBeNull();
  });
});
