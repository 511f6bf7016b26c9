import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { type ApprovedAgent, createApprovedAgent, deliveredCode } from '#tests/credentials-world.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { bodyOf, type TokenClient, tokenClient } from '#tests/token-client.ts';
import { ctxOf } from '../context.ts';

let gate: TestGate;
let client: TokenClient;

beforeAll(async () => {
  gate = await startTestGate(4701);
  client = tokenClient(gate);
  await ensureSigningKeys(system());
});
afterAll(() => gate.close());

const system = () => ctxOf(gate.running.gate, { actor: systemActor('test') });

/**
 * The token endpoint's answer in every state, as `[status, error]` for a code, a refresh token and client
 * credentials. Real clients throw their registration away on `invalid_client` and `unauthorized_client`, sign in
 * again on `invalid_grant`, and keep everything on `access_denied`.
 */
const table: {
  state: string;
  /** Statements that bring the agent $1 into the state. */
  by: string[];
  code: [number, string] | null;
  refresh: [number, string] | null;
  credentials: [number, string];
  says?: RegExp;
  /** Concerns what never changes once approved, so what is remembered of it for seconds may stay. */
  cold?: boolean;
}[] = [
  {
    state: 'waiting for a decision',
    by: [
      "UPDATE agent SET state = 'pending' WHERE id = $1",
      "UPDATE instance SET state = 'quarantined' WHERE agent_id = $1",
      "UPDATE registration_request SET state = 'submitted' WHERE agent_id = $1",
    ],
    code: [400, 'access_denied'],
    refresh: [400, 'access_denied'],
    credentials: [400, 'access_denied'],
    says: /Request CS-\d+ is waiting for a decision: http:\/\/countersign\.localhost:\d+\/requests\/req_/,
  },
  ...(['rejected', 'withdrawn', 'expired'] as const).map((state) => ({
    state: `request ${state}`,
    by: [
      "UPDATE agent SET state = 'pending' WHERE id = $1",
      "UPDATE instance SET state = 'quarantined' WHERE agent_id = $1",
      `UPDATE registration_request SET state = '${state}' WHERE agent_id = $1`,
    ],
    code: [400, 'access_denied'] as [number, string],
    refresh: [400, 'access_denied'] as [number, string],
    credentials: [400, 'access_denied'] as [number, string],
    says: /not approved/,
  })),
  {
    state: 'instance rejected',
    by: ["UPDATE instance SET state = 'rejected' WHERE agent_id = $1"],
    code: [400, 'access_denied'],
    refresh: [400, 'access_denied'],
    credentials: [400, 'access_denied'],
  },
  {
    state: 'suspended, families frozen',
    by: [
      "UPDATE agent SET state = 'suspended', state_cause = 'administrative', epoch = epoch + 1 WHERE id = $1",
      "UPDATE instance SET state = 'suspended' WHERE agent_id = $1",
      "UPDATE refresh_family SET state = 'frozen' WHERE agent_id = $1",
    ],
    code: [400, 'access_denied'],
    refresh: [400, 'access_denied'],
    credentials: [400, 'access_denied'],
    says: /is suspended\. Its owner can ask to reinstate it: http.*\/agents\/agt_/,
  },
  {
    state: 'suspended for compromise, families dead',
    by: [
      "UPDATE agent SET state = 'suspended', state_cause = 'compromise', epoch = epoch + 1 WHERE id = $1",
      "UPDATE refresh_family SET state = 'ended', end_cause = 'revoked' WHERE agent_id = $1",
    ],
    code: [400, 'invalid_grant'],
    refresh: [400, 'invalid_grant'],
    credentials: [400, 'access_denied'],
  },
  {
    state: 'owner disabled',
    by: ["UPDATE person SET state = 'deactivated' WHERE id = (SELECT owner_id FROM agent WHERE id = $1)"],
    code: [400, 'access_denied'],
    refresh: [400, 'access_denied'],
    credentials: [400, 'access_denied'],
    says: /no longer active/,
  },
  {
    state: 'revoked',
    by: [
      "UPDATE agent SET state = 'revoked', epoch = epoch + 1 WHERE id = $1",
      "UPDATE instance SET state = 'revoked' WHERE agent_id = $1",
      "UPDATE refresh_family SET state = 'ended', end_cause = 'revoked' WHERE agent_id = $1",
    ],
    code: [400, 'invalid_grant'],
    refresh: [400, 'invalid_grant'],
    credentials: [400, 'invalid_grant'],
  },
  {
    state: 'agent expired',
    by: [
      "UPDATE agent SET state = 'expired' WHERE id = $1",
      "UPDATE instance SET state = 'expired' WHERE agent_id = $1",
    ],
    code: [400, 'invalid_grant'],
    refresh: [400, 'invalid_grant'],
    credentials: [400, 'access_denied'],
    says: /has ended/,
  },
  {
    state: 'binding expired',
    by: [
      "UPDATE tool_binding SET first_issued_at = now() - interval '2 days', expires_at = now() - interval '1 day' WHERE agent_id = $1",
    ],
    code: [400, 'invalid_grant'],
    refresh: [400, 'invalid_grant'],
    credentials: [400, 'access_denied'],
    says: /has ended/,
  },
  {
    state: 'binding ended',
    by: ["UPDATE tool_binding SET ended_at = now(), end_cause = 'superseded' WHERE agent_id = $1"],
    code: [400, 'invalid_grant'],
    refresh: [400, 'invalid_grant'],
    credentials: [400, 'access_denied'],
  },
  {
    state: 'metadata no longer what was approved',
    by: [
      "UPDATE client SET metadata_digest = 'sha256:other' WHERE id IN (SELECT client_id FROM instance WHERE agent_id = $1)",
    ],
    code: [400, 'access_denied'],
    refresh: [400, 'access_denied'],
    credentials: [400, 'access_denied'],
  },
  {
    state: 'binding wider than its approval',
    by: ["UPDATE tool_binding SET tool_names = tool_names || ARRAY['smuggled'] WHERE agent_id = $1"],
    cold: true,
    code: [400, 'invalid_grant'],
    refresh: [400, 'invalid_grant'],
    credentials: [400, 'access_denied'],
  },
  {
    state: 'forgotten',
    by: [
      'UPDATE client SET forgotten_at = now() WHERE id IN (SELECT client_id FROM instance WHERE agent_id = $1)',
    ],
    code: [401, 'invalid_client'],
    refresh: [401, 'invalid_client'],
    credentials: [401, 'invalid_client'],
  },
];

async function bringInto(agent: ApprovedAgent, statements: readonly string[]) {
  for (const statement of statements) await gate.database.db.hot.query(statement, [agent.agentId]);
}

async function effects(agent: ApprovedAgent) {
  const { rows } = await gate.database.db.hot.query(
    `SELECT (SELECT count(*)::int FROM credential WHERE agent_id = $1) AS credentials,
            (SELECT count(*)::int FROM authorization_code WHERE agent_id = $1 AND used_at IS NOT NULL) AS codes,
            (SELECT count(*)::int FROM refresh_token t JOIN refresh_family f ON f.id = t.family_id
              WHERE f.agent_id = $1 AND t.first_used_at IS NOT NULL) AS refreshes`,
    [agent.agentId],
  );
  return rows[0];
}

describe.each(table)('$state', ({ by, code, refresh, credentials, says, cold }) => {
  test('code', async () => {
    const agent = await createApprovedAgent(system());
    const delivered = await deliveredCode(system(), agent);
    await bringInto(agent, by);
    const before = await effects(agent);
    const answer = await client.redeem(agent, delivered);
    expect([answer.status, bodyOf(answer).error]).toEqual(code);
    expect(await effects(agent)).toEqual(before);
  });

  test('refresh', async () => {
    const agent = await createApprovedAgent(system());
    const token = bodyOf(await client.redeem(agent, await deliveredCode(system(), agent)));
    await bringInto(agent, by);
    const before = await effects(agent);
    const answer = await client.refresh(agent, token.refresh_token);
    expect([answer.status, bodyOf(answer).error]).toEqual(refresh);
    expect(await effects(agent)).toEqual(before);
    if (bodyOf(answer).error === 'access_denied') {
      expect(bodyOf(answer).error_uri).toMatch(/^http:\/\/countersign\.localhost:/);
    }
  });

  test('client credentials', async () => {
    const agent = await createApprovedAgent(system(), { authMethod: 'private_key_jwt' });
    if (!cold) await client.credentials(agent);
    await bringInto(agent, by);
    const before = await effects(agent);
    const answer = await client.credentials(agent);
    expect([answer.status, bodyOf(answer).error]).toEqual(credentials);
    expect(await effects(agent)).toEqual(before);
    if (says) expect(bodyOf(answer).error_description).toMatch(says);
    const refusals = await gate.database.db.prisma.auditEvent.findMany({
      where: { clientId: agent.clientId, kind: 'refusal.authenticated' },
    });
    expect(refusals).toHaveLength(bodyOf(answer).error === 'invalid_client' ? 0 : 1);
  });
});

test('a registered client nobody claimed gets nothing by any grant, and is never told to register again (T01)', async () => {
  const registered = await gate.ask('/register', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      redirect_uris: ['http://127.0.0.1:4799/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    }),
  });
  const clientId = registered.json().client_id as string;
  const grants: [Record<string, string>, string][] = [
    [{ grant_type: 'client_credentials' }, 'access_denied'],
    [
      {
        grant_type: 'authorization_code',
        code: 'csc_x',
        code_verifier: 'v'.repeat(43),
        redirect_uri: 'http://127.0.0.1:4799/callback',
      },
      'invalid_grant',
    ],
    [{ grant_type: 'refresh_token', refresh_token: 'csr_x' }, 'invalid_grant'],
    [{ grant_type: 'password', username: 'a', password: 'b' }, 'unsupported_grant_type'],
    [{ grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange' }, 'unsupported_grant_type'],
    [
      { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: 'x' },
      'unsupported_grant_type',
    ],
    [{ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'x' }, 'unsupported_grant_type'],
    [{ grant_type: 'implicit' }, 'unsupported_grant_type'],
  ];
  for (const [form, error] of grants) {
    const answer = await client.post('/token', { client_id: clientId, ...form });
    expect([form.grant_type, answer.status, bodyOf(answer).error]).toEqual([form.grant_type, 400, error]);
  }
  const { rows } = await gate.database.db.hot.query(
    'SELECT count(*)::int AS n FROM credential WHERE client_id = $1',
    [clientId],
  );
  expect(rows[0].n).toBe(0);
});

test('while issuance is stopped nothing is minted, and the same request works afterwards', async () => {
  const agent = await createApprovedAgent(system());
  const delivered = await deliveredCode(system(), agent);
  const { hot } = gate.database.db;
  await hot.query(
    "INSERT INTO installation (id, issuer, created_at, issuance_stopped_at) VALUES (1, 'x', now(), now()) ON CONFLICT (id) DO UPDATE SET issuance_stopped_at = now()",
  );
  const stopped = await client.redeem(agent, delivered);
  expect([stopped.status, bodyOf(stopped).error, stopped.headers['retry-after']]).toEqual([
    503,
    'temporarily_unavailable',
    '60',
  ]);
  await hot.query('UPDATE installation SET issuance_stopped_at = NULL');
  expect((await client.redeem(agent, delivered)).status).toBe(200);
});

test('a suspended agent that is reinstated refreshes on with what it had', async () => {
  const agent = await createApprovedAgent(system());
  const token = bodyOf(await client.redeem(agent, await deliveredCode(system(), agent)));
  await bringInto(agent, [
    "UPDATE agent SET state = 'suspended', epoch = epoch + 1 WHERE id = $1",
    "UPDATE refresh_family SET state = 'frozen' WHERE agent_id = $1",
  ]);
  expect(bodyOf(await client.refresh(agent, token.refresh_token)).error).toBe('access_denied');
  await bringInto(agent, [
    "UPDATE agent SET state = 'active' WHERE id = $1",
    "UPDATE refresh_family SET state = 'live' WHERE agent_id = $1",
  ]);
  expect((await client.refresh(agent, token.refresh_token)).status).toBe(200);
});

test('a metadata document may change where nobody reviewed it; what matters is the watch over documents', async () => {
  const agent = await createApprovedAgent(system());
  await bringInto(agent, [
    "UPDATE instance SET reviewed_digest = 'sha256:material' WHERE agent_id = $1",
    "UPDATE client SET metadata_digest = 'sha256:other' WHERE id IN (SELECT client_id FROM instance WHERE agent_id = $1)",
  ]);
  expect((await client.redeem(agent, await deliveredCode(system(), agent))).status).toBe(200);
});

test('while the database is away every endpoint answers 503 and comes back by itself (T66)', async () => {
  await using other = await startTestGate(4705);
  const asked = tokenClient(other);
  const there = ctxOf(other.running.gate, { actor: systemActor('test') });
  await ensureSigningKeys(there);
  const agent = await createApprovedAgent(there);
  const delivered = await deliveredCode(there, agent);
  const superuser = new pg.Client({ connectionString: gate.database.superuserUrl });
  await superuser.connect();
  const { name } = other.database;
  try {
    await superuser.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await superuser.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
      name,
    ]);
    const answer = await asked.redeem(agent, delivered);
    expect([answer.status, bodyOf(answer).error]).toEqual([503, 'temporarily_unavailable']);
    expect(answer.headers['retry-after']).toBe('2');
    expect((await asked.revoke(agent, 'csr_x')).status).toBe(503);
  } finally {
    await superuser.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    await superuser.end();
  }
  expect((await asked.redeem(agent, delivered)).status).toBe(200);
});
