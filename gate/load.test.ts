import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { testCtx } from '#tests/ctx.ts';
import { type Answer, startTestGate, type TestGate } from '#tests/gate.ts';
import { addPerson } from '#tests/people.ts';
import { shedAboveMs } from './load.ts';

/** An event loop that is really too busy, in the gate's own process. */

let gate: TestGate;
let token: string;

beforeAll(async () => {
  gate = await startTestGate(27070);
  const ava = await addPerson(gate.database.db, 'ava', ['approver']);
  token = (
    await createApiToken(testCtx(gate.database.db, ava, { clock: systemClock }), { name: 'test', days: 1 })
  ).token;
});
afterAll(() => gate?.close());

/** Keeps the loop busy in slices twice as long as is tolerated, letting others have a turn between them. */
function overload(): { end(): void } {
  let busy = true;
  const slice = () => {
    if (!busy) return;
    const until = performance.now() + 2 * shedAboveMs;
    while (performance.now() < until);
    setImmediate(slice);
  };
  slice();
  return {
    end() {
      busy = false;
    },
  };
}

const anonymous = () => gate.ask('/.well-known/oauth-authorization-server');
const known = (): Record<string, Promise<Answer>> => ({
  'an API token': gate.ask('/api/v1/me', { headers: { authorization: `Bearer ${token}` } }),
  'a client': gate.ask('/token', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'grant_type=client_credentials&client_id=client_x',
  }),
  'a revocation': gate.ask('/revoke', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'token=x&client_id=client_x',
  }),
  'a guard': gate.ask('/guards/v1/feed', { headers: { authorization: 'Guard x' } }),
  'a health check': gate.ask('/healthz'),
});

test('overloaded, the gate turns away whom it does not know, and goes on answering whom it does', {
  timeout: 60_000,
}, async () => {
  expect((await anonymous()).status).toBe(200);
  const load = overload();
  try {
    await expect.poll(async () => (await anonymous()).status, { timeout: 20_000 }).toBe(503);
    const shed = await anonymous();
    expect([shed.status, shed.json(), shed.headers['retry-after']]).toEqual([
      503,
      { error: 'temporarily_unavailable' },
      '1',
    ]);
    const registration = await gate.ask('/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer anything' },
      body: JSON.stringify({ client_name: 'x', redirect_uris: ['http://127.0.0.1:1/cb'] }),
    });
    expect(registration.status).toBe(503);
    expect(await gate.database.db.prisma.client.count()).toBe(0);
    for (const [who, asked] of Object.entries(known())) {
      const { status, text } = await asked;
      expect([who, status, text]).not.toEqual([who, 503, text]);
      if (who === 'an API token') expect(status).toBe(200);
    }
    // The claim above is about an overloaded gate; it must still have been one at the end.
    expect((await anonymous()).status).toBe(503);
    const metrics = await gate.ask('/metrics');
    expect(Number(/^countersign_http_shed_total (\d+)/m.exec(metrics.text)?.[1])).toBeGreaterThan(2);
  } finally {
    load.end();
  }
  await expect.poll(async () => (await anonymous()).status, { timeout: 20_000 }).toBe(200);
});
