import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { endRole } from '#lib/access/roles.ts';
import { linkInstance } from '#lib/approvals/link-instance.ts';
import { rejectRequest } from '#lib/approvals/reject-request.ts';
import { withdrawRequest } from '#lib/approvals/withdraw-request.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { forgetExpired } from '#lib/jobs/forget-expired.ts';
import { deviceCodeGrant } from '#lib/oauth/device-grant.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { continueApproved } from '#lib/registration/continue-approved.ts';
import { continueTransaction } from '#lib/registration/continue-transaction.ts';
import { joinWaiting } from '#lib/registration/join-waiting.ts';
import { denyDevice, matchDevice, openDevice, readDevice } from '#lib/registration/open-device.ts';
import { openHandle } from '#lib/registration/open-handle.ts';
import { readWaiting } from '#lib/registration/read-waiting.ts';
import { suspendAgent } from '#lib/revocation/stop-agent.ts';
import {
  approve,
  type ClaimWorld,
  claim,
  createClaimWorld,
  type Person,
  registerClient,
} from '#tests/claim-world.ts';
import { TestClock } from '#tests/ctx.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { addPerson } from '#tests/people.ts';
import { tokenClient } from '#tests/token-client.ts';
import { ctxOf } from '../context.ts';

const clock = new TestClock();
let gate: TestGate;
let world: ClaimWorld;
beforeAll(async () => {
  gate = await startTestGate(
    4548,
    {
      COUNTERSIGN_DEVICE_GRANT: '1',
      COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '100000',
      COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1/32',
    },
    { clock },
  );
  await ensureSigningKeys(ctxOf(gate.running.gate, { actor: systemActor('test') }));
  world = await createClaimWorld(gate);
});
afterAll(() => gate.close());
// Nobody's budget of mistyped codes is spent by another test.
beforeEach(() => clock.advanceSeconds(1_200));

const deviceClient = {
  redirect_uris: ['http://127.0.0.1:49152/callback'],
  grant_types: [deviceCodeGrant, 'refresh_token'],
  token_endpoint_auth_method: 'none',
};
let counter = 0;
const fresh = (overrides: object = {}) =>
  registerClient(gate, { ...deviceClient, client_name: `Server shell ${++counter}`, ...overrides });

type Codes = { device_code: string; user_code: string; interval: number; expires_in: number };
const ask = (clientId: string, form: Record<string, string> = {}, headers: Record<string, string> = {}) =>
  tokenClient(gate).post(
    '/device_authorization',
    { client_id: clientId, resource: world.server.resource, ...form },
    headers,
  );
const codesOf = async (clientId: string, headers: Record<string, string> = {}) =>
  (await ask(clientId, {}, headers)).json() as Codes;
const poll = (
  clientId: string,
  codes: Pick<Codes, 'device_code'>,
  headers: Record<string, string> = {},
  form: Record<string, string> = {},
) =>
  tokenClient(gate).post(
    '/token',
    { grant_type: deviceCodeGrant, client_id: clientId, device_code: codes.device_code, ...form },
    headers,
  );
/** As a device does: it waits before it asks. */
const wait = async (clientId: string, codes: Pick<Codes, 'device_code'>) => {
  clock.advanceSeconds(6);
  return (await poll(clientId, codes)).json();
};
const numberOf = (codes: Codes) => Number(codes.user_code.slice(-2));
const type = (person: Person, codes: Codes, overrides: Parameters<ClaimWorld['as']>[1] = {}) =>
  openDevice(world.as(person, overrides), { code: codes.user_code.slice(0, 9) });
async function match(person: Person, codes: Codes, overrides: Parameters<ClaimWorld['as']>[1] = {}) {
  const { deviceId } = await type(person, codes, overrides);
  const { handle } = await matchDevice(world.as(person, overrides), { deviceId, number: numberOf(codes) });
  return { deviceId, handle };
}
const continues = async (person: Person, handle: string, overrides: Parameters<ClaimWorld['as']>[1] = {}) => {
  const ctx = world.as(person, overrides);
  const { claimKey } = await openHandle(ctx, { handle });
  return continueApproved(ctx, { handle, claimKey });
};
const events = async (clientId: string, kind: string) =>
  gate.database.db.prisma.auditEvent.findMany({ where: { clientId, kind }, orderBy: { arrival: 'asc' } });

describe('a device signs in by code (RFC 8628)', () => {
  test('a client nobody knows anything about asks, is typed, matched, claimed and approved, and gets its tokens: oauth4webapi', async () => {
    const clientId = await fresh();
    const throughGate: typeof fetch = async (url, init) => {
      const { pathname, search } = new URL(String(url));
      const answer = await gate.ask(`${pathname}${search}`, {
        method: init?.method ?? 'GET',
        headers: Object.fromEntries(new Headers(init?.headers)),
        ...(init?.body ? { body: String(init.body) } : {}),
      });
      const headers = new Headers({ 'content-type': answer.headers['content-type'] as string });
      return new Response(answer.text, { status: answer.status, headers });
    };
    const options = { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: throughGate };
    const issuer = new URL(gate.issuer);
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }),
    );
    expect(server.device_authorization_endpoint).toBe(`${gate.issuer}/device_authorization`);
    expect(server.grant_types_supported).toContain(deviceCodeGrant);
    const client: oauth.Client = { client_id: clientId };
    const asked = await oauth.processDeviceAuthorizationResponse(
      server,
      client,
      await oauth.deviceAuthorizationRequest(
        server,
        client,
        oauth.None(),
        { resource: world.server.resource },
        options,
      ),
    );
    expect(asked).toMatchObject({
      verification_uri: `${gate.consoleOrigin}/device`,
      expires_in: 1_800,
      interval: 5,
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}-\d\d$/),
    });
    expect(asked).not.toHaveProperty('verification_uri_complete');
    const codes = asked as unknown as Codes;
    const asks = async () => {
      const answer = await oauth.deviceCodeGrantRequest(
        server,
        client,
        oauth.None(),
        asked.device_code,
        options,
      );
      return oauth.processDeviceCodeResponse(server, client, answer);
    };
    const pending = () => expect(asks()).rejects.toMatchObject({ error: 'authorization_pending' });
    await pending();

    const { deviceId } = await type(world.olive, codes);
    clock.advanceSeconds(5);
    await pending();
    const room = await readDevice(world.as(world.olive), deviceId);
    expect(room).toMatchObject({ state: 'opened', device: { address: '127.0.0.1', place: 'same network' } });
    expect(room.choices).toContain(numberOf(codes));
    expect(new Set(room.choices).size).toBe(3);
    const { handle } = await matchDevice(world.as(world.olive), { deviceId, number: numberOf(codes) });
    clock.advanceSeconds(5);
    await pending();
    const claimed = await claim(world, world.olive, handle);
    expect(claimed.opened).toMatchObject({
      standing: 'unclaimed',
      client: { redirectPlace: 'device' },
      device: { address: '127.0.0.1', place: 'same network' },
    });
    clock.advanceSeconds(5);
    await pending();
    await approve(world, claimed);
    // The browser waits beside it, and carries nothing.
    expect(
      await continueTransaction(world.as(world.olive), { transactionId: claimed.transactionId }),
    ).toEqual({ location: null, state: 'ready' });
    clock.advanceSeconds(5);
    const tokens = await asks();
    expect(tokens).toMatchObject({ token_type: 'bearer', scope: expect.stringContaining('read_note') });
    expect(tokens.refresh_token).toBeTruthy();
    expect(await readWaiting(world.as(world.olive), claimed.transactionId)).toMatchObject({
      state: 'continued',
      redirectUri: null,
      device: { address: '127.0.0.1' },
    });
    const refreshed = await oauth.refreshTokenGrantRequest(
      server,
      client,
      oauth.None(),
      tokens.refresh_token as string,
      options,
    );
    expect(await oauth.processRefreshTokenResponse(server, client, refreshed)).toHaveProperty('access_token');
    const [issued] = await events(clientId, 'credential.issue');
    expect(issued?.data).toMatchObject({ grant: 'device_code' });
    for (const kind of ['device.ask', 'device.open', 'device.match', 'transaction.continue']) {
      expect(await events(clientId, kind), kind).toHaveLength(1);
    }
  });

  test('asked again after its answer was lost, the code is used up and what it gave ends', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { handle } = await match(world.olive, codes);
    await approve(world, await claim(world, world.olive, handle));
    const first = await wait(clientId, codes);
    expect(first).toHaveProperty('access_token');
    expect(await wait(clientId, codes)).toMatchObject({ error: 'invalid_grant' });
    const again = await tokenClient(gate).post('/token', {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: String(first.refresh_token),
    });
    expect(again.json()).toMatchObject({ error: 'invalid_grant' });
  });

  test('of twenty polls at once one gets tokens, and none of the others ends them', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { handle } = await match(world.olive, codes);
    await approve(world, await claim(world, world.olive, handle));
    clock.advanceSeconds(6);
    const answers = await Promise.all(Array.from({ length: 20 }, () => poll(clientId, codes)));
    const won = answers.filter((answer) => answer.status === 200);
    expect(won).toHaveLength(1);
    for (const answer of answers.filter((one) => one.status !== 200)) {
      expect(answer.json()).toMatchObject({ error: 'slow_down' });
    }
    const refreshed = await tokenClient(gate).post('/token', {
      grant_type: 'refresh_token',
      client_id: clientId,
      refresh_token: String(won[0]?.json().refresh_token),
    });
    expect(refreshed.status).toBe(200);
  });

  test('whoever asks more often than told is slowed down by five seconds each time (§3.5)', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    expect((await poll(clientId, codes)).json()).toMatchObject({ error: 'authorization_pending' });
    clock.advanceSeconds(2);
    expect((await poll(clientId, codes)).json()).toMatchObject({ error: 'slow_down' });
    clock.advanceSeconds(6);
    expect((await poll(clientId, codes)).json()).toMatchObject({ error: 'slow_down' });
    clock.advanceSeconds(14);
    expect((await poll(clientId, codes)).json()).toMatchObject({ error: 'authorization_pending' });
    // Waiting is no refusal: history would fill with it.
    expect(await events(clientId, 'refusal.authenticated')).toHaveLength(0);
  });

  test('after half an hour it is over', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { deviceId } = await type(world.olive, codes);
    clock.advanceSeconds(1_801);
    expect((await poll(clientId, codes)).json()).toMatchObject({ error: 'expired_token' });
    await expect(
      matchDevice(world.as(world.olive), { deviceId, number: numberOf(codes) }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });

  test('undecided when it is over, the device hears where the request is, and an approval comes too late', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { handle } = await match(world.olive, codes);
    const claimed = await claim(world, world.olive, handle);
    clock.advanceSeconds(1_790);
    const { error, error_uri } = (await poll(clientId, codes)).json();
    expect({ error, error_uri }).toEqual({
      error: 'expired_token',
      error_uri: `${gate.consoleOrigin}/requests/${claimed.id}`,
    });
    await approve(world, claimed);
    expect(await wait(clientId, codes)).toMatchObject({ error: 'access_denied' });
  });

  test.each([
    [
      'rejected',
      (id: string) => rejectRequest(world.as(world.ava), { requestId: id, reason: 'Not on this machine' }),
    ],
    ['withdrawn', (id: string) => withdrawRequest(world.as(world.olive), { requestId: id, reason: '' })],
  ])('%s, the device hears it at its next poll', async (word, decide) => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { handle } = await match(world.olive, codes);
    const claimed = await claim(world, world.olive, handle);
    await decide(claimed.id);
    const answer = await wait(clientId, codes);
    expect(answer).toMatchObject({ error: 'access_denied' });
    expect(answer.error_description).toContain(word);
    expect(await wait(clientId, codes)).toMatchObject({ error: 'access_denied' });
  });

  test('suspended between approval and poll, it gets nothing', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { handle } = await match(world.olive, codes);
    const claimed = await claim(world, world.olive, handle);
    await approve(world, claimed);
    await suspendAgent(world.as(world.ava), {
      agentId: claimed.agentId,
      cause: 'administrative',
      reason: 'Looking into it.',
    } as never);
    expect(await wait(clientId, codes)).toMatchObject({ error: 'access_denied' });
    expect(await events(clientId, 'credential.issue')).toHaveLength(0);
  });

  test('whoever claimed and is no owner any more gets no tokens for it', async () => {
    const former = await addPerson(gate.database.db, `former-${counter}`, ['owner']);
    const adam = await addPerson(gate.database.db, `adam-${counter}`, ['admin']);
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { handle } = await match(former, codes);
    const claimed = await claim(world, former, handle);
    await approve(world, claimed);
    const grant = await gate.database.db.prisma.roleGrant.findFirstOrThrow({
      where: { personId: former.personId },
    });
    await endRole(world.as({ ...adam, elevatedAt: clock.now() }), { grantId: grant.id, reason: 'Moved on.' });
    expect(await wait(clientId, codes)).toMatchObject({ error: 'access_denied' });
    expect(await events(clientId, 'credential.issue')).toHaveLength(0);
  });

  test('approved before, its owner continues it with one press', async () => {
    const clientId = await fresh();
    const first = await codesOf(clientId);
    await approve(world, await claim(world, world.olive, (await match(world.olive, first)).handle));
    await wait(clientId, first);
    const second = await codesOf(clientId);
    const { handle } = await match(world.olive, second);
    expect((await wait(clientId, second)).error).toBe('authorization_pending');
    const { transactionId } = await continues(world.olive, handle);
    expect((await readWaiting(world.as(world.olive), transactionId)).state).toBe('ready');
    expect(await wait(clientId, second)).toHaveProperty('access_token');
  });

  test('an approval that lands while a poll is under way is never taken for one that left the device out', async () => {
    for (let round = 0; round < 12; round++) {
      const clientId = await fresh();
      const codes = await codesOf(clientId);
      const claimed = await claim(world, world.olive, (await match(world.olive, codes)).handle);
      clock.advanceSeconds(6);
      const [during] = await Promise.all([poll(clientId, codes), approve(world, claimed)]);
      const answer = during.status === 200 ? during.json() : await wait(clientId, codes);
      expect(answer, String(during.text)).toHaveProperty('access_token');
      clock.advanceSeconds(120);
    }
  });

  test('a device that was away between approval and poll gets its tokens until its time is over', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    await approve(world, await claim(world, world.olive, (await match(world.olive, codes)).handle));
    clock.advanceSeconds(1_700);
    expect((await poll(clientId, codes)).json()).toHaveProperty('access_token');
  });

  test.each([
    ['killed', 'access_denied'],
    ['password changed', 'access_denied'],
    ['signed out', null],
  ])('the claiming session %s meanwhile: %s', async (endCause, error) => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const sessionId = `ses_${counter}`;
    const person: Person = { ...world.olive, sessionId };
    const at = clock.now();
    await gate.database.db.prisma.personSession.create({
      data: {
        id: sessionId,
        tokenDigest: sessionId,
        personId: person.personId,
        authMethod: 'password',
        authnAt: at,
        createdAt: at,
        lastSeenAt: at,
        expiresAt: new Date(at.getTime() + 86_400_000),
      },
    });
    await approve(world, await claim(world, person, (await match(person, codes)).handle));
    await gate.database.db.prisma.personSession.update({
      where: { id: sessionId },
      data: { endedAt: clock.now(), endCause },
    });
    expect((await wait(clientId, codes)).error ?? null).toBe(error);
  });

  test('the same software registered again is linked by its owner, and its device goes on', async () => {
    const name = { client_name: `Twin ${counter}` };
    const first = await fresh(name);
    const codes = await codesOf(first);
    const claimed = await claim(world, world.olive, (await match(world.olive, codes)).handle);
    await approve(world, claimed);
    await wait(first, codes);
    const second = await fresh(name);
    const link = async (headers: Record<string, string>) => {
      const asked = await codesOf(second, headers);
      const { handle } = await match(world.olive, asked);
      const { claimKey } = await openHandle(world.as(world.olive), { handle });
      await linkInstance(world.as(world.olive), { handle, claimKey, agentId: claimed.agentId });
      return asked;
    };
    await expect(link({ 'x-forwarded-for': '10.9.0.5' })).rejects.toMatchObject({ code: 'forbidden' });
    expect(await wait(second, await link({}))).toHaveProperty('access_token');
  });

  test('the handle works once: a second claim or press of the same device is refused', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { deviceId, handle } = await match(world.olive, codes);
    const again = await matchDevice(world.as(world.olive), { deviceId, number: 0 });
    await approve(world, await claim(world, world.olive, handle));
    await expect(continues(world.olive, again.handle)).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('typing the code and picking the number', () => {
  test('however it is typed, it is the same code', async () => {
    const codes = await codesOf(await fresh());
    const letters = codes.user_code.slice(0, 9);
    const { deviceId } = await openDevice(world.as(world.olive), {
      code: ` ${letters.toLowerCase().replace('-', ' ')} ${codes.user_code.slice(-2)} `,
    });
    expect(await openDevice(world.as(world.olive), { code: letters.replace('-', '') })).toEqual({ deviceId });
  });

  test('the first session to type it has it; for everybody else it does not exist', async () => {
    const codes = await codesOf(await fresh());
    const { deviceId } = await type(world.olive, codes);
    const otherTab: Person = { ...world.olive, sessionId: 'ses_other' };
    for (const person of [world.oscar, otherTab]) {
      await expect(type(person, codes)).rejects.toMatchObject({ code: 'invalid' });
      await expect(readDevice(world.as(person), deviceId)).rejects.toMatchObject({ code: 'not_found' });
      await expect(
        matchDevice(world.as(person), { deviceId, number: numberOf(codes) }),
      ).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  test('of two owners who type it at once one has it', async () => {
    for (let round = 0; round < 5; round++) {
      const codes = await codesOf(await fresh());
      const typed = await Promise.allSettled([type(world.olive, codes), type(world.oscar, codes)]);
      expect(typed.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      clock.advanceSeconds(120);
    }
  });

  test('another number ends it, for the person and for the device', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { deviceId } = await type(world.olive, codes);
    const number = (numberOf(codes) + 1) % 100;
    await expect(matchDevice(world.as(world.olive), { deviceId, number })).rejects.toMatchObject({
      code: 'conflict',
      detail: { reason: 'other number' },
    });
    await expect(
      matchDevice(world.as(world.olive), { deviceId, number: numberOf(codes) }),
    ).rejects.toMatchObject({ code: 'conflict' });
    expect(await wait(clientId, codes)).toMatchObject({ error: 'access_denied' });
    expect(await events(clientId, 'device.end')).toMatchObject([
      { outcome: 'refused', reason: 'other number', actorId: world.olive.personId },
    ]);
  });

  test('of a right and a wrong pick at once one counts', async () => {
    for (let round = 0; round < 5; round++) {
      const codes = await codesOf(await fresh());
      const { deviceId } = await type(world.olive, codes);
      const pick = (number: number) => matchDevice(world.as(world.olive), { deviceId, number });
      const picked = await Promise.allSettled([pick(numberOf(codes)), pick((numberOf(codes) + 1) % 100)]);
      const row = await gate.database.db.prisma.deviceRequest.findUniqueOrThrow({ where: { id: deviceId } });
      // Right first: the wrong one comes to a sign-in already matched, and is not looked at. Wrong first: nobody goes on.
      const [right, wrong] = picked.map(({ status }) => status);
      if (row.state === 'matched') expect(right).toBe('fulfilled');
      else expect([row.state, right, wrong]).toEqual(['ended', 'rejected', 'rejected']);
      clock.advanceSeconds(120);
    }
  });

  test('guessing codes ends after ten', async () => {
    const guess = () => openDevice(world.as(world.oscar), { code: 'BBBB-BBBB' });
    for (let round = 0; round < 10; round++) await expect(guess()).rejects.toMatchObject({ code: 'invalid' });
    await expect(guess()).rejects.toMatchObject({ code: 'limit_exceeded' });
  });

  test('a code is typed within fifteen minutes, by an owner, in a browser', async () => {
    const codes = await codesOf(await fresh());
    await expect(type(world.ava, codes)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(
      type({ ...world.olive, via: 'token', sessionId: null } as never, codes),
    ).rejects.toMatchObject({ code: 'forbidden' });
    clock.advanceSeconds(901);
    await expect(type(world.olive, codes)).rejects.toMatchObject({ code: 'invalid' });
  });

  test('a link to the claim form is worth nothing to another session', async () => {
    const codes = await codesOf(await fresh());
    const { handle } = await match(world.olive, codes);
    for (const person of [world.oscar, { ...world.olive, sessionId: 'ses_other' }]) {
      await expect(openHandle(world.as(person), { handle })).rejects.toMatchObject({
        code: 'invalid',
        detail: { reason: 'other session' },
      });
    }
  });
});

describe('a device its person does not know', () => {
  test('is said so: it ends for both, once, and history has who said it', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    const { deviceId } = await type(world.olive, codes);
    await expect(denyDevice(world.as(world.oscar), { deviceId })).rejects.toMatchObject({
      code: 'not_found',
    });
    await denyDevice(world.as(world.olive), { deviceId });
    await expect(denyDevice(world.as(world.olive), { deviceId })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect((await readDevice(world.as(world.olive), deviceId)).state).toBe('ended');
    expect(await wait(clientId, codes)).toMatchObject({ error: 'access_denied' });
    expect(await events(clientId, 'device.end')).toMatchObject([
      { outcome: 'refused', reason: 'not my device', actorId: world.olive.personId },
    ]);
  });
});

describe('a device in another network', () => {
  const elsewhere = { 'x-forwarded-for': '10.9.0.5' };

  test('is held: an approver sees both addresses, and nobody goes on without one', async () => {
    const clientId = await fresh();
    const near = await codesOf(clientId);
    await approve(world, await claim(world, world.olive, (await match(world.olive, near)).handle));
    await wait(clientId, near);
    const far = await codesOf(clientId, elsewhere);
    const { handle } = await match(world.olive, far);
    await expect(continues(world.olive, handle)).rejects.toMatchObject({
      code: 'conflict',
      detail: { reason: 'other network', device: '10.9.0.5', browser: '127.0.0.1' },
    });
  });

  test('claimed from another network it contradicts itself; approved all the same, it is known there from then on', async () => {
    const clientId = await fresh();
    const far = await codesOf(clientId, elsewhere);
    const { handle } = await match(world.olive, far);
    const claimed = await claim(world, world.olive, handle);
    expect(
      claimed.opened.facts
        .filter(({ kind }) => ['network agreement', 'device'].includes(kind))
        .map(({ kind, status }) => `${kind} ${status}`),
    ).toEqual(['network agreement contradicted', 'device observed']);
    const again = await codesOf(clientId, { 'x-forwarded-for': '10.9.0.77' });
    const joined = await match(world.olive, again);
    const { claimKey } = await openHandle(world.as(world.olive), { handle: joined.handle });
    await joinWaiting(world.as(world.olive), { handle: joined.handle, claimKey });
    const third = await match(world.olive, await codesOf(clientId, { 'x-forwarded-for': '10.77.0.5' }));
    const key = await openHandle(world.as(world.olive), { handle: third.handle });
    await expect(
      joinWaiting(world.as(world.olive), { handle: third.handle, claimKey: key.claimKey }),
    ).rejects.toMatchObject({ code: 'conflict' });
    await approve(world, claimed);
    clock.advanceSeconds(6);
    expect((await poll(clientId, far, elsewhere)).json()).toHaveProperty('access_token');
    const later = await codesOf(clientId, elsewhere);
    await continues(world.olive, (await match(world.olive, later)).handle);
    clock.advanceSeconds(6);
    expect((await poll(clientId, later, elsewhere)).json()).toHaveProperty('access_token');
  });

  test('is not known there because its person and it were once in that network together', async () => {
    const clientId = await fresh();
    const home = await codesOf(clientId);
    await approve(world, await claim(world, world.olive, (await match(world.olive, home)).handle));
    await wait(clientId, home);
    // Both in a café: no approver is asked, and none has seen it.
    const cafe = await codesOf(clientId, elsewhere);
    const there = { address: '10.9.0.6' };
    await continues(world.olive, (await match(world.olive, cafe, there)).handle, there);
    clock.advanceSeconds(6);
    expect((await poll(clientId, cafe, elsewhere)).json()).toHaveProperty('access_token');
    const later = await match(world.olive, await codesOf(clientId, elsewhere));
    const opened = await openHandle(world.as(world.olive), { handle: later.handle });
    expect(opened).toMatchObject({ standing: 'approved', device: { place: 'other network', isHeld: true } });
    await expect(continues(world.olive, later.handle)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('that polls from elsewhere than it asked from gets nothing, and takes nothing from its device', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    await approve(world, await claim(world, world.olive, (await match(world.olive, codes)).handle));
    clock.advanceSeconds(6);
    for (let round = 0; round < 3; round++) {
      expect((await poll(clientId, codes, elsewhere)).json()).toMatchObject({ error: 'access_denied' });
    }
    expect(await events(clientId, 'transaction.continue')).toHaveLength(0);
    const other = { resource: 'https://elsewhere.example/mcp' };
    expect((await poll(clientId, codes, {}, other)).json()).toMatchObject({ error: 'invalid_target' });
    expect((await poll(clientId, codes)).json()).toHaveProperty('access_token');
  });
});

describe('who may ask, and how much', () => {
  test.each([
    ['no client_id', { client_id: '' }, 401, 'invalid_client'],
    [
      'a client nobody knows',
      { client_id: 'client_00000000000000000000000000000000' },
      401,
      'invalid_client',
    ],
    ['a metadata document', { client_id: 'https://app.example/client.json' }, 400, 'unauthorized_client'],
    ['a resource that is none', { resource: 'not a uri' }, 400, 'invalid_target'],
    ['a resource nobody knows', { resource: 'https://elsewhere.example/mcp' }, 400, 'invalid_target'],
  ])('refuses %s', async (_case, form, status, error) => {
    const clientId = await fresh();
    const before = await gate.database.db.prisma.deviceRequest.count();
    const answer = await ask(clientId, form);
    expect({ status: answer.status, error: answer.json().error }).toEqual({ status, error });
    expect(await gate.database.db.prisma.deviceRequest.count()).toBe(before);
  });

  test('refuses a client not registered for it, and a secret where none is registered', async () => {
    const browserOnly = await fresh({ grant_types: ['authorization_code'] });
    expect((await ask(browserOnly)).json()).toMatchObject({ error: 'unauthorized_client' });
    expect((await ask(await fresh(), { client_secret: 'x' })).json()).toMatchObject({
      error: 'invalid_client',
    });
  });

  test('refuses form faults without a row: JSON, a repeated parameter, parameters in the query', async () => {
    const clientId = await fresh();
    const before = await gate.database.db.prisma.deviceRequest.count();
    const { post } = tokenClient(gate);
    const form = `client_id=${clientId}`;
    expect((await post('/device_authorization', `${form}&${form}`)).status).toBe(400);
    expect((await post(`/device_authorization?${form}`, form)).status).toBe(400);
    expect((await post('/device_authorization', form, { 'content-type': 'application/json' })).status).toBe(
      415,
    );
    expect((await gate.ask('/device_authorization')).status).toBe(405);
    expect(await gate.database.db.prisma.deviceRequest.count()).toBe(before);
  });

  test('a client has five devices waiting in one network at most, and others are not pushed out', async () => {
    const clientId = await fresh();
    const first = await codesOf(clientId);
    for (let round = 0; round < 4; round++) expect((await ask(clientId)).status).toBe(200);
    const sixth = await ask(clientId);
    expect({ status: sixth.status, error: sixth.json().error }).toEqual({
      status: 429,
      error: 'too_many_requests',
    });
    expect((await ask(clientId, {}, { 'x-forwarded-for': '10.9.0.5' })).status).toBe(200);
    expect((await poll(clientId, first)).json()).toMatchObject({ error: 'authorization_pending' });
  });

  test('a sign-in that is over counts no more', async () => {
    const clientId = await fresh();
    for (let round = 0; round < 7; round++) {
      const answer = await ask(clientId);
      expect(answer.status).toBe(200);
      const codes = answer.json() as Codes;
      if (round === 0) {
        await approve(world, await claim(world, world.olive, (await match(world.olive, codes)).handle));
      } else await continues(world.olive, (await match(world.olive, codes)).handle);
      expect(await wait(clientId, codes)).toHaveProperty('access_token');
    }
  });

  test('strangers who fill a network’s share do not keep out a client somebody has claimed', async () => {
    const near = (last: number) => ({ 'x-forwarded-for': `10.44.0.${last}` });
    const claimedClient = await fresh();
    const codes = await codesOf(claimedClient);
    await claim(world, world.olive, (await match(world.olive, codes)).handle);
    for (let stranger = 0; stranger < 10; stranger++) {
      const clientId = await fresh();
      for (let round = 0; round < 5; round++) await ask(clientId, {}, near(stranger));
    }
    expect((await ask(await fresh(), {}, near(99))).status).toBe(429);
    expect((await ask(claimedClient, {}, near(100))).status).toBe(200);
  });

  test('pages cannot read it: no origin is allowed, and no preflight is answered', async () => {
    const origin = { origin: 'https://page.example' };
    const answer = await ask(await fresh(), {}, origin);
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    const preflight = await gate.ask('/device_authorization', {
      method: 'OPTIONS',
      headers: { ...origin, 'access-control-request-method': 'POST' },
    });
    expect(preflight.headers).not.toHaveProperty('access-control-allow-origin');
  });

  test('polls with a code nobody has claimed write nothing into history, whatever they are answered', async () => {
    const [own, other] = [await fresh(), await fresh()];
    const codes = await codesOf(own);
    const count = () =>
      gate.database.db.prisma.auditEvent.count({ where: { clientId: { in: [own, other] } } });
    const before = await count();
    for (let round = 0; round < 5; round++) {
      await poll(other, codes);
      await wait(own, codes);
    }
    clock.advanceSeconds(1_801);
    for (let round = 0; round < 5; round++) {
      expect((await wait(own, codes)).error).toBe('expired_token');
    }
    expect(await count()).toBe(before);
  });

  test('the console’s database role sees neither the number nor a digest', async () => {
    const { rows } = await gate.database.db.hot.query<{ column_name: string }>(
      `SELECT column_name FROM information_schema.columns
        WHERE table_name = 'device_request'
          AND has_column_privilege('countersign_console', 'device_request', column_name, 'SELECT')`,
    );
    const seen = rows.map(({ column_name }) => column_name);
    expect(seen).toContain('choices');
    for (const hidden of ['number', 'code_challenge', 'user_code_digest']) expect(seen).not.toContain(hidden);
  });

  test('from a network registrations are not taken from nothing is written', async () => {
    const clientId = await fresh();
    const before = await gate.database.db.prisma.deviceRequest.count();
    const answer = await ask(clientId, {}, { 'x-forwarded-for': '203.0.113.9' });
    expect({ status: answer.status, error: answer.json().error }).toEqual({
      status: 403,
      error: 'access_denied',
    });
    expect(await gate.database.db.prisma.deviceRequest.count()).toBe(before);
  });

  test('a device code is worth nothing to another client, and its own goes on', async () => {
    const [own, other] = [await fresh(), await fresh()];
    const codes = await codesOf(own);
    expect((await poll(other, codes)).json()).toMatchObject({ error: 'invalid_grant' });
    expect((await poll(own, codes)).json()).toMatchObject({ error: 'authorization_pending' });
    expect((await poll(own, { device_code: 'x'.repeat(43) })).json()).toMatchObject({
      error: 'invalid_grant',
    });
    expect((await poll(own, { device_code: 'short' })).json()).toMatchObject({ error: 'invalid_grant' });
  });

  test('the user code is no device code, and neither is in the database or in history', async () => {
    const clientId = await fresh();
    const codes = await codesOf(clientId);
    await type(world.olive, codes);
    const letters = codes.user_code.slice(0, 9).replace('-', '');
    const { rows } = await gate.database.db.hot.query<{ found: number }>(
      `SELECT (SELECT count(*)::int FROM device_request d WHERE d::text LIKE ANY($1))
            + (SELECT count(*)::int FROM audit_event e WHERE e::text LIKE ANY($1)) AS found`,
      [[`%${codes.device_code}%`, `%${letters}%`, `%${codes.user_code.slice(0, 9)}%`]],
    );
    expect(rows[0]?.found).toBe(0);
  });

  test('a confidential client proves itself when it asks and at every poll', async () => {
    const answer = await gate.ask('/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...deviceClient,
        client_name: 'Kiosk',
        token_endpoint_auth_method: 'client_secret_post',
      }),
    });
    const { client_id, client_secret } = answer.json() as Record<string, string>;
    const secret = { client_secret: client_secret as string };
    expect((await ask(client_id as string)).json()).toMatchObject({ error: 'invalid_client' });
    const codes = (await ask(client_id as string, secret)).json() as Codes;
    expect((await poll(client_id as string, codes)).json()).toMatchObject({ error: 'invalid_client' });
    expect((await poll(client_id as string, codes, {}, secret)).json()).toMatchObject({
      error: 'authorization_pending',
    });
  });

  test('rows go a day after their end', async () => {
    const codes = await codesOf(await fresh());
    const { deviceId } = await type(world.olive, codes);
    const find = () => gate.database.db.prisma.deviceRequest.findUnique({ where: { id: deviceId } });
    const system = ctxOf(gate.running.gate, { actor: systemActor('jobs') });
    clock.advanceSeconds(24 * 3_600);
    await forgetExpired(system);
    expect(await find()).not.toBeNull();
    clock.advanceSeconds(1_801);
    await forgetExpired(system);
    expect(await find()).toBeNull();
  });
});

describe('where it is switched off', () => {
  test('there is no endpoint, no grant, and no client can be registered for it', async () => {
    await using off = await startTestGate(4549, {}, { clock });
    expect((await tokenClient(off).post('/device_authorization', { client_id: 'x' })).status).toBe(404);
    const metadata = (await off.ask('/.well-known/oauth-authorization-server')).json();
    expect(metadata).not.toHaveProperty('device_authorization_endpoint');
    expect(metadata.grant_types_supported).not.toContain(deviceCodeGrant);
    const registered = await off.ask('/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...deviceClient, client_name: 'Shell' }),
    });
    expect(registered.json()).toMatchObject({ error: 'invalid_client_metadata' });
    const clientId = await registerClient(off, {
      ...deviceClient,
      grant_types: [...deviceClient.grant_types, 'authorization_code'],
      client_name: 'Shell',
    });
    const answer = await tokenClient(off).post('/token', {
      grant_type: deviceCodeGrant,
      client_id: clientId,
      device_code: 'x'.repeat(43),
    });
    expect(answer.json()).toMatchObject({ error: 'unsupported_grant_type' });
  });
});
