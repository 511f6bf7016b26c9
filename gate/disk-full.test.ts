import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { createResourceToken } from '#lib/credentials/resource-tokens.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { createApprovedAgent, deliveredCode } from '#tests/credentials-world.ts';
import { type Answer, startTestGate, type TestGate } from '#tests/gate.ts';
import { buildRequestsWorld, newJwks, purpose, type RequestsWorld } from '#tests/requests-world.ts';
import { bodyOf, type TokenClient, tokenClient } from '#tests/token-client.ts';
import { ctxOf } from './context.ts';

/**
 * PostgreSQL has no room left and answers 53100 to whatever would write, or only to the event, which is written last
 * (T67). Whoever asked is told to come again, nothing is half done, reading goes on, and with room the same works.
 */

let gate: TestGate;
let client: TokenClient;
let world: RequestsWorld;
let superuser: pg.Client;
let resourceToken: string;
const tokens: Record<string, string> = {};

const system = () => ctxOf(gate.running.gate, { actor: systemActor('test') });

beforeAll(async () => {
  gate = await startTestGate(27040);
  client = tokenClient(gate);
  world = await buildRequestsWorld(gate.database.db);
  await ensureSigningKeys(system());
  await gate.database.db.prisma.installation.create({
    data: { id: 1, issuer: gate.issuer, createdAt: new Date() },
  });
  for (const name of ['olive', 'ava', 'adam'] as const) {
    const ctx = ctxOf(gate.running.gate, { actor: { ...world[name], elevatedAt: new Date() } });
    tokens[name] = (await createApiToken(ctx, { name: 'Test', days: 1 })).token;
  }
  const made = await createResourceToken(ctxOf(gate.running.gate, { actor: world.adam }), {
    serverId: world.serverId,
    name: 'test',
    lifetimeDays: 1,
  });
  resourceToken = made.token;
  superuser = new pg.Client({ connectionString: gate.database.superuserUrl });
  await superuser.connect();
  await superuser.query(`CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file "base/16384/2619": No space left on device' USING ERRCODE = '53100';
  END $$`);
});
afterAll(async () => {
  await superuser?.end();
  await gate?.close();
});

async function tables(): Promise<string[]> {
  const { rows } = await superuser.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`,
  );
  return rows.map(({ name }) => name);
}

async function fill(names: readonly string[]): Promise<void> {
  for (const name of names)
    await superuser.query(
      `CREATE TRIGGER no_room BEFORE INSERT OR UPDATE OR DELETE ON ${name} FOR EACH ROW EXECUTE FUNCTION no_room()`,
    );
}

async function makeRoom(): Promise<void> {
  for (const name of await tables()) await superuser.query(`DROP TRIGGER IF EXISTS no_room ON ${name}`);
}

/** Every row of every table, as one digest a table, but for what only says who asked and when. */
async function everything(): Promise<Record<string, string>> {
  const digests: Record<string, string> = {};
  for (const name of (await tables()).filter((each) => !['api_token', 'rate_bucket'].includes(each))) {
    const { rows } = await superuser.query(
      `SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) AS digest FROM ${name} t`,
    );
    digests[name] = rows[0].digest;
  }
  return digests;
}

function call(who: string, method: string, path: string, body?: object): Promise<Answer> {
  return gate.ask(`/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${tokens[who]}`, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}

const register = (name: string) =>
  gate.ask('/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: name, redirect_uris: ['http://127.0.0.1:4798/callback'] }),
  });

async function draft() {
  return {
    kind: 'new',
    agentName: 'Notes keeper',
    purpose,
    lifetimeSeconds: 28_800,
    tools: [{ serverId: world.serverId, name: 'list_notes' }],
    client: { kind: 'key', jwks: await newJwks() },
    submit: true,
  };
}

/** Every way to change something, each ready to be asked; asked again with room it must succeed. */
async function prepare(): Promise<Record<string, () => Promise<Answer>>> {
  const server = { serverId: world.serverId, resource: world.resource, tools: ['list_notes'] };
  const signedIn = await createApprovedAgent(system(), { server });
  const token = bodyOf(await client.redeem(signedIn, await deliveredCode(system(), signedIn)));
  const leaving = await createApprovedAgent(system(), { server });
  const left = bodyOf(await client.redeem(leaving, await deliveredCode(system(), leaving)));
  const [waiting, keyed, doomed] = [
    await createApprovedAgent(system(), { server }),
    await createApprovedAgent(system(), { server, authMethod: 'private_key_jwt' }),
    await createApprovedAgent(system(), { server }),
  ];
  const code = await deliveredCode(system(), waiting);
  const form = {
    grant_type: 'client_credentials',
    client_id: keyed.clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await client.assertion(keyed),
  };
  const filed = (await call('olive', 'POST', '/requests', await draft())).json() as { id: string };
  const review = (await call('ava', 'GET', `/requests/${filed.id}/review`)).json();
  const { snapshotDigest } = review as { snapshotDigest: string };
  const request = await draft();
  return {
    'a registration': () => register(`Client ${keyed.agentId}`),
    'a code': () => client.redeem(waiting, code),
    'an assertion': () => client.post('/token', form),
    'a refresh token': () => client.refresh(signedIn, token.refresh_token),
    'a revocation by the client': () => client.revoke(leaving, left.refresh_token),
    'a request': () => call('olive', 'POST', '/requests', request),
    'an approval': () => call('ava', 'POST', `/requests/${filed.id}/approve`, { snapshotDigest }),
    'a suspension': () => call('adam', 'POST', `/agents/${doomed.agentId}/suspend`, { reason: 'test' }),
  };
}

describe.each([
  ['anywhere', tables],
  ['for the history', async () => ['audit_event']],
])('without room %s', (_, full) => {
  test('nothing changes, everyone is told to come again, and reading goes on', {
    timeout: 60_000,
  }, async () => {
    const acts = await prepare();
    const agent = await createApprovedAgent(system(), {
      server: { serverId: world.serverId, resource: world.resource, tools: ['list_notes'] },
    });
    const good = bodyOf(await client.redeem(agent, await deliveredCode(system(), agent)));
    // Seen once, so that what introspection notes by itself is noted already.
    expect((await client.introspect(resourceToken, good.access_token)).json().active).toBe(true);
    const seen = () =>
      gate.database.db.prisma.credential.count({
        where: { agentId: agent.agentId, lastSeenAt: { not: null } },
      });
    await expect.poll(seen).toBe(1);
    const before = await everything();
    await fill(await full());
    try {
      for (const [name, act] of Object.entries(acts)) {
        const answer = await act();
        expect([name, answer.status, answer.text]).toEqual([name, 503, expect.anything()]);
        expect(answer.headers['retry-after']).toBeDefined();
        expect(answer.text).not.toMatch(/extend file|base\/16384|53100|node_modules|prisma/i);
      }
      expect((await client.introspect(resourceToken, good.access_token)).json().active).toBe(true);
      for (const path of ['/agents', '/requests?state=submitted', '/audit/events', '/me']) {
        expect([path, (await call('adam', 'GET', path)).status]).toEqual([path, 200]);
      }
      expect((await gate.ask('/.well-known/oauth-authorization-server')).status).toBe(200);
      expect(await everything()).toEqual(before);
    } finally {
      await makeRoom();
    }
    for (const [name, act] of Object.entries(acts)) {
      const answer = await act();
      expect([name, answer.status, answer.text]).toEqual([name, expect.toBeOneOf([200, 201]), answer.text]);
    }
  });
});
