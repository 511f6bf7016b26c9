import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isElevated, stepUpSeconds } from '#lib/access/step-up.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { httpStatusOf, StepUpRequired } from '#lib/platform/errors.ts';
import { problemOf } from '../gate/problem.ts';
import { type AnyVerb, type VerbName, verbs } from '../gate/verbs.ts';
import { personActor, TestClock, testCtx } from './ctx.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database?.drop());

/** What a session alone is not enough for, with an input that would otherwise be looked at. */
const guarded: Partial<Record<VerbName, object>> = {
  'access.addCommandLineKey': { name: 'x', publicKey: '{}' },
  'access.addPasskey': { name: 'x', response: {} },
  'access.beginPasskey': {},
  'access.confirmRole': { grantId: 'rol_1' },
  'access.createApiToken': { name: 'x', days: 1 },
  'access.endRole': { grantId: 'rol_1', reason: '' },
  'access.grantRole': { personId: 'per_1', role: 'owner' },
  'access.invitePerson': { email: 'x@example.test', roles: ['owner'] },
  'access.issuePasswordReset': { personId: 'per_1' },
  'access.linkProvider': { idToken: 'x' },
  'access.removeKey': { keyId: 'pky_1' },
  'access.renameKey': { keyId: 'pky_1', name: 'x' },
  'access.resetKeys': { personId: 'per_1', reason: 'x' },
  'credentials.killKey': { kid: 'x', reason: 'x' },
  'credentials.revealCredential': { revealId: 'rvl_1' },
  'credentials.rotateKey': { purpose: 'token' },
};

describe.each(Object.entries(guarded))('%s', (name, input) => {
  const run = (verbs as Record<string, AnyVerb>)[name]?.run as AnyVerb['run'];
  const clock = new TestClock();
  const adminAndOwner = personActor('per_adam', ['admin', 'owner']);

  test.each([
    ['without a proof', null],
    ['with a proof that is too old', addSeconds(clock.now(), -stepUpSeconds)],
    ['with a proof from the future', addSeconds(clock.now(), 1)],
  ])('asks for one %s', async (_, elevatedAt) => {
    const ctx = testCtx(database.db, { ...adminAndOwner, elevatedAt }, { clock });
    await expect(run(ctx as never, input as never)).rejects.toMatchObject({ code: 'step_up_required' });
  });

  test('refuses an API token, which can never give one', async () => {
    const token = { ...adminAndOwner, via: 'token' as const, sessionId: null, elevatedAt: clock.now() };
    const ctx = testCtx(database.db, token, { clock });
    await expect(run(ctx as never, input as never)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

test('a proof counts for five minutes', () => {
  const clock = new TestClock();
  const person = { elevatedAt: clock.now() };
  expect(isElevated({ clock }, person)).toBe(true);
  clock.advanceSeconds(299);
  expect(isElevated({ clock }, person)).toBe(true);
  clock.advanceSeconds(1);
  expect(isElevated({ clock }, person)).toBe(false);
});

test('the refusal is a problem of its own type, with 403', () => {
  const error = new StepUpRequired();
  expect(httpStatusOf(error)).toBe(403);
  expect(problemOf(error, 'trc_1')).toMatchObject({
    type: 'urn:countersign:problem:step_up_required',
    status: 403,
  });
});
