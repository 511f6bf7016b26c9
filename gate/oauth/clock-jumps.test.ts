import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createResourceToken } from '#lib/credentials/resource-tokens.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { forgetExpired } from '#lib/jobs/forget-expired.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { addSeconds, type Clock } from '#lib/platform/clock.ts';
import { createApprovedAgent, deliveredCode } from '../../tests/credentials-world.ts';
import { personActor } from '../../tests/ctx.ts';
import { startTestGate, type TestGate } from '../../tests/gate.ts';
import { bodyOf, type TokenClient, tokenClient } from '../../tests/token-client.ts';
import { ctxOf } from '../context.ts';

/** The host's clock is set wrong and right again while the gate runs (T63). Nothing that had ended comes back. */

/** Wall and monotonic clock as a host has them: when the wall clock is set, the other goes on undisturbed. */
class HostClock implements Clock {
  #wallMs = Date.parse('2026-03-02T09:00:00.000Z');
  #monotonicMs = 0;

  now(): Date {
    return new Date(this.#wallMs);
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  pass(seconds: number): void {
    this.#wallMs += seconds * 1000;
    this.#monotonicMs += seconds * 1000;
  }

  /** Somebody sets the wall clock. */
  jump(seconds: number): void {
    this.#wallMs += seconds * 1000;
  }
}

const hour = 3600;
const clock = new HostClock();
let gate: TestGate;
let client: TokenClient;

beforeAll(async () => {
  gate = await startTestGate(27030, {}, { clock });
  client = tokenClient(gate);
  await ensureSigningKeys(system());
});
afterAll(() => gate?.close());
/** Every case begins later than all before it. */
beforeEach(() => clock.pass(10 * hour));

const system = () => ctxOf(gate.running.gate, { actor: systemActor('test') });

/** The approval is older than any jump, so that what refuses is not that it is not in force yet. */
async function signIn() {
  const agent = await createApprovedAgent(system());
  clock.pass(2 * hour);
  const delivered = await deliveredCode(system(), agent);
  const answer = await client.redeem(agent, delivered);
  expect(answer.status).toBe(200);
  const { token: resourceToken } = await createResourceToken(
    { ...system(), actor: personActor('per_admin', ['admin']) },
    { serverId: agent.serverId, name: 'test', lifetimeDays: 30 },
  );
  const isActive = async (token: string) =>
    (await client.introspect(resourceToken, token)).json().active as boolean;
  return { agent, delivered, isActive, ...bodyOf(answer) };
}

async function keyedAgent() {
  const agent = await createApprovedAgent(system(), { authMethod: 'private_key_jwt' });
  clock.pass(2 * hour);
  const fresh = await client.assertion(agent);
  const present = (assertion = fresh) =>
    client.post('/token', {
      grant_type: 'client_credentials',
      client_id: agent.clientId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    });
  return { agent, present };
}

describe('a clock that goes back an hour', () => {
  test('revives no access token that had expired', async () => {
    const { access_token, isActive, expires_in } = await signIn();
    expect(await isActive(access_token)).toBe(true);
    clock.pass(expires_in + 60);
    expect(await isActive(access_token)).toBe(false);
    clock.jump(-hour);
    expect(await isActive(access_token)).toBe(false);
  });

  test('revives no code that had expired, and makes none that was used new', async () => {
    const { agent, delivered } = await signIn();
    const late = await deliveredCode(system(), agent);
    clock.pass(120);
    expect(bodyOf(await client.redeem(agent, late)).error).toBe('invalid_grant');
    clock.jump(-hour);
    expect(bodyOf(await client.redeem(agent, late)).error).toBe('invalid_grant');
    expect(bodyOf(await client.redeem(agent, delivered)).error).toBe('invalid_grant');
  });

  test('brings back no grace: a refresh token rotated long ago still ends its family', async () => {
    const { agent, refresh_token } = await signIn();
    const rotated = await client.refresh(agent, refresh_token);
    expect(rotated.status).toBe(200);
    clock.pass(10 * 60);
    clock.jump(-hour);
    expect(bodyOf(await client.refresh(agent, refresh_token)).error).toBeOneOf([
      'invalid_grant',
      'access_denied',
    ]);
    clock.jump(hour);
    expect(bodyOf(await client.refresh(agent, refresh_token)).error).toBe('invalid_grant');
    expect(bodyOf(await client.refresh(agent, bodyOf(rotated).refresh_token)).error).toBe('invalid_grant');
  });

  test('takes no client assertion that an honest clock would not have made yet', async () => {
    const { present } = await keyedAgent();
    clock.jump(-hour);
    expect([(await present()).status, (await present()).status]).toEqual([401, 401]);
    clock.jump(hour);
    expect((await present()).status).toBe(200);
  });

  test('gives nobody back who had expired', async () => {
    const agent = await createApprovedAgent(system(), {
      authMethod: 'private_key_jwt',
      lifetimeSeconds: 300,
    });
    expect((await client.credentials(agent)).status).toBe(200);
    clock.pass(400);
    expect(bodyOf(await client.credentials(agent)).error).toBe('access_denied');
    clock.jump(-hour);
    expect((await client.credentials(agent)).status).not.toBe(200);
  });
});

describe('a clock that goes ahead an hour and back', () => {
  test('lets no client assertion be used again, though used ones were tidied away meanwhile', async () => {
    const { present } = await keyedAgent();
    expect((await present()).status).toBe(200);
    clock.jump(hour);
    await forgetExpired(system());
    clock.jump(-hour);
    expect(bodyOf(await present()).error).toBe('invalid_client');
  });

  test('refuses while ahead what is over by then, and goes on afterwards with what is not', async () => {
    const keyed = await keyedAgent();
    const { agent, access_token, refresh_token, isActive } = await signIn();
    const unused = await deliveredCode(system(), agent);
    const assertion = await client.assertion(keyed.agent);
    const present = () => keyed.present(assertion);
    clock.jump(hour);
    expect(await isActive(access_token)).toBe(false);
    expect(bodyOf(await client.redeem(agent, unused)).error).toBe('invalid_grant');
    expect((await present()).status).toBe(401);
    clock.jump(-hour);
    expect(await isActive(access_token)).toBe(true);
    expect((await client.redeem(agent, unused)).status).toBe(200);
    expect((await present()).status).toBe(200);
    expect((await client.refresh(agent, refresh_token)).status).toBe(200);
  });
});

test.each([29, -29])('two gates whose clocks are %i s apart take what the other made', async (seconds) => {
  const keyed = await keyedAgent();
  const { agent, access_token, refresh_token, isActive } = await signIn();
  const code = await deliveredCode(system(), agent);
  const assertion = await client.assertion(keyed.agent);
  const before = clock.now();
  clock.jump(seconds);
  expect(clock.now()).toEqual(addSeconds(before, seconds));
  expect(await isActive(access_token)).toBe(true);
  expect((await client.redeem(agent, code)).status).toBe(200);
  expect((await keyed.present(assertion)).status).toBe(200);
  const first = bodyOf(await client.refresh(agent, refresh_token));
  clock.jump(-seconds);
  expect(bodyOf(await client.refresh(agent, refresh_token)).refresh_token).toBe(first.refresh_token);
});
