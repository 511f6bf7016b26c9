import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anonymous, type PersonActor, systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import type { IdentityProvider } from '#lib/platform/identity-provider.ts';
import { testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { startIdentityProvider, type TestIdentityProvider } from '../../tests/identity-provider.ts';
import { enrolPasskey } from '../../tests/passkeys.ts';
import { addPerson } from '../../tests/people.ts';
import { createApiToken } from './api-tokens.ts';
import { confirmWithProvider } from './confirm-with-provider.ts';
import { issuePasswordReset, recoverAdmin, redeemInvitation } from './invitations.ts';
import { linkProvider, unlinkPerson, unlinkProvider } from './link-provider.ts';
import { deactivatePerson } from './people.ts';
import { findSession, findTokenHolder } from './read-actor.ts';
import { getPerson } from './read-people.ts';
import { endRole, grantRole } from './roles.ts';
import { openSession } from './sessions.ts';
import { signInWithProvider } from './sign-in-with-provider.ts';
import { isElevated } from './step-up.ts';

let database: TestDatabase;
let company: TestIdentityProvider;
let adam: Awaited<ReturnType<typeof addPerson>>;
let provider: IdentityProvider;

beforeAll(async () => {
  database = await createTestDatabase();
  company = await startIdentityProvider('http://countersign.localhost:3000/api/auth/callback/oidc');
  adam = await addPerson(database.db, 'adam', ['admin']);
  provider = {
    name: 'Heron',
    issuer: company.issuer,
    clientId: company.clientId,
    scope: 'openid',
    groupsClaim: 'groups',
    roles: [
      { group: 'security', roles: ['approver', 'auditor'] },
      { group: 'CN=Builders, OU="Labs"', roles: ['owner'] },
    ],
    enrols: 'anyone',
    assumesVerifiedEmail: false,
  };
});
afterAll(async () => {
  await company?.close();
  await database?.drop();
});

const ctxOf = (overrides: object = {}, actor: Parameters<typeof testCtx>[1] = anonymous) => {
  const ctx = testCtx(database.db, actor, { clock: systemClock });
  return { ...ctx, site: { ...ctx.site, identityProvider: { ...provider, ...overrides } } };
};
const admin = () => ctxOf({}, adam);

let logins = 0;
const someone = (name = `person${logins++}`) => ({
  sub: name,
  email: `${name}@heron.example`,
  email_verified: true,
  name: `${name} of Heron`,
});
const signIn = async (claims: object, ctx = ctxOf()) =>
  signInWithProvider(ctx, { idToken: await company.idToken(claims as never) });

async function personOf(email: string) {
  const { id } = await database.db.prisma.person.findUniqueOrThrow({ where: { email } });
  return getPerson(admin(), id);
}

async function signedIn(claims: { email: string }) {
  const outcome = await signIn(claims);
  if (!('handoff' in outcome)) throw new Error(`refused: ${outcome.refused}`);
  const opened = await openSession(ctxOf(), { handoff: outcome.handoff, previousToken: null });
  const session = await findSession(ctxOf(), opened.token);
  return { ...opened, actor: session?.actor };
}

const rolesOf = async (email: string) =>
  (await personOf(email)).grants.filter((grant) => grant.state !== 'ended').map((grant) => grant.role);

describe('signing in through the identity provider', () => {
  test('makes an account without a role once, and is the same person the next time', async () => {
    const lena = someone('lena');
    const first = await signedIn(lena);
    expect(first.actor).toMatchObject({ displayName: 'lena of Heron', roles: [] });
    expect((await signedIn({ ...lena, email: 'moved@heron.example' })).personId).toBe(first.personId);
    const facts = await personOf(lena.email);
    expect(facts).toMatchObject({ subject: `oidc:${company.issuer}#lena`, state: 'active' });
    expect(facts.sessions.map((session) => session.authMethod)).toEqual(['provider', 'provider']);
    const event = await database.db.prisma.auditEvent.findFirstOrThrow({
      where: { kind: 'person.create', subjectId: first.personId },
    });
    expect(event).toMatchObject({
      actorId: 'identity provider',
      data: { issuer: company.issuer, subject: 'lena' },
    });
  });

  test('opens a session that ends after twelve hours', async () => {
    const { expiresAt } = await signedIn(someone());
    const hours = (new Date(expiresAt).getTime() - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(11.9);
    expect(hours).toBeLessThanOrEqual(12);
  });

  test('many at once are one person, and one token signs in once', async () => {
    const rush = someone('rush');
    const tokens = await Promise.all(Array.from({ length: 5 }, () => company.idToken(rush)));
    const outcomes = await Promise.all(
      [...tokens, ...tokens].map((idToken) => signInWithProvider(ctxOf(), { idToken })),
    );
    expect(outcomes.filter((outcome) => 'handoff' in outcome)).toHaveLength(5);
    expect(outcomes.filter((outcome) => 'refused' in outcome && outcome.refused === 'token')).toHaveLength(5);
    expect(await database.db.prisma.personIdentity.count({ where: { subject: 'rush' } })).toBe(1);
    expect(await database.db.prisma.person.count({ where: { email: rush.email } })).toBe(1);
  });

  test('is refused to somebody who was deactivated', async () => {
    const gone = someone('gone');
    const { personId } = await signedIn({ ...gone, groups: ['security'] } as never);
    await deactivatePerson(admin(), { personId, reason: 'left' });
    expect(await signIn({ ...gone, groups: ['security'] })).toEqual({ refused: 'deactivated' });
    expect(await rolesOf(gone.email)).toEqual([]);
  });

  test('is refused before anybody is enrolled: the first admin comes from the host', async () => {
    const empty = await createTestDatabase();
    try {
      const idToken = await company.idToken(someone());
      expect(await signInWithProvider({ ...ctxOf(), db: empty.db }, { idToken })).toEqual({
        refused: 'nobody enrolled',
      });
      expect(await empty.db.prisma.person.count()).toBe(0);
    } finally {
      await empty.drop();
    }
  });

  test('gives nobody a password: no reset link is made for such an account', async () => {
    const { personId } = await signedIn(someone());
    await expect(issuePasswordReset(admin(), { personId })).rejects.toThrow(/has no password/);
  });
});

describe('groups', () => {
  const builders = 'CN=Builders, OU="Labs"';

  test('give roles at once, and leaving one takes them away at the next sign-in', async () => {
    const mo = someone('mo');
    await signedIn({ ...mo, groups: ['security', builders, 'lunch'] } as never);
    expect((await rolesOf(mo.email)).sort()).toEqual(['approver', 'auditor', 'owner']);
    expect((await personOf(mo.email)).grants[0]?.grantedBy).toMatch(/^the group /);
    await signedIn({ ...mo, groups: builders } as never);
    expect(await rolesOf(mo.email)).toEqual(['owner']);
    await signedIn(mo);
    expect(await rolesOf(mo.email)).toEqual([]);
  });

  test('a new weighty role ends the sessions from before it', async () => {
    const nia = someone('nia');
    const { token } = await signedIn(nia);
    await signedIn({ ...nia, groups: ['security'] } as never);
    expect(await findSession(ctxOf(), token)).toBeNull();
  });

  test('what they gave sleeps twelve hours after the last sign-in, for sessions and API tokens alike', async () => {
    const tess = { ...someone('tess'), groups: ['security'] };
    const provedAt = { auth_time: Math.floor(Date.now() / 1000) };
    const { actor, personId } = await signedIn({ ...tess, ...provedAt } as typeof tess);
    const { token } = await createApiToken(ctxOf({}, actor), { name: 'script', days: 30 });
    expect((await findTokenHolder(ctxOf(), token))?.roles).toEqual(['approver', 'auditor']);
    await database.db.prisma.roleGrant.updateMany({ where: { personId }, data: { lapsesAt: new Date() } });
    expect((await findTokenHolder(ctxOf(), token))?.roles).toEqual([]);
    expect((await personOf(tess.email)).grants.map((grant) => grant.state)).toEqual(['asleep', 'asleep']);
    await signedIn(tess);
    expect((await findTokenHolder(ctxOf(), token))?.roles).toEqual(['approver', 'auditor']);
    // It is the same grant: what it may decide does not begin anew each morning.
    expect((await personOf(tess.email)).grants).toHaveLength(2);
  });

  test('give what waits for a second admin', async () => {
    const uma = someone('uma');
    const { personId } = await signedIn(uma);
    const eve = await addPerson(database.db, 'eve', ['admin']);
    expect(await grantRole(admin(), { personId, role: 'approver' })).toMatchObject({
      state: 'waits for a second admin',
    });
    await signedIn({ ...uma, groups: ['security'] } as never);
    expect((await personOf(uma.email)).grants.map((grant) => grant.state)).toEqual([
      'in effect',
      'in effect',
    ]);
    await deactivatePerson(admin(), { personId: eve.personId, reason: 'test' });
  });

  test('decide who gets an account, where the operator says so', async () => {
    const odd = ctxOf({ enrols: 'groups' });
    expect(await signIn(someone('visitor'), odd)).toEqual({ refused: 'not admitted' });
    expect(await signIn({ ...someone('colleague'), groups: [builders] }, odd)).toHaveProperty('handoff');
    // Whoever has one keeps it.
    expect(await signIn(someone('colleague'), odd)).toHaveProperty('handoff');
  });

  test('what an admin granted is the admin’s to end', async () => {
    const kim = someone('kim');
    const { personId } = await signedIn(kim);
    await grantRole(admin(), { personId, role: 'owner' });
    await signedIn({ ...kim, groups: [builders] } as never);
    await signedIn(kim);
    expect(await rolesOf(kim.email)).toEqual(['owner']);
  });

  test('the last admin stays one, whatever group they leave', async () => {
    const other = await createTestDatabase();
    try {
      const host = await addPerson(other.db, 'host', ['admin']);
      const ctx = ctxOf({ roles: [{ group: 'run', roles: ['admin'] }] });
      const here = (actor = anonymous as Parameters<typeof testCtx>[1]) => ({
        ...ctx,
        db: other.db,
        actor: actor ?? anonymous,
      });
      const eva = someone('eva');
      await signInWithProvider(here(), { idToken: await company.idToken({ ...eva, groups: ['run'] }) });
      const [grant] = await other.db.prisma.roleGrant.findMany({ where: { personId: host.personId } });
      const evaId = (await other.db.prisma.person.findUniqueOrThrow({ where: { email: eva.email } })).id;
      await endRole(here({ ...host, personId: evaId, subject: 'eva', elevatedAt: ctx.clock.now() }), {
        grantId: grant?.id ?? '',
        reason: '',
      });
      await signInWithProvider(here(), { idToken: await company.idToken({ ...eva, groups: [] }) });
      expect(await other.db.prisma.roleGrant.count({ where: { role: 'admin', endedAt: null } })).toBe(1);
    } finally {
      await other.drop();
    }
  });
});

describe('an account that is here already', () => {
  const linked = (actor: Parameters<typeof testCtx>[1], claims: object) =>
    company.idToken(claims as never).then((idToken) => linkProvider(ctxOf({}, actor), { idToken }));
  const refused = (reason: string) => ({ code: 'conflict', detail: { refused: reason } });

  test('is not joined by its e-mail address, is by its holder, who is told', async () => {
    const olive = await addPerson(database.db, 'olive', ['owner'], { password: 'four quiet herons waiting' });
    const claims = { ...someone('olive-at-heron'), email: olive.email };
    expect(await signIn(claims)).toEqual({ refused: 'account exists' });
    expect(await database.db.prisma.personIdentity.count({ where: { subject: claims.sub } })).toBe(0);

    const idToken = await company.idToken(claims);
    await linkProvider(ctxOf({}, olive), { idToken });
    await expect(linkProvider(ctxOf({}, olive), { idToken })).rejects.toMatchObject(refused('token'));
    expect((await signedIn(claims)).personId).toBe(olive.personId);
    const told = await database.db.prisma.notification.findMany({ where: { personId: olive.personId } });
    expect(told.map((notification) => notification.title)).toEqual(['Heron was linked to your account']);

    await expect(linked(olive, someone('olive-again'))).rejects.toMatchObject(refused('linked already'));
    const oscar = await addPerson(database.db, 'oscar', ['owner']);
    await expect(linked(oscar, claims)).rejects.toMatchObject(refused('linked elsewhere'));
  });

  test('parted from it, the identity never becomes a second person: it comes back to the same account or not at all', async () => {
    const rosa = await addPerson(database.db, 'rosa', ['owner'], { password: 'four quiet herons waiting' });
    const claims = { ...someone('rosa-at-heron'), groups: ['security'] };
    await linked(rosa, claims);
    const through = await signedIn(claims);
    expect((await rolesOf(rosa.email)).sort()).toEqual(['approver', 'auditor', 'owner']);
    await unlinkProvider(ctxOf({}, rosa));
    expect(await rolesOf(rosa.email)).toEqual(['owner']);
    expect(await findSession(ctxOf(), through.token)).toBeNull();
    expect(await signIn(claims)).toEqual({ refused: 'unlinked' });
    expect(await database.db.prisma.person.count({ where: { email: claims.email } })).toBe(0);
    const sam = await addPerson(database.db, 'sam', ['owner'], { password: 'four quiet herons waiting' });
    await expect(linked(sam, claims)).rejects.toMatchObject(refused('linked elsewhere'));
    await expect(unlinkProvider(ctxOf({}, rosa))).rejects.toMatchObject({ code: 'not_found' });
    await linked(rosa, claims);
    expect((await signedIn(claims)).personId).toBe(rosa.personId);
  });

  test('keeps its only way in, until an admin gives it another', async () => {
    const claims = someone();
    const { actor, personId, token } = await signedIn(claims);
    await expect(unlinkProvider(ctxOf({}, actor))).rejects.toThrow(/only way/);
    await expect(issuePasswordReset(admin(), { personId })).rejects.toThrow(/has no password/);
    await expect(unlinkPerson(ctxOf({}, actor), { personId })).rejects.toMatchObject({ code: 'forbidden' });
    await unlinkPerson(admin(), { personId });
    // Whoever had got in is out.
    expect(await findSession(ctxOf(), token)).toBeNull();
    expect(await signIn(claims)).toEqual({ refused: 'unlinked' });
    expect((await issuePasswordReset(admin(), { personId })).url).toContain('/enrol#');
  });

  test('a recovery throws out whoever had got in by its address', async () => {
    const squatter = someone('boss');
    const { personId } = await signedIn(squatter);
    const link = await recoverAdmin(ctxOf({}, systemActor('host')), { email: squatter.email });
    const token = link.url.split('#')[1] ?? '';
    await redeemInvitation(ctxOf(), { token, password: 'seven paper boats sinking' });
    expect(await rolesOf(squatter.email)).toEqual(['admin']);
    expect(await signIn(squatter)).toEqual({ refused: 'unlinked' });
    await deactivatePerson(admin(), { personId, reason: 'test' });
  });
});

describe('a token that is refused, and changes nothing', () => {
  const at = () => Math.floor(Date.now() / 1000);
  test.each<[string, () => Promise<string>]>([
    ['of another issuer', () => company.idToken({ ...someone(), iss: 'https://evil.example' })],
    ['of this issuer with a slash more', () => company.idToken({ ...someone(), iss: `${company.issuer}/` })],
    ['for another client', () => company.idToken({ ...someone(), aud: 'wiki' })],
    [
      'for us among others, made for another',
      () => company.idToken({ ...someone(), aud: ['wiki', 'countersign'], azp: 'wiki' }),
    ],
    [
      'for us among others, without saying for whom',
      () => company.idToken({ ...someone(), aud: ['wiki', 'countersign'] }),
    ],
    ['that has expired', () => company.idToken({ ...someone(), iat: at() - 200, exp: at() - 100 })],
    ['made long ago', () => company.idToken({ ...someone(), iat: at() - 400 })],
    ['from the future', () => company.idToken({ ...someone(), iat: at() + 400, exp: at() + 900 })],
    ['without nonce', () => company.idToken({ ...someone(), nonce: undefined })],
    ['without subject', () => company.idToken({ ...someone(), sub: undefined })],
    ['with an endless subject', () => company.idToken({ ...someone(), sub: 'x'.repeat(256) })],
    [
      'signed with the client secret',
      () => company.idToken(someone(), { alg: 'HS256', key: new TextEncoder().encode(company.clientSecret) }),
    ],
    [
      'signed with a key of somebody else',
      async () => company.idToken(someone(), { key: (await generateKeyPair('RS256')).privateKey }),
    ],
    [
      'without signature',
      async () => {
        const [, body] = (await company.idToken(someone())).split('.');
        return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`;
      },
    ],
    ['that is none', async () => 'not.a.token'],
    ['as long as a book', async () => 'x'.repeat(20_000)],
  ])('%s', async (_title, make) => {
    const before = await database.db.prisma.person.count();
    expect(await signInWithProvider(ctxOf(), { idToken: await make() })).toEqual({ refused: 'token' });
    expect(await database.db.prisma.person.count()).toBe(before);
  });

  test('whose signature is written another way, after the first', async () => {
    const token = await company.idToken(someone('twice'));
    expect(await signInWithProvider(ctxOf(), { idToken: token })).toHaveProperty('handoff');
    for (const again of [`${token}==`, `${token}\n`]) {
      expect(await signInWithProvider(ctxOf(), { idToken: again })).toEqual({ refused: 'token' });
    }
  });

  test('an address the provider says nothing of counts where the operator says so', async () => {
    const quiet = { ...someone('quiet'), email_verified: undefined };
    expect(await signIn(quiet)).toEqual({ refused: 'e-mail' });
    expect(await signIn(quiet, ctxOf({ assumesVerifiedEmail: true }))).toHaveProperty('handoff');
    const denied = { ...someone('denied'), email_verified: false };
    expect(await signIn(denied, ctxOf({ assumesVerifiedEmail: true }))).toEqual({ refused: 'e-mail' });
  });

  test.each([
    ['no address', { email: undefined }],
    ['an address that is none', { email: 'root' }],
    ['an address nobody verified', { email_verified: false }],
    ['an address nobody verified, in words', { email_verified: 'false' }],
  ])('with %s', async (_title, claims) => {
    expect(await signIn({ ...someone(), ...claims })).toEqual({ refused: 'e-mail' });
  });

  test('a name with hidden characters is not shown', async () => {
    const sly = { ...someone('sly'), name: 'Ava\u202eadmin' };
    await signedIn(sly);
    expect((await personOf(sly.email)).displayName).toBe('sly');
  });
});

describe('a provider that cannot be believed', () => {
  async function serving(body: (issuer: string) => object, status = 200) {
    const server = createServer((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body(issuer)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { issuer, close: () => server.close() };
  }
  const endpoints = (issuer: string) => ({
    authorization_endpoint: `${issuer}/a`,
    token_endpoint: `${issuer}/t`,
    jwks_uri: `${issuer}/j`,
  });

  test.each<[string, RegExp, (issuer: string) => object, number?]>([
    [
      'calls itself something else',
      /calls itself/,
      (issuer) => ({ issuer: `${issuer}/tenant`, ...endpoints(issuer) }),
    ],
    [
      'keeps its keys in the open',
      /cannot be used/,
      (issuer) => ({ issuer, ...endpoints(issuer), jwks_uri: 'http://keys.example/j' }),
    ],
    ['has no keys', /keys could not be read/, (issuer) => ({ issuer, ...endpoints(issuer) })],
    ['is out of order', /could not be read/, () => ({}), 500],
  ])('that %s is an answer to come back', async (_title, message, body, status) => {
    const odd = await serving(body, status);
    try {
      const idToken = await company.idToken({ ...someone(), iss: odd.issuer });
      await expect(signInWithProvider(ctxOf({ issuer: odd.issuer }), { idToken })).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(message),
      });
    } finally {
      odd.close();
    }
  });
});

describe('a sign-in at the provider as a fresh proof', () => {
  const seconds = () => Math.floor(Date.now() / 1000);
  const at = (auth_time: unknown) => ({ auth_time }) as object;

  test.each([
    ['nothing says when', {}],
    ['it was hours ago', at(seconds() - 3600)],
    ['it is yet to come', at(seconds() + 3600)],
    ['it is no time', at('now')],
  ])('is none when %s', async (_, claims) => {
    const { actor } = await signedIn({ ...someone(), ...claims });
    expect(isElevated(ctxOf(), actor as PersonActor)).toBe(false);
  });

  test('is one from the moment the provider names', async () => {
    const { actor } = await signedIn({ ...someone(), ...at(seconds() - 100) });
    expect(isElevated(ctxOf(), actor as PersonActor)).toBe(true);
    expect(isElevated(ctxOf(), actor as PersonActor, 90)).toBe(false);
  });

  test('confirms the session that asked, which keeps its row and gets another token', async () => {
    const lou = someone();
    const { token, actor } = await signedIn(lou);
    const provedAt = seconds() - 20;
    const idToken = await company.idToken({ ...lou, auth_time: provedAt });
    const confirmed = await confirmWithProvider(ctxOf({}, actor), { idToken });
    expect(await findSession(ctxOf(), token)).toBeNull();
    const after = await findSession(ctxOf(), confirmed.token);
    expect(after?.actor.sessionId).toBe(actor?.sessionId);
    expect(after?.actor.elevatedAt).toEqual(new Date(provedAt * 1000));
    const event = await database.db.prisma.auditEvent.findFirst({
      where: { kind: 'session.confirm', subjectId: actor?.sessionId as string },
    });
    expect(event).toMatchObject({ actorId: actor?.personId, data: { by: 'provider' } });
    // The token counted once.
    await expect(confirmWithProvider(ctxOf({}, after?.actor), { idToken })).rejects.toMatchObject({
      detail: { refused: 'token' },
    });
  });

  test('confirms nobody by a silent or an old sign-in', async () => {
    const lou = someone();
    const { token, actor } = await signedIn(lou);
    for (const claims of [{}, at(seconds() - 400), at(seconds() + 400)]) {
      const idToken = await company.idToken({ ...lou, ...claims });
      await expect(confirmWithProvider(ctxOf({}, actor), { idToken })).rejects.toMatchObject({
        code: 'conflict',
        detail: { refused: 'not fresh' },
      });
    }
    expect((await findSession(ctxOf(), token))?.actor.elevatedAt).toBeNull();
  });

  test('confirms nobody by somebody else, known here or not', async () => {
    const { actor } = await signedIn(someone());
    const other = someone();
    await signedIn(other);
    for (const claims of [other, someone()]) {
      const idToken = await company.idToken({ ...claims, auth_time: seconds() });
      await expect(confirmWithProvider(ctxOf({}, actor), { idToken })).rejects.toMatchObject({
        detail: { refused: 'somebody else' },
      });
    }
  });

  test('does not stand in for a passkey, for an API token or for a session that ended', async () => {
    const lou = someone();
    const { actor } = await signedIn({ ...lou, ...at(seconds()) });
    const fresh = async () => ({ idToken: await company.idToken({ ...lou, auth_time: seconds() }) });
    const viaToken = { ...(actor as PersonActor), via: 'token' as const, sessionId: null };
    await expect(confirmWithProvider(ctxOf({}, viaToken), await fresh())).rejects.toMatchObject({
      code: 'forbidden',
    });
    await enrolPasskey(ctxOf({}, actor));
    await expect(confirmWithProvider(ctxOf({}, actor), await fresh())).rejects.toMatchObject({
      code: 'forbidden',
    });
    await database.db.prisma.personKey.updateMany({
      where: { personId: actor?.personId as string },
      data: { endedAt: new Date() },
    });
    await database.db.prisma.personSession.update({
      where: { id: actor?.sessionId as string },
      data: { endedAt: new Date() },
    });
    await expect(confirmWithProvider(ctxOf({}, actor), await fresh())).rejects.toMatchObject({
      code: 'conflict',
    });
  });
});
