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
const guarded = {
  'access.addCommandLineKey': { name: 'x', publicKey: '{}' },
  'access.addPasskey': { name: 'x', response: {} },
  'access.beginPasskey': {},
  'access.confirmRole': { grantId: 'rol_1' },
  'access.confirmPasswordReset': { invitationId: 'inv_1' },
  'access.createApiToken': { name: 'x', days: 1 },
  'access.deactivatePerson': { personId: 'per_1', reason: 'x' },
  'access.endRole': { grantId: 'rol_1', reason: '' },
  'access.grantRole': { personId: 'per_1', role: 'owner' },
  'access.invitePerson': { email: 'x@example.test', roles: ['owner'] },
  'access.issuePasswordReset': { personId: 'per_1' },
  'access.linkProvider': { idToken: 'x' },
  'access.removeKey': { keyId: 'pky_1' },
  'access.renameKey': { keyId: 'pky_1', name: 'x' },
  'access.resetKeys': { personId: 'per_1', reason: 'x' },
  'access.unlinkPerson': { personId: 'per_1' },
  'credentials.killKey': { kid: 'x', reason: 'x' },
  'credentials.revealCredential': { revealId: 'rvl_1' },
  'credentials.rotateKey': { purpose: 'token' },
  'revocation.resumeIssuance': { reason: 'x' },
} satisfies Partial<Record<VerbName, object>>;

const isWayIn = 'a way in or the proof itself';
const isOwn = 'one’s own account, and gives nobody a right';
const tightens = 'takes rights away, which must be quick';
const asks = 'asks for something, which others then decide';
const signs = 'rests on a signature of its own where more than reading is granted';
const catalogues = 'describes; what a tool may do is decided by classification and approval';
const runs = 'runs the installation, and gives nobody a right to call a tool';
const claims = 'a browser or device of one’s own, for what was approved or is yet to be';

/** What needs no proof, and why. A verb in neither list does not compile: whoever adds one has thought about it. */
const exempt: Record<Exclude<VerbName, keyof typeof guarded>, string> = {
  'access.admitProviderSignIn': isWayIn,
  'access.addGroupMember': 'groups say who owns together, and give no role',
  'access.beginConfirmation': isWayIn,
  'access.changePassword': 'takes the current password',
  'access.confirm': isWayIn,
  'access.confirmWithProvider': isWayIn,
  'access.createGroup': 'groups say who owns together, and give no role',
  'access.editProfile': isOwn,
  'access.endApiToken': tightens,
  'access.endInvitation': tightens,
  'access.endOtherSessions': tightens,
  'access.endSession': tightens,
  'access.openSession': isWayIn,
  'access.reactivatePerson': 'gives no role back: each is granted anew, with a proof',
  'access.readInvitation': isWayIn,
  'access.redeemInvitation': isWayIn,
  'access.removeGroupMember': 'groups say who owns together, and give no role',
  'access.signIn': isWayIn,
  'access.signInWithProvider': isWayIn,
  'access.signOut': tightens,
  'access.testProvider': isOwn,
  'access.unlinkProvider': 'leaves the password as the way in, which must be there',
  'audit.beginExport': runs,
  'catalogue.addServer': catalogues,
  'catalogue.changeToolSet': catalogues,
  'catalogue.classifyTools': 'asks where a tool is called less dangerous: lib/catalogue/sync-server.test.ts',
  'catalogue.createToolSet': catalogues,
  'catalogue.editServer': 'asks where a stored credential would move: lib/catalogue/sync-server.test.ts',
  'catalogue.probeServer': catalogues,
  'catalogue.renameTool': catalogues,
  'catalogue.syncServer': catalogues,
  'credentials.checkKeys': runs,
  'credentials.createResourceToken': runs,
  'credentials.endResourceToken': tightens,
  'credentials.rotateResourceToken': runs,
  'jobs.createWebhook': runs,
  'jobs.editWebhook': runs,
  'jobs.endWebhook': tightens,
  'jobs.markNotificationsRead': isOwn,
  'jobs.pauseWebhook': tightens,
  'jobs.replayDeliveries': runs,
  'jobs.replayDelivery': runs,
  'jobs.resumeWebhook': runs,
  'jobs.rotateWebhookSecret': runs,
  'jobs.testMail': runs,
  'jobs.testWebhook': runs,
  'requests.approve': signs,
  'requests.beginApproval': signs,
  'requests.comment': asks,
  'requests.create': asks,
  'requests.discardDraft': isOwn,
  'requests.readPaste': asks,
  'requests.saveDraft': isOwn,
  'requests.edit': asks,
  'requests.linkInstance': asks,
  'requests.preview': asks,
  'requests.reject': tightens,
  'requests.requestChanges': asks,
  'requests.submit': asks,
  'requests.submitClaim': asks,
  'requests.withdraw': tightens,
  'revocation.endLeakedSecret': tightens,
  'revocation.inviteGuard': runs,
  'revocation.retireServer': tightens,
  'revocation.revokeAgent': tightens,
  'revocation.revokeGuard': tightens,
  'revocation.suspendAgent': tightens,
  'registration.continueApproved': claims,
  'registration.continueTransaction': claims,
  'registration.denyDevice': tightens,
  'registration.discardPending': tightens,
  'registration.endQuarantine': 'lets a client ask again; what it may do is approved',
  'registration.forgetClient': claims,
  'registration.joinWaiting': claims,
  'registration.matchDevice': claims,
  'registration.openDevice': claims,
  'registration.openHandle': claims,
};

test('every verb is guarded, or somebody has said why not', () => {
  expect([...Object.keys(guarded), ...Object.keys(exempt)].sort()).toEqual(Object.keys(verbs).sort());
});

describe.each(Object.entries(guarded))('%s', (name, input) => {
  const run = (verbs as Record<string, AnyVerb>)[name]?.run as AnyVerb['run'];
  const clock = new TestClock();
  const adminAndOwner = personActor('per_adam', ['admin', 'owner', 'approver']);

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
