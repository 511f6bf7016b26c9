import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Authenticator } from '../../tests/authenticator.ts';
import { TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, editByHand, type TestDatabase } from '../../tests/database.ts';
import { confirmWith, ctxOfToken, enrolPasskey, signInAs } from '../../tests/passkeys.ts';
import { addPerson } from '../../tests/people.ts';
import { beginConfirmation, confirm } from './confirm.ts';
import { recoverAdmin, redeemInvitation } from './invitations.ts';
import { addPasskey, beginPasskey, mostKeys, removeKey, renameKey } from './person-keys.ts';
import { findSession } from './read-actor.ts';
import { getOwnAccount } from './read-people.ts';
import { resetKeys } from './reset-keys.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database?.drop());

let names = 0;
async function somebody(clock = new TestClock()) {
  const name = `ava${++names}`;
  const person = await addPerson(database.db, name, ['approver'], { password: 'a long enough password' });
  const session = await signInAs(testCtx(database.db, undefined, { clock }), person);
  return { person, clock, ...session };
}

async function admin(clock: TestClock) {
  const adam = await addPerson(database.db, `adam${++names}`, ['admin']);
  return testCtx(database.db, adam, { clock });
}

const eventsOf = (subjectId: string) =>
  database.db.prisma.auditEvent.findMany({ where: { subjectId }, orderBy: { id: 'asc' } });

async function keyOf(ctx: Ctx) {
  const [key] = (await getOwnAccount(ctx)).keys;
  if (!key) throw new Error('no key');
  return key;
}

describe('enrolling a passkey', () => {
  test('takes a fresh sign-in, is told, and is in the history with a digest of the key', async () => {
    const { ctx, person } = await somebody();
    await enrolPasskey(ctx, 'Laptop');
    const key = await keyOf(ctx);
    expect(key).toMatchObject({ name: 'Laptop', kind: 'passkey', backedUp: false, state: 'live' });
    const [event] = await eventsOf(key.keyId);
    expect(event).toMatchObject({
      kind: 'person_key.add',
      actorId: person.personId,
      data: { personId: person.personId, keyDigest: expect.stringMatching(/^sha256:/) },
    });
    const told = await database.db.prisma.notification.findMany({ where: { personId: person.personId } });
    expect(told.map(({ kind }) => kind)).toEqual(['person_key.add']);
  });

  test('is refused without a fresh proof, and with the password once there is a passkey', async () => {
    const { ctx, clock, person } = await somebody();
    clock.advanceSeconds(301);
    await expect(beginPasskey(ctx)).rejects.toMatchObject({ code: 'step_up_required' });
    expect(await beginConfirmation(ctx)).toEqual({ way: 'password' });
    const again = await signInAs(ctx, person);
    const other = await signInAs(ctx, person);
    await enrolPasskey(again.ctx);
    // A fresh password sign-in elsewhere proves nothing any more, neither an open one nor a new one.
    const reread = await findSession(ctx, other.token);
    expect(reread?.actor.elevatedAt).toBeNull();
    const later = await signInAs(ctx, person);
    await expect(beginPasskey(later.ctx)).rejects.toMatchObject({ code: 'step_up_required' });
    await expect(confirm(later.ctx, { password: 'a long enough password' })).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  test('goes by the password again once the console has another host name, and the old one is shown as such', async () => {
    const { ctx, clock, person } = await somebody();
    const old = await enrolPasskey(ctx, 'Old address');
    const site = { ...ctx.site, consoleOrigin: 'https://approve.example' };
    const moved = (await signInAs({ ...ctx, site }, person)).ctx;
    expect((await getOwnAccount(moved)).keys).toMatchObject([{ name: 'Old address', isElsewhere: true }]);
    // A sign-in is a proof again, and so is the password later; the old passkey is none.
    await beginPasskey(moved);
    clock.advanceSeconds(301);
    await expect(beginPasskey(moved)).rejects.toMatchObject({ code: 'step_up_required' });
    expect(await beginConfirmation(moved)).toEqual({ way: 'password' });
    const { token } = await confirm(moved, { password: 'a long enough password' });
    const confirmed = await ctxOfToken(moved, token);
    await enrolPasskey(confirmed, 'New address');
    expect((await getOwnAccount(confirmed)).keys.map(({ name, isElsewhere }) => [name, isElsewhere])).toEqual(
      expect.arrayContaining([
        ['New address', false],
        ['Old address', true],
      ]),
    );
    // From here on only the new one counts there, as only the old one does where it was made.
    const later = (await signInAs({ ...ctx, site }, person)).ctx;
    expect(await beginConfirmation(later)).toMatchObject({
      way: 'passkey',
      options: { rpId: 'approve.example' },
    });
    await expect(confirm(later, { password: 'a long enough password' })).rejects.toMatchObject({
      code: 'forbidden',
    });
    const back = (await signInAs(ctx, person)).ctx;
    await expect(confirm(back, { password: 'a long enough password' })).rejects.toMatchObject({
      code: 'forbidden',
    });
    await confirmWith(back, old);
  });

  test('is refused to an API token', async () => {
    const { person, clock } = await somebody();
    const token = { ...person, via: 'token' as const, sessionId: null };
    await expect(beginPasskey(testCtx(database.db, token, { clock }))).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  test.each([
    ['made on another page', { origin: 'http://evil.localhost:3000' }],
    ['made for another relying party', { rpId: 'evil.localhost' }],
    ['made without knowing the person', { verified: false }],
  ])('refuses one %s', async (_, answer) => {
    const { ctx } = await somebody();
    const authenticator = new Authenticator(ctx.site.consoleOrigin);
    const response = authenticator.create(await beginPasskey(ctx), answer);
    await expect(addPasskey(ctx, { name: 'x', response })).rejects.toMatchObject({ code: 'invalid' });
    expect((await getOwnAccount(ctx)).keys).toEqual([]);
  });

  test('refuses a challenge that was used, is too old, is another session’s or was never asked', async () => {
    const { ctx, clock, person } = await somebody();
    const authenticator = new Authenticator(ctx.site.consoleOrigin);
    const response = authenticator.create(await beginPasskey(ctx));
    const elsewhere = await signInAs(ctx, person);
    await expect(addPasskey(elsewhere.ctx, { name: 'x', response })).rejects.toMatchObject({
      code: 'conflict',
    });
    await addPasskey(ctx, { name: 'x', response });
    await expect(addPasskey(ctx, { name: 'x', response })).rejects.toMatchObject({ code: 'conflict' });
    const unasked = new Authenticator(ctx.site.consoleOrigin).create({ challenge: 'YWJj' } as never);
    await expect(addPasskey(ctx, { name: 'x', response: unasked })).rejects.toMatchObject({
      code: 'conflict',
    });
    const late = new Authenticator(ctx.site.consoleOrigin).create(await beginPasskey(ctx));
    clock.advanceSeconds(299);
    const fresh = await confirmWith(ctx, authenticator).catch(() => ctx);
    clock.advanceSeconds(1);
    await expect(addPasskey(fresh, { name: 'x', response: late })).rejects.toMatchObject({
      code: expect.stringMatching(/conflict|step_up_required/),
    });
  });

  test('refuses a credential another person has, or had', async () => {
    const first = await somebody();
    const authenticator = await enrolPasskey(first.ctx);
    const second = await somebody();
    const response = authenticator.create(await beginPasskey(second.ctx));
    await expect(addPasskey(second.ctx, { name: 'x', response })).rejects.toMatchObject({ code: 'conflict' });
    await removeKey(first.ctx, { keyId: (await keyOf(first.ctx)).keyId });
    const again = authenticator.create(await beginPasskey(second.ctx));
    await expect(addPasskey(second.ctx, { name: 'x', response: again })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test(`ends at ${mostKeys} keys`, async () => {
    const { ctx } = await somebody();
    for (let made = 0; made < mostKeys; made++) await enrolPasskey(ctx, `Key ${made}`);
    await expect(enrolPasskey(ctx, 'One more')).rejects.toMatchObject({ code: 'limit_exceeded' });
  });
});

describe('confirming with a passkey', () => {
  test('elevates this session, exchanges its token and is in the history', async () => {
    const { ctx, clock, token, person } = await somebody();
    const authenticator = await enrolPasskey(ctx);
    clock.advanceSeconds(301);
    const confirmed = await confirmWith(ctx, authenticator);
    expect(await findSession(ctx, token)).toBeNull();
    expect(await beginConfirmation(confirmed)).toEqual({ way: 'confirmed' });
    const { sessionId } = ctx.actor as { sessionId: string };
    const events = await eventsOf(sessionId);
    expect(events.at(-1)).toMatchObject({
      kind: 'session.confirm',
      actorId: person.personId,
      data: { by: 'passkey' },
    });
  });

  test.each([
    ['signed on another page', { origin: 'http://evil.localhost:3000' }],
    ['signed for another relying party', { rpId: 'evil.localhost' }],
    ['signed without knowing the person', { verified: false }],
  ])('refuses what was %s', async (_, answer) => {
    const { ctx, clock } = await somebody();
    const authenticator = await enrolPasskey(ctx);
    clock.advanceSeconds(301);
    const way = await beginConfirmation(ctx);
    if (way.way !== 'passkey') throw new Error(way.way);
    const assertion = authenticator.get(way.options, answer);
    await expect(confirm(ctx, { assertion })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(beginPasskey(ctx)).rejects.toMatchObject({ code: 'step_up_required' });
    // The challenge is spent, even by what was refused.
    await expect(confirm(ctx, { assertion: authenticator.get(way.options) })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('refuses a replay, another session’s challenge and somebody else’s passkey', async () => {
    const { ctx, clock, person } = await somebody();
    const authenticator = await enrolPasskey(ctx);
    clock.advanceSeconds(301);
    const way = await beginConfirmation(ctx);
    if (way.way !== 'passkey') throw new Error(way.way);
    const assertion = authenticator.get(way.options);
    const elsewhere = await signInAs(ctx, person);
    await expect(confirm(elsewhere.ctx, { assertion })).rejects.toMatchObject({ code: 'conflict' });
    await confirm(ctx, { assertion });
    await expect(confirm(ctx, { assertion })).rejects.toMatchObject({ code: 'conflict' });
    const stranger = await somebody();
    const theirs = await enrolPasskey(stranger.ctx);
    const more = await beginConfirmation(elsewhere.ctx);
    if (more.way !== 'passkey') throw new Error(more.way);
    await expect(confirm(elsewhere.ctx, { assertion: theirs.get(more.options) })).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  test('refuses a passkey that counts backwards, and keeps that', async () => {
    const { ctx, clock } = await somebody();
    const authenticator = await enrolPasskey(ctx);
    clock.advanceSeconds(301);
    const confirmed = await confirmWith(ctx, authenticator);
    clock.advanceSeconds(301);
    const way = await beginConfirmation(confirmed);
    if (way.way !== 'passkey') throw new Error(way.way);
    const assertion = authenticator.get(way.options, { signCount: 1 });
    await expect(confirm(confirmed, { assertion })).rejects.toMatchObject({ code: 'forbidden' });
    const { keyId } = await keyOf(confirmed);
    expect((await eventsOf(keyId)).map(({ kind }) => kind)).toEqual(['person_key.add', 'person_key.refuse']);
  });

  test('lets a passkey that never counts confirm again and again', async () => {
    const { ctx, clock } = await somebody();
    const authenticator = new Authenticator(ctx.site.consoleOrigin, { counts: false, backedUp: true });
    await addPasskey(ctx, { name: 'Shared', response: authenticator.create(await beginPasskey(ctx)) });
    expect(await keyOf(ctx)).toMatchObject({ backedUp: true });
    clock.advanceSeconds(301);
    const once = await confirmWith(ctx, authenticator);
    clock.advanceSeconds(301);
    await confirmWith(once, authenticator);
  });

  test('refuses a key whose row was written or altered in the database', async () => {
    const { ctx, clock } = await somebody();
    const authenticator = await enrolPasskey(ctx);
    const { keyId } = await keyOf(ctx);
    // The thief's key under the id of the one that was enrolled.
    await editByHand(database, `UPDATE person_key SET public_key = public_key || 'AA' WHERE id = $1`, [
      keyId,
    ]);
    clock.advanceSeconds(301);
    await expect(confirmWith(ctx, authenticator)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('slows down whoever guesses the password, and says which field is wrong', async () => {
    const { ctx, clock } = await somebody();
    clock.advanceSeconds(301);
    for (let tries = 0; tries < 5; tries++) {
      await expect(confirm(ctx, { password: 'not it' })).rejects.toMatchObject({
        code: 'invalid',
        detail: { issues: [{ path: 'password' }] },
      });
    }
    await expect(confirm(ctx, { password: 'a long enough password' })).rejects.toMatchObject({
      code: 'limit_exceeded',
    });
  });
});

describe('renaming, removing and resetting', () => {
  test('renames and removes one’s own after a proof, the last one too', async () => {
    const { ctx, clock, person } = await somebody();
    const authenticator = await enrolPasskey(ctx);
    const { keyId } = await keyOf(ctx);
    clock.advanceSeconds(301);
    for (const act of [() => renameKey(ctx, { keyId, name: 'New' }), () => removeKey(ctx, { keyId })]) {
      await expect(act()).rejects.toMatchObject({ code: 'step_up_required' });
    }
    const confirmed = await confirmWith(ctx, authenticator);
    await renameKey(confirmed, { keyId, name: 'New' });
    await removeKey(confirmed, { keyId });
    await expect(removeKey(confirmed, { keyId })).rejects.toMatchObject({ code: 'conflict' });
    await expect(renameKey(confirmed, { keyId, name: 'Newer' })).rejects.toMatchObject({ code: 'conflict' });
    expect(await keyOf(confirmed)).toMatchObject({ name: 'New', state: 'ended', endCause: 'removed' });
    expect((await eventsOf(keyId)).map(({ kind, actorId }) => [kind, actorId])).toEqual(
      ['person_key.add', 'person_key.rename', 'person_key.end'].map((kind) => [kind, person.personId]),
    );
  });

  test('knows nothing of other people’s keys', async () => {
    const { ctx } = await somebody();
    const other = await somebody();
    await enrolPasskey(other.ctx);
    const { keyId } = await keyOf(other.ctx);
    await expect(removeKey(ctx, { keyId })).rejects.toMatchObject({ code: 'not_found' });
    await expect(renameKey(ctx, { keyId, name: 'Mine' })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('an admin resets another’s keys: all end with the sessions, and the person is told', async () => {
    const { ctx, token, clock, person } = await somebody();
    await enrolPasskey(ctx);
    const { keyId } = await keyOf(ctx);
    await database.db.prisma.apiToken.create({
      data: {
        id: `apt_${person.personId}`,
        tokenDigest: `digest of ${person.personId}`,
        personId: person.personId,
        name: 'script',
        createdAt: clock.now(),
        expiresAt: addSeconds(clock.now(), 3600),
      },
    });
    await database.db.prisma.personIdentity.create({
      data: {
        id: `idn_${person.personId}`,
        personId: person.personId,
        issuer: 'https://id.example',
        subject: person.personId,
        createdAt: clock.now(),
        lastUsedAt: clock.now(),
      },
    });
    const adam = await admin(clock);
    const input = { personId: person.personId, reason: 'Lost the laptop' };
    await expect(resetKeys(ctx, input)).rejects.toMatchObject({ code: 'forbidden' });
    const stale = { ...adam, actor: { ...adam.actor, elevatedAt: null } as never };
    await expect(resetKeys(stale, input)).rejects.toMatchObject({ code: 'step_up_required' });
    const own = { personId: (adam.actor as { personId: string }).personId, reason: 'mine' };
    await expect(resetKeys(adam, own)).rejects.toMatchObject({ code: 'forbidden' });
    const outcomes = await Promise.allSettled([resetKeys(adam, input), resetKeys(adam, input)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await findSession(ctx, token)).toBeNull();
    const living = { where: { personId: person.personId, endedAt: null } };
    expect(await database.db.prisma.apiToken.count(living)).toBe(0);
    expect(await database.db.prisma.personIdentity.count(living)).toBe(0);
    expect((await eventsOf(keyId)).at(-1)).toMatchObject({
      kind: 'person_key.end',
      actorName: (adam.actor as { displayName: string }).displayName,
      reason: 'Lost the laptop',
    });
    const told = await database.db.prisma.notification.findMany({ where: { personId: person.personId } });
    expect(told.some(({ kind }) => kind === 'person_key.end')).toBe(true);
    // The password is a way in again, and enough to enrol anew.
    const back = await signInAs(ctx, person);
    await enrolPasskey(back.ctx);
  });

  test('recovery on the host clears the keys of whoever uses the link', async () => {
    const { ctx, person } = await somebody();
    await enrolPasskey(ctx);
    const link = await recoverAdmin(testCtx(database.db, undefined, { clock: ctx.clock }), {
      email: person.email,
    });
    const token = new URL(link.url).hash.slice(1);
    await redeemInvitation(
      { ...ctx, actor: { kind: 'anonymous' } },
      { token, password: 'another long password' },
    );
    const keys = await database.db.prisma.personKey.findMany({ where: { personId: person.personId } });
    expect(keys).toMatchObject([{ endCause: 'recovery' }]);
  });
});
