import { exportJWK, SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ctxOf } from '#gate/context.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import { type ApprovedAgent, createApprovedAgent } from '#tests/credentials-world.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { type Reference, startReference } from './reference.ts';

/** One server under test, with the clients it knows: the same black-box requests go to both. */
type Side = { name: string; issuer: string; resource: string; keyed: Client; secret: Client; open: Client };
type Client = { id: string; secret?: string; key?: CryptoKey };

let gate: TestGate;
let reference: Reference;
let sides: [Side, Side];

beforeAll(async () => {
  gate = await startTestGate(4703);
  const system = ctxOf(gate.running.gate, { actor: systemActor('test') });
  await ensureSigningKeys(system);
  const [keyed, secret, open] = await Promise.all([
    createApprovedAgent(system, { authMethod: 'private_key_jwt' }),
    createApprovedAgent(system, { authMethod: 'client_secret_basic' }),
    createApprovedAgent(system),
  ]);
  reference = await startReference([
    {
      client_id: keyed.clientId,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      jwks: { keys: [await publicJwk(keyed)] },
    },
    {
      client_id: secret.clientId,
      client_secret: secret.secret,
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: open.clientId,
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [open.redirectUri],
      response_types: ['code'],
      application_type: 'native',
    },
  ]);
  const clients = {
    keyed: { id: keyed.clientId, key: keyed.privateKey as CryptoKey },
    secret: { id: secret.clientId, secret: secret.secret ?? '' },
    open: { id: open.clientId },
  };
  sides = [
    { name: 'countersign', issuer: gate.issuer, resource: keyed.resource, ...clients },
    { name: 'oidc-provider', issuer: reference.issuer, resource: keyed.resource, ...clients },
  ];
});
afterAll(async () => {
  await reference.close();
  await gate.close();
});

async function publicJwk(agent: ApprovedAgent) {
  const { kty, crv, x, y } = await exportJWK(agent.privateKey as CryptoKey);
  return { kty, crv, x, y, alg: 'ES256', use: 'sig' };
}

async function post(
  side: Side,
  path: string,
  form: Record<string, string> | string,
  headers: Record<string, string> = {},
) {
  const answer = await fetch(side.issuer + path, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
  });
  const text = await answer.text();
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: answer.status, error: body.error ?? null };
}

async function assertion(side: Side, claims: Record<string, unknown> = {}): Promise<Record<string, string>> {
  const now = Math.floor(Date.now() / 1000);
  const jwt = await new SignJWT({
    iss: side.keyed.id,
    sub: side.keyed.id,
    aud: side.issuer,
    jti: randomToken(12),
    iat: now,
    exp: now + 60,
    ...claims,
  })
    .setProtectedHeader({ alg: 'ES256' })
    .sign(side.keyed.key as CryptoKey);
  return {
    client_id: side.keyed.id,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: jwt,
  };
}

const basic = (id: string, secret: string) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`,
});
const refresh = { grant_type: 'refresh_token', refresh_token: 'unknown' };
const code = {
  grant_type: 'authorization_code',
  code: 'unknown',
  code_verifier: 'v'.repeat(43),
  redirect_uri: 'http://127.0.0.1:4799/callback',
};

type Case = {
  name: string;
  send(side: Side): Promise<{ status: number; error: unknown }>;
  expected: [number, string | null];
  /** Where the two differ on purpose: what the reference says, and why we say something else. */
  reference?: { says: [number, string | null]; why: string };
};

const cases: Case[] = [
  {
    name: 'an unknown client is invalid_client',
    send: (s) => post(s, '/token', { ...refresh, client_id: 'nobody' }),
    expected: [401, 'invalid_client'],
  },
  {
    name: 'no client at all',
    send: (s) => post(s, '/token', refresh),
    expected: [401, 'invalid_client'],
    reference: {
      says: [400, 'invalid_request'],
      why: 'RFC 6749 §5.2: "no client authentication included" is invalid_client',
    },
  },
  {
    name: 'an unknown refresh token is invalid_grant',
    send: (s) => post(s, '/token', { ...refresh, client_id: s.open.id }),
    expected: [400, 'invalid_grant'],
  },
  {
    name: 'an unknown code is invalid_grant',
    send: (s) => post(s, '/token', { ...code, client_id: s.open.id }),
    expected: [400, 'invalid_grant'],
  },
  {
    name: 'a missing code is invalid_request',
    send: (s) =>
      post(s, '/token', {
        grant_type: 'authorization_code',
        client_id: s.open.id,
        redirect_uri: code.redirect_uri,
        code_verifier: code.code_verifier,
      }),
    expected: [400, 'invalid_request'],
  },
  {
    name: 'a missing refresh token is invalid_request',
    send: (s) => post(s, '/token', { grant_type: 'refresh_token', client_id: s.open.id }),
    expected: [400, 'invalid_request'],
  },
  {
    name: 'a missing grant type is invalid_request',
    send: (s) => post(s, '/token', { client_id: s.open.id }),
    expected: [400, 'invalid_request'],
  },
  {
    name: 'an unknown grant type is unsupported_grant_type',
    send: (s) => post(s, '/token', { grant_type: 'password', client_id: s.open.id }),
    expected: [400, 'unsupported_grant_type'],
  },
  {
    name: 'a refresh by a client that never had one is invalid_grant',
    send: async (s) => post(s, '/token', { ...refresh, ...(await assertion(s)) }),
    expected: [400, 'invalid_grant'],
    reference: {
      says: [400, 'invalid_request'],
      why: 'a token that is not theirs is simply not valid; clients throw their registration away on anything sterner',
    },
  },
  {
    name: 'client credentials by a public client is unauthorized_client',
    send: (s) => post(s, '/token', { grant_type: 'client_credentials', client_id: s.open.id }),
    expected: [400, 'unauthorized_client'],
    reference: {
      says: [400, 'invalid_request'],
      why: 'RFC 6749 §5.2 names unauthorized_client for a grant this client may not use',
    },
  },
  {
    name: 'a wrong secret is invalid_client',
    send: (s) => post(s, '/token', { grant_type: 'client_credentials' }, basic(s.secret.id, 'wrong')),
    expected: [401, 'invalid_client'],
  },
  {
    name: 'the right secret by the wrong method is invalid_client',
    send: (s) =>
      post(s, '/token', {
        grant_type: 'client_credentials',
        client_id: s.secret.id,
        client_secret: s.secret.secret ?? '',
      }),
    expected: [401, 'invalid_client'],
    reference: {
      says: [200, null],
      why: 'the registered method and no other: a secret in a body is logged more easily than one in a header',
    },
  },
  {
    name: 'two methods at once are invalid_request',
    send: async (s) =>
      post(
        s,
        '/token',
        { grant_type: 'client_credentials', ...(await assertion(s)) },
        basic(s.secret.id, s.secret.secret ?? ''),
      ),
    expected: [400, 'invalid_request'],
  },
  {
    name: 'malformed Basic',
    send: (s) => post(s, '/token', { grant_type: 'client_credentials' }, { authorization: 'Basic !!!' }),
    expected: [401, 'invalid_client'],
    reference: {
      says: [400, 'invalid_request'],
      why: 'RFC 6749 §5.2: an attempt to authenticate through the header is answered 401 with a challenge',
    },
  },
  {
    name: 'a JSON body is not a form',
    send: (s) =>
      post(s, '/token', '{"grant_type":"client_credentials"}', { 'content-type': 'application/json' }),
    expected: [415, 'invalid_request'],
    reference: { says: [400, 'invalid_request'], why: 'RFC 9110 §15.5.16 names the status' },
  },
  {
    name: 'a repeated parameter is invalid_request',
    send: (s) =>
      post(
        s,
        '/token',
        `grant_type=refresh_token&grant_type=refresh_token&refresh_token=x&client_id=${s.open.id}`,
      ),
    expected: [400, 'invalid_request'],
  },
  {
    name: 'an assertion for another audience is invalid_client',
    send: async (s) =>
      post(s, '/token', {
        grant_type: 'client_credentials',
        ...(await assertion(s, { aud: 'https://other.example' })),
      }),
    expected: [401, 'invalid_client'],
  },
  {
    name: 'an expired assertion is invalid_client',
    send: async (s) =>
      post(s, '/token', { grant_type: 'client_credentials', ...(await assertion(s, { exp: 1 })) }),
    expected: [401, 'invalid_client'],
  },
  {
    name: 'an assertion without jti is invalid_client',
    send: async (s) =>
      post(s, '/token', { grant_type: 'client_credentials', ...(await assertion(s, { jti: undefined })) }),
    expected: [401, 'invalid_client'],
  },
  {
    name: 'an assertion of another subject is invalid_client',
    send: async (s) =>
      post(s, '/token', { grant_type: 'client_credentials', ...(await assertion(s, { sub: s.open.id })) }),
    expected: [401, 'invalid_client'],
    reference: {
      says: [400, 'invalid_request'],
      why: 'RFC 7523 §3.2: an assertion that does not hold is invalid_client',
    },
  },
  {
    name: 'a replayed assertion is invalid_client',
    send: async (s) => {
      const form = { grant_type: 'client_credentials', resource: s.resource, ...(await assertion(s)) };
      expect((await post(s, '/token', form)).status).toBe(200);
      return post(s, '/token', form);
    },
    expected: [401, 'invalid_client'],
  },
  {
    name: 'an unknown resource is invalid_target',
    send: async (s) =>
      post(s, '/token', {
        grant_type: 'client_credentials',
        resource: 'https://elsewhere.example/mcp',
        ...(await assertion(s)),
      }),
    expected: [400, 'invalid_target'],
  },
  {
    name: 'a resource that is no URI is invalid_target',
    send: async (s) =>
      post(s, '/token', { grant_type: 'client_credentials', resource: 'not a uri', ...(await assertion(s)) }),
    expected: [400, 'invalid_target'],
  },
  {
    name: 'revoking an unknown token succeeds',
    send: (s) => post(s, '/revoke', { token: 'unknown', client_id: s.open.id }),
    expected: [200, null],
  },
  {
    name: 'revoking without a token is invalid_request',
    send: (s) => post(s, '/revoke', { client_id: s.open.id }),
    expected: [400, 'invalid_request'],
  },
  {
    name: 'revoking as an unknown client is invalid_client',
    send: (s) => post(s, '/revoke', { token: 'x', client_id: 'nobody' }),
    expected: [401, 'invalid_client'],
  },
  {
    name: 'introspection without credentials is refused',
    send: (s) => post(s, '/introspect', { token: 'x' }),
    expected: [401, 'invalid_token'],
    reference: {
      says: [400, 'invalid_request'],
      why: 'callers are servers with a bearer token, not clients (RFC 7662 §2.3, RFC 6750 §3)',
    },
  },
];

describe('the token endpoints answer like oidc-provider', () => {
  test.each(cases)('$name', async ({ send, expected, reference: differs }) => {
    const [ours, theirs] = await Promise.all(sides.map(send));
    expect([ours?.status, ours?.error]).toEqual(expected);
    expect([theirs?.status, theirs?.error]).toEqual(differs?.says ?? expected);
  });

  const register = (side: Side, metadata: object) =>
    fetch(`${side.issuer}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(metadata),
    }).then(async (answer) => ({
      status: answer.status,
      error: ((await answer.json()) as { error?: string }).error ?? null,
    }));
  const native = {
    redirect_uris: ['http://127.0.0.1:4799/callback'],
    token_endpoint_auth_method: 'none',
    application_type: 'native',
  };
  test.each<[string, object, number, string | null]>([
    ['a native public client', native, 201, null],
    ['no redirect URI', { ...native, redirect_uris: [] }, 400, 'invalid_redirect_uri'],
    [
      'a redirect URI with a fragment',
      { ...native, redirect_uris: ['http://127.0.0.1/cb#x'] },
      400,
      'invalid_redirect_uri',
    ],
    [
      'a redirect URI that is no URI',
      { ...native, redirect_uris: ['nonsense'] },
      400,
      'invalid_redirect_uri',
    ],
    [
      'an unknown auth method',
      { ...native, token_endpoint_auth_method: 'password' },
      400,
      'invalid_client_metadata',
    ],
    [
      'keys twice',
      {
        ...native,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [] },
        jwks_uri: 'https://a.example/jwks',
      },
      400,
      'invalid_client_metadata',
    ],
  ])('registration: %s', async (_name, metadata, status, error) => {
    for (const side of sides)
      expect([side.name, await register(side, metadata)]).toEqual([side.name, { status, error }]);
  });

  test('a strict client gets a token by key and by secret from either', async () => {
    for (const side of sides) {
      const issuer = new URL(side.issuer);
      const loopback = { [oauth.allowInsecureRequests]: true };
      const as = await oauth.processDiscoveryResponse(
        issuer,
        await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...loopback }),
      );
      for (const [client, auth] of [
        [side.keyed, oauth.PrivateKeyJwt(side.keyed.key as CryptoKey)],
        [side.secret, oauth.ClientSecretBasic(side.secret.secret ?? '')],
      ] as const) {
        const rp = { client_id: client.id };
        const parameters: Record<string, string> =
          side.name === 'countersign' ? {} : { resource: side.resource };
        const response = await oauth.clientCredentialsGrantRequest(as, rp, auth, parameters, loopback);
        const answer = await oauth.processClientCredentialsResponse(as, rp, response);
        expect(answer.access_token.split('.')).toHaveLength(3);
      }
    }
  });
});
