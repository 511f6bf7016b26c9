import { afterAll, beforeAll, expect, test } from 'vitest';
import { flushAnonymousRefusals } from '#lib/audit/refusals.ts';
import { anonymous, systemActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { findSession } from './read-actor.ts';
import { openSession } from './sessions.ts';
import { type SignInOutcome, signIn } from './sign-in.ts';

const password = 'four unrelated words';
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await addPerson(database.db, 'olive', ['owner'], { password });
  await addPerson(database.db, 'oscar', ['owner'], { password });
  await addPerson(database.db, 'gone', ['owner'], { password });
  await database.db.prisma.person.update({
    where: { email: 'gone@example.test' },
    data: { state: 'deactivated' },
  });
});
afterAll(() => database?.drop());

let network = 0;
/** A stranger at a browser in a network of their own, unless an address is given. */
function visitor(address = `198.51.${++network}.7`, clock = new TestClock()): Ctx {
  return testCtx(database.db, anonymous, { address, clock });
}

function handoffOf(outcome: SignInOutcome): string {
  if (!('handoff' in outcome)) throw new Error(`refused: ${outcome.refused}`);
  return outcome.handoff;
}

test('the right password opens a session whose person acts with their roles', async () => {
  const ctx = visitor();
  const handoff = handoffOf(await signIn(ctx, { email: ' Olive@Example.test ', password }));
  const opened = await openSession(ctx, { handoff, previousToken: null });
  const session = await findSession(ctx, opened.token);
  expect(session?.actor).toMatchObject({ displayName: 'olive', roles: ['owner'], via: 'session' });
  const event = await database.db.prisma.auditEvent.findFirstOrThrow({ where: { kind: 'session.open' } });
  expect(event).toMatchObject({
    actorName: 'olive',
    subjectId: session?.actor.sessionId,
    address: ctx.address,
  });
});

test.each([
  ['a wrong password', 'olive@example.test', 'wrong password'],
  ['an unknown address', 'nobody@example.test', password],
  ['a deactivated account', 'gone@example.test', password],
  ['an empty password', 'olive@example.test', ''],
])('%s gets the same refusal', async (_name, email, given) => {
  expect(await signIn(visitor(), { email, password: given })).toEqual({ refused: 'credentials' });
});

test('guessing is slowed per account and network, alike for accounts that do not exist', async () => {
  for (const email of ['oscar@example.test', 'nobody@example.test']) {
    const ctx = visitor();
    for (let attempt = 0; attempt < 5; attempt++) {
      expect(await signIn(ctx, { email, password: 'guess' })).toEqual({ refused: 'credentials' });
    }
    expect(await signIn(ctx, { email, password: 'guess' })).toEqual({
      refused: 'too many tries',
      retryAfterSeconds: 30,
    });
  }
});

test('a wait ends by itself and another network does not wait', async () => {
  const clock = new TestClock();
  const ctx = visitor('198.51.200.7', clock);
  for (let attempt = 0; attempt < 6; attempt++)
    await signIn(ctx, { email: 'oscar@example.test', password: 'guess' });
  expect(await signIn(ctx, { email: 'oscar@example.test', password })).toHaveProperty('retryAfterSeconds');
  expect(
    await signIn(visitor('198.51.201.7', clock), { email: 'oscar@example.test', password }),
  ).toHaveProperty('handoff');
  clock.advanceSeconds(30);
  expect(await signIn(ctx, { email: 'oscar@example.test', password })).toHaveProperty('handoff');
});

test('strangers from everywhere cannot lock the owner out of their own network', async () => {
  const clock = new TestClock('2026-03-03T09:00:00.000Z');
  const home = visitor('192.0.2.10', clock);
  const handoff = handoffOf(await signIn(home, { email: 'oscar@example.test', password }));
  await openSession(home, { handoff, previousToken: null });
  let refused = 0;
  for (let stranger = 0; stranger < 60; stranger++) {
    const outcome = await signIn(visitor(`203.0.${stranger}.1`, clock), {
      email: 'oscar@example.test',
      password: 'guess',
    });
    if ('refused' in outcome && outcome.refused === 'too many tries') refused++;
  }
  expect(refused).toBeGreaterThan(10);
  expect(await signIn(home, { email: 'oscar@example.test', password })).toHaveProperty('handoff');
}, 60_000);

test('refusals are one event per account, network and minute, with their count', async () => {
  await flushAnonymousRefusals(testCtx(database.db, systemActor('gate')));
  const ctx = visitor('198.51.222.7');
  for (let attempt = 0; attempt < 3; attempt++)
    await signIn(ctx, { email: 'olive@example.test', password: 'guess' });
  await flushAnonymousRefusals(testCtx(database.db, systemActor('gate')));
  const olive = await database.db.prisma.person.findUniqueOrThrow({ where: { email: 'olive@example.test' } });
  const events = await database.db.prisma.auditEvent.findMany({
    where: { kind: 'session.refuse', subjectId: olive.id },
  });
  const here = events.filter((event) => (event.data as { source: string }).source === '198.51.222.0/24');
  expect(here.map((event) => event.data)).toMatchObject([{ count: 3 }]);
  expect(JSON.stringify(events.map((event) => event.data))).not.toContain('guess');
});
