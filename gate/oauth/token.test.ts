import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createResourceToken } from '#lib/credentials/resource-tokens.ts';
import { ensureSigningKeys, killSigningKey, rotateSigningKey } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import { readSnapshot } from '#lib/revocation/read-slice.ts';
import {
  type ApprovedAgent,
  addTool,
  createApprovedAgent,
  createServer,
  deliveredCode,
} from '#tests/credentials-world.ts';
import { personActor } from '#tests/ctx.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { bodyOf, claimsOf, type TokenClient, tokenClient } from '#tests/token-client.ts';
import { ctxOf } from '../context.ts';

let gate: TestGate;
let client: TokenClient;
let as: oauth.AuthorizationServer;
const loopback = { [oauth.allowInsecureRequests]: true };

beforeAll(async () => {
  gate = await startTestGate(4700);
  client = tokenClient(gate);
  await ensureSigningKeys(system());
  const issuer = new URL(gate.issuer);
  as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...loopback }),
  );
});
afterAll(() => gate.close());

const system = () => ctxOf(gate.running.gate, { actor: systemActor('test') });

describe('the code grant', () => {
  test('a strict client exchanges its code for one audience and exactly the approved tools', async () => {
    const agent = await createApprovedAgent(system());
    const { code, verifier } = await deliveredCode(system(), agent);
    const rp: oauth.Client = { client_id: agent.clientId };
    const parameters = oauth.validateAuthResponse(
      as,
      rp,
      new URLSearchParams({ code, iss: gate.issuer, state: 's' }),
      's',
    );
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      rp,
      oauth.None(),
      parameters,
      agent.redirectUri,
      verifier,
      { ...loopback, additionalParameters: { resource: agent.resource } },
    );
    expect(response.headers.get('cache-control')).toBe('no-store');
    const answer = await oauth.processAuthorizationCodeResponse(as, rp, response);
    expect(answer).toMatchObject({
      token_type: 'bearer',
      expires_in: 600,
      scope: 'mcp tool:list_notes tool:read_note',
      refresh_token: expect.stringMatching(/^csr_/),
    });
    const claims = await oauth.validateJwtAccessToken(
      as,
      new Request(agent.resource, { headers: { authorization: `Bearer ${answer.access_token}` } }),
      agent.resource,
      { ...loopback, signingAlgorithms: ['EdDSA'] },
    );
    expect(claims).toMatchObject({ aud: agent.resource, client_id: agent.clientId, sub: agent.ownerId });
  });

  test('is refused without PKCE, with another verifier, redirect, resource or client, and harms nobody by it (T22, T23)', async () => {
    const agent = await createApprovedAgent(system());
    const other = await createApprovedAgent(system());
    const code = await deliveredCode(system(), agent);
    const wrong: [Record<string, string>, string][] = [
      [{ code_verifier: '' }, 'invalid_request'],
      [{ code_verifier: 'short' }, 'invalid_grant'],
      [{ code_verifier: randomToken(48) }, 'invalid_grant'],
      [{ redirect_uri: '' }, 'invalid_request'],
      [{ redirect_uri: `${agent.redirectUri}/` }, 'invalid_grant'],
      [{ redirect_uri: agent.redirectUri.replace('4799', '4798') }, 'invalid_grant'],
      [{ resource: other.resource }, 'invalid_target'],
      [{ client_id: other.clientId }, 'invalid_grant'],
      [{ code: `${code.code}x` }, 'invalid_grant'],
      [{ client_id: 'client_nobody' }, 'invalid_client'],
    ];
    for (const [form, error] of wrong) {
      const answer = await client.redeem(agent, code, form);
      expect([form, bodyOf(answer).error]).toEqual([form, error]);
      expect(answer.status).toBe(error === 'invalid_client' ? 401 : 400);
    }
    expect((await client.redeem(agent, code)).status).toBe(200);
  });

  test('a code works once; the same request again ends everything it gave (T23)', async () => {
    const agent = await createApprovedAgent(system());
    const code = await deliveredCode(system(), agent);
    const first = bodyOf(await client.redeem(agent, code));
    expect(await isActive(agent, first.access_token)).toBe(true);
    expect(bodyOf(await client.redeem(agent, code)).error).toBe('invalid_grant');
    expect(await isActive(agent, first.access_token)).toBe(false);
    expect(bodyOf(await client.refresh(agent, first.refresh_token)).error).toBe('invalid_grant');
    expect(await kindsOf(agent)).toEqual(
      expect.arrayContaining(['code.issue', 'credential.issue', 'code.replay', 'family.end']),
    );
  });

  test('fifty copies of one redemption give one token', async () => {
    const agent = await createApprovedAgent(system());
    const code = await deliveredCode(system(), agent);
    const answers = await Promise.all(Array.from({ length: 50 }, () => client.redeem(agent, code)));
    const given = answers.filter((answer) => answer.status === 200);
    expect(given).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200, 400]));
    const { rows } = await gate.database.db.hot.query(
      'SELECT count(*)::int AS n FROM credential WHERE agent_id = $1',
      [agent.agentId],
    );
    expect(rows[0].n).toBe(1);
  });

  test('a verifier alone opens nothing: a code nobody has delivered is refused', async () => {
    const agent = await createApprovedAgent(system());
    const code = await deliveredCode(system(), agent);
    await gate.database.db.hot.query(
      'UPDATE authorization_code SET delivered_at = NULL WHERE transaction_id = $1',
      [code.transactionId],
    );
    expect(bodyOf(await client.redeem(agent, code)).error).toBe('invalid_grant');
  });

  test('a loopback code carried by a browser of another network is held', async () => {
    const agent = await createApprovedAgent(system());
    const code = await deliveredCode(system(), agent, { address: '203.0.113.9' });
    expect(bodyOf(await client.redeem(agent, code)).error).toBe('access_denied');
  });

  test('the clock of an approval starts with its first token, which never outlives it', async () => {
    const agent = await createApprovedAgent(system(), { lifetimeSeconds: 120 });
    const before = await gate.database.db.prisma.toolBinding.findUniqueOrThrow({
      where: { id: agent.bindingId },
    });
    expect(before.firstIssuedAt).toBeNull();
    const token = bodyOf(await client.redeem(agent, await deliveredCode(system(), agent)));
    expect(token.expires_in).toBeLessThanOrEqual(120);
    const after = await gate.database.db.prisma.toolBinding.findUniqueOrThrow({
      where: { id: agent.bindingId },
    });
    expect(after.expiresAt?.getTime()).toBe((after.firstIssuedAt?.getTime() ?? 0) + 120_000);
    expect((claimsOf(token.access_token).exp as number) * 1000).toBeLessThanOrEqual(
      after.expiresAt?.getTime() ?? 0,
    );
  });
});

describe('the refresh grant', () => {
  async function signedIn(options: Parameters<typeof createApprovedAgent>[1] = {}) {
    const agent = await createApprovedAgent(system(), options);
    const token = bodyOf(await client.redeem(agent, await deliveredCode(system(), agent)));
    return { agent, token };
  }

  test('rotates, and takes the scope from what is approved now', async () => {
    const { agent, token } = await signedIn();
    await addTool(system(), agent.serverId, { name: 'list_notes' }); // its definition changed
    const next = bodyOf(
      await client.refresh(agent, token.refresh_token, { scope: 'mcp tool:anything admin' }),
    );
    expect(next.scope).toBe('mcp tool:read_note');
    expect(next.refresh_token).not.toBe(token.refresh_token);
    expect(claimsOf(next.access_token).cs.family).toBe(claimsOf(token.access_token).cs.family);
  });

  test('parallel refreshes get the same successor and nobody is signed out (T24)', async () => {
    const { agent, token } = await signedIn();
    const answers = await Promise.all([1, 2, 3].map(() => client.refresh(agent, token.refresh_token)));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    const successors = new Set(answers.map((answer) => bodyOf(answer).refresh_token));
    expect(successors.size).toBe(1);
    const [successor] = [...successors];
    expect((await client.refresh(agent, successor as string)).status).toBe(200);
  });

  test('the grace ends when the successor is used: the next replay ends the family (T24)', async () => {
    const { agent, token } = await signedIn();
    const second = bodyOf(await client.refresh(agent, token.refresh_token));
    const third = bodyOf(await client.refresh(agent, second.refresh_token));
    expect(bodyOf(await client.refresh(agent, token.refresh_token)).error).toBe('invalid_grant');
    expect(bodyOf(await client.refresh(agent, third.refresh_token)).error).toBe('invalid_grant');
    expect(await isActive(agent, third.access_token)).toBe(false);
    expect(await kindsOf(agent)).toEqual(expect.arrayContaining(['family.replay', 'family.end']));
    const { rows } = await gate.database.db.hot.query(
      'SELECT kind, value FROM feed_entry WHERE server_id = $1',
      [agent.serverId],
    );
    expect(rows).toMatchObject([
      { kind: 'credentials.ended', value: { families: [claimsOf(third.access_token).cs.family] } },
    ]);
  });

  test('twenty copies get one successor until five replays are up, then the family dies', async () => {
    const { agent, token } = await signedIn();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => client.refresh(agent, token.refresh_token)),
    );
    const given = answers.filter((answer) => answer.status === 200);
    expect(given.length).toBeGreaterThan(0);
    expect(given.length).toBeLessThanOrEqual(6);
    expect(new Set(given.map((answer) => bodyOf(answer).refresh_token)).size).toBe(1);
    for (const answer of answers) expect([200, 400]).toContain(answer.status);
    expect(bodyOf(await client.refresh(agent, bodyOf(given[0] as never).refresh_token)).error).toBe(
      'invalid_grant',
    );
  });

  test('after thirty seconds, or from another network, there is no grace', async () => {
    for (const spoil of [
      "UPDATE refresh_token SET first_used_at = first_used_at - interval '31 seconds' WHERE family_id = $1 AND first_used_at IS NOT NULL",
      "UPDATE refresh_token SET used_from_prefix = '203.0.113.0/24' WHERE family_id = $1 AND first_used_at IS NOT NULL",
    ]) {
      const { agent, token } = await signedIn();
      await client.refresh(agent, token.refresh_token);
      await gate.database.db.hot.query(spoil, [claimsOf(token.access_token).cs.family]);
      expect(bodyOf(await client.refresh(agent, token.refresh_token)).error).toBe('invalid_grant');
      expect(await isActive(agent, token.access_token)).toBe(false);
    }
  });

  test('another client learns nothing and ends nothing; another resource consumes nothing (T24, T27)', async () => {
    const { agent, token } = await signedIn();
    const other = await createApprovedAgent(system());
    expect(bodyOf(await client.refresh(other, token.refresh_token)).error).toBe('invalid_grant');
    expect(bodyOf(await client.refresh(agent, token.refresh_token, { resource: other.resource })).error).toBe(
      'invalid_target',
    );
    expect((await client.refresh(agent, token.refresh_token)).status).toBe(200);
  });

  test('a confidential client has no grace', async () => {
    const agent = await createApprovedAgent(system(), {
      authMethod: 'client_secret_post',
      grantTypes: ['authorization_code', 'refresh_token'],
      clientClass: 'interactive',
    });
    const secret = { client_secret: agent.secret ?? '' };
    const token = bodyOf(await client.redeem(agent, await deliveredCode(system(), agent), secret));
    expect((await client.refresh(agent, token.refresh_token, secret)).status).toBe(200);
    expect(bodyOf(await client.refresh(agent, token.refresh_token, secret)).error).toBe('invalid_grant');
  });
});

describe('client credentials', () => {
  test('a keyed agent gets five minutes for its one server, and no refresh token', async () => {
    const agent = await createApprovedAgent(system(), { authMethod: 'private_key_jwt' });
    const rp: oauth.Client = { client_id: agent.clientId };
    const response = await oauth.clientCredentialsGrantRequest(
      as,
      rp,
      oauth.PrivateKeyJwt(agent.privateKey as never),
      {},
      loopback,
    );
    const answer = await oauth.processClientCredentialsResponse(as, rp, response);
    expect(answer).toMatchObject({ expires_in: 300, scope: 'mcp tool:list_notes tool:read_note' });
    expect(answer.refresh_token).toBeUndefined();
    expect(claimsOf(answer.access_token)).toMatchObject({
      aud: agent.resource,
      sub: agent.clientId,
      client_id: agent.clientId,
      cs: { agent: agent.agentId, epoch: 1, binding: agent.bindingId, version: 1, class: 'headless service' },
    });
  });

  test('an assertion works once, also for twenty at the same moment and after a refusal (T13)', async () => {
    const agent = await createApprovedAgent(system(), { authMethod: 'private_key_jwt' });
    const jti = randomToken(8);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => client.credentials(agent, {}, { jti })),
    );
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(new Set(answers.filter((a) => a.status !== 200).map((answer) => bodyOf(answer).error))).toEqual(
      new Set(['invalid_client']),
    );
    const refused = await client.credentials(
      agent,
      { resource: 'https://elsewhere.example/mcp' },
      { jti: 'once' },
    );
    expect(bodyOf(refused).error).toBe('invalid_target');
    expect(bodyOf(await client.credentials(agent, {}, { jti: 'once' })).error).toBe('invalid_client');
  });

  test('an assertion is for this issuer alone, short, signed by the registered key, and nothing else (T08, T09, T10, T12, T13)', async () => {
    const agent = await createApprovedAgent(system(), { authMethod: 'private_key_jwt' });
    const other = await createApprovedAgent(system(), { authMethod: 'private_key_jwt' });
    const now = Math.floor(Date.now() / 1000);
    const claims: Record<string, unknown>[] = [
      { aud: `${gate.issuer}/token` },
      { aud: [gate.issuer] },
      { aud: [gate.issuer, 'https://other.example'] },
      { aud: `${gate.issuer}/` },
      { exp: now + 3600 * 24 * 365 },
      { exp: now - 60 },
      { jti: undefined },
      { iss: other.clientId },
      { sub: other.clientId },
      { iat: now + 3600 },
    ];
    for (const claim of claims) {
      const answer = await client.credentials(agent, {}, claim);
      expect([claim, answer.status, bodyOf(answer).error]).toEqual([claim, 401, 'invalid_client']);
    }
    const foreign = await client.assertion({ ...agent, privateKey: other.privateKey });
    const [, payload] = (await client.assertion(agent)).split('.') as [string, string];
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    const token = bodyOf(await client.credentials(agent)).access_token;
    for (const assertion of [foreign, unsigned, token, 'a.b.c', '']) {
      const answer = await client.credentials(agent, { client_assertion: assertion });
      expect(['invalid_client', 'invalid_request']).toContain(bodyOf(answer).error);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
  });

  test('several servers: the resource must be named, and is matched exactly (T11)', async () => {
    const agent = await createApprovedAgent(system(), { authMethod: 'private_key_jwt' });
    await bindAnother(agent);
    expect(bodyOf(await client.credentials(agent)).error).toBe('invalid_target');
    for (const resource of [
      `${agent.resource}.evil`,
      `${agent.resource}/x`,
      agent.resource.slice(0, -1),
      agent.resource.toUpperCase(),
    ]) {
      expect(bodyOf(await client.credentials(agent, { resource })).error).toBe('invalid_target');
    }
    const token = bodyOf(await client.credentials(agent, { resource: agent.resource }));
    expect(claimsOf(token.access_token).aud).toBe(agent.resource);
  });

  test('a secret is good for low-risk tools only', async () => {
    const agent = await createApprovedAgent(system(), {
      authMethod: 'client_secret_basic',
      tools: [{ name: 'look' }, { name: 'wipe', class: 'destructive', risk: 'high' }],
    });
    const basic = Buffer.from(`${agent.clientId}:${agent.secret}`).toString('base64');
    const answer = await client.post(
      '/token',
      { grant_type: 'client_credentials' },
      { authorization: `Basic ${basic}` },
    );
    expect(bodyOf(answer).scope).toBe('mcp tool:look');
    const wrong = await client.post(
      '/token',
      { grant_type: 'client_credentials' },
      { authorization: `Basic ${Buffer.from(`${agent.clientId}:nope`).toString('base64')}` },
    );
    expect([wrong.status, bodyOf(wrong).error]).toEqual([401, 'invalid_client']);
    expect(wrong.headers['www-authenticate']).toMatch(/^Basic/);
  });

  test('only the registered method counts, and only one at a time (T59)', async () => {
    const keyed = await createApprovedAgent(system(), { authMethod: 'private_key_jwt' });
    const open = await createApprovedAgent(system());
    const assertion = {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await client.assertion(keyed),
    };
    const grant = { grant_type: 'client_credentials' };
    expect(bodyOf(await client.post('/token', { ...grant, client_id: keyed.clientId })).error).toBe(
      'invalid_client',
    );
    expect(
      bodyOf(await client.post('/token', { ...grant, client_id: keyed.clientId, client_secret: 'x' })).error,
    ).toBe('invalid_client');
    expect(bodyOf(await client.post('/token', { ...grant, ...assertion, client_secret: 'x' })).error).toBe(
      'invalid_request',
    );
    expect(
      bodyOf(
        await client.post('/token', {
          grant_type: 'refresh_token',
          refresh_token: 'x',
          client_id: open.clientId,
          client_secret: 'x',
        }),
      ).error,
    ).toBe('invalid_client');
    expect(bodyOf(await client.post('/token', { ...grant, client_id: open.clientId })).error).toBe(
      'unauthorized_client',
    );
  });
});

describe('what ends a token', () => {
  test('its own client ends an access token; others are answered alike and end nothing (T27)', async () => {
    const agent = await createApprovedAgent(system());
    const other = await createApprovedAgent(system());
    const token = bodyOf(await client.redeem(agent, await deliveredCode(system(), agent)));
    expect((await client.revoke(other, token.access_token)).status).toBe(200);
    expect((await client.revoke(other, token.refresh_token)).status).toBe(200);
    expect((await client.revoke(agent, 'nonsense')).status).toBe(200);
    expect(await isActive(agent, token.access_token)).toBe(true);
    expect((await client.revoke(agent, token.access_token)).status).toBe(200);
    expect(await isActive(agent, token.access_token)).toBe(false);
    const next = bodyOf(await client.refresh(agent, token.refresh_token));
    expect(await isActive(agent, next.access_token)).toBe(true);
    expect((await client.revoke(agent, next.refresh_token)).status).toBe(200);
    expect(await isActive(agent, next.access_token)).toBe(false);
    expect(bodyOf(await client.refresh(agent, next.refresh_token)).error).toBe('invalid_grant');
    const { rows } = await gate.database.db.hot.query(
      'SELECT value FROM feed_entry WHERE server_id = $1 ORDER BY sequence',
      [agent.serverId],
    );
    expect(rows.map((row) => row.value)).toMatchObject([
      { kind: 'credentials.ended', tokenIds: [claimsOf(token.access_token).jti], families: [] },
      { kind: 'credentials.ended', tokenIds: [], families: [claimsOf(token.access_token).cs.family] },
    ]);
    // A guard that connects only now hears of them too.
    const snapshot = await readSnapshot(system(), agent.serverId);
    expect(snapshot?.endedCredentials?.map((each) => each.id)).toEqual([
      claimsOf(token.access_token).jti,
      claimsOf(token.access_token).cs.family,
    ]);
  });

  test('a raised epoch, an ended binding, a suspended instance, a disabled owner each end it at once', async () => {
    const changes = [
      'UPDATE agent SET epoch = epoch + 1 WHERE id = $1',
      "UPDATE agent SET state = 'suspended' WHERE id = $1",
      "UPDATE tool_binding SET ended_at = now(), end_cause = 'revoked' WHERE agent_id = $1",
      "UPDATE instance SET state = 'suspended' WHERE agent_id = $1",
      "UPDATE person SET state = 'deactivated' WHERE id = (SELECT owner_id FROM agent WHERE id = $1)",
      'UPDATE client SET forgotten_at = now() WHERE id IN (SELECT client_id FROM instance WHERE agent_id = $1)',
    ];
    for (const change of changes) {
      const agent = await createApprovedAgent(system());
      const token = bodyOf(await client.redeem(agent, await deliveredCode(system(), agent)));
      expect(await isActive(agent, token.access_token)).toBe(true);
      await gate.database.db.hot.query(change, [agent.agentId]);
      expect([change, await isActive(agent, token.access_token)]).toEqual([change, false]);
    }
  });

  test('introspection answers its own audience alone, and only callers it knows (RFC 7662)', async () => {
    const agent = await createApprovedAgent(system());
    const other = await createApprovedAgent(system());
    const token = bodyOf(await client.redeem(agent, await deliveredCode(system(), agent)));
    const answer = await client.introspect(await resourceToken(agent), token.access_token);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(answer.json()).toMatchObject({
      active: true,
      aud: agent.resource,
      client_id: agent.clientId,
      sub: agent.ownerId,
      scope: 'mcp tool:list_notes tool:read_note',
    });
    const seen = () =>
      gate.database.db.prisma.credential.findUniqueOrThrow({
        where: { id: claimsOf(token.access_token).jti as string },
        select: { lastSeenAt: true },
      });
    await expect.poll(async () => (await seen()).lastSeenAt, { timeout: 5000 }).not.toBeNull();
    expect((await client.introspect(await resourceToken(other), token.access_token)).json()).toEqual({
      active: false,
    });
    expect((await client.introspect(await resourceToken(agent), token.refresh_token)).json()).toEqual({
      active: false,
    });
    expect((await client.introspect(`crt_${randomToken()}`, token.access_token)).status).toBe(401);
    expect((await client.post('/introspect', { token: token.access_token })).status).toBe(401);
  });

  test('a token signed by our key that nobody issued raises the alarm and kills the key; rotation refuses nobody (T82)', async () => {
    const { activeSigningKey } = await import('#lib/credentials/signing-keys.ts');
    const { signCompact } = await import('#lib/platform/jws.ts');
    const agent = await createApprovedAgent(system());
    const code = await deliveredCode(system(), agent);
    const token = bodyOf(await client.redeem(agent, code));
    await rotateSigningKey(system(), { purpose: 'token' });
    expect(await isActive(agent, token.access_token)).toBe(true);
    const rotated = bodyOf(await client.refresh(agent, token.refresh_token));
    expect(rotated.scope).toBe(token.scope);
    const keyId = (text: string) =>
      JSON.parse(Buffer.from(text.split('.')[0] as string, 'base64url').toString()).kid;
    expect(keyId(rotated.access_token)).not.toBe(keyId(token.access_token));

    // The same token spelled otherwise is neither good nor an alarm.
    const last = rotated.access_token.at(-1) as string;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const respelled = rotated.access_token.slice(0, -1) + alphabet[alphabet.indexOf(last) + 1];
    expect(Buffer.from(respelled.split('.')[2] as string, 'base64url')).toEqual(
      Buffer.from(rotated.access_token.split('.')[2] as string, 'base64url'),
    );
    expect((await client.introspect(await resourceToken(agent), respelled)).json()).toEqual({
      active: false,
    });
    expect(await isActive(agent, rotated.access_token)).toBe(true);

    const key = await activeSigningKey(system(), 'token');
    const forged = signCompact(
      key.privateKey,
      { typ: 'at+jwt', kid: key.kid },
      {
        ...claimsOf(rotated.access_token),
        jti: 'crd_nobody',
      },
    );
    expect((await client.introspect(await resourceToken(agent), forged)).json()).toEqual({ active: false });
    expect(await isActive(agent, rotated.access_token)).toBe(false);
    const keys = (await gate.ask('/jwks')).json().keys as { kid: string }[];
    expect(keys.map((each) => each.kid)).not.toContain(key.kid);
    const alarms = await gate.database.db.prisma.auditEvent.findMany({
      where: { kind: { in: ['token.forged', 'key.kill'] } },
    });
    expect(alarms.map((event) => event.subjectId)).toEqual([key.kid, key.kid]);
    const again = bodyOf(await client.refresh(agent, rotated.refresh_token));
    expect(await isActive(agent, again.access_token)).toBe(true);
    await expect(killSigningKey(system(), { kid: key.kid, reason: 'again' })).rejects.toMatchObject({
      code: 'conflict',
    });
  });
});

describe('the endpoint', () => {
  test('takes forms only, each parameter once, and answers nonsense with 4xx (T43, T44, T60)', async () => {
    const agent = await createApprovedAgent(system());
    const cases: [string, Record<string, string>, number][] = [
      ['{"grant_type":"client_credentials"}', { 'content-type': 'application/json' }, 415],
      [
        'grant_type=client_credentials',
        { 'content-type': 'application/x-www-form-urlencoded, text/plain' },
        415,
      ],
      ['grant_type=password&username=a&password=b', {}, 401],
      [`grant_type=password&client_id=${agent.clientId}`, {}, 400],
      [`grant_type=refresh_token&client_id=${agent.clientId}`, {}, 400],
      [
        `grant_type=refresh_token&grant_type=refresh_token&client_id=${agent.clientId}&refresh_token=x`,
        {},
        400,
      ],
      ['grant_type=%E0%A4%A', {}, 400],
      [`x=${'a'.repeat(20_000)}`, {}, 413],
      ['', {}, 401],
    ];
    for (const [body, headers, status] of cases) {
      const answer = await client.post('/token', body, headers);
      expect([body.slice(0, 60), answer.status]).toEqual([body.slice(0, 60), status]);
      expect(answer.headers['set-cookie']).toBeUndefined();
      expect(answer.json().error).toEqual(expect.any(String));
    }
    for (const authorization of ['Basic', 'Basic !!!', 'Basic YQ==', 'Bearer x', 'Digest a=b']) {
      const answer = await client.post('/token', 'grant_type=client_credentials', { authorization });
      expect([authorization, answer.status]).toEqual([authorization, 401]);
    }
    expect((await gate.ask('/token')).status).toBe(405);
    expect(
      (
        await gate.ask('/token?grant_type=x', {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: '',
        })
      ).status,
    ).toBe(400);
  });
});

async function isActive(agent: ApprovedAgent, token: string): Promise<boolean> {
  return (await client.introspect(await resourceToken(agent), token)).json().active as boolean;
}

const resourceTokens = new Map<string, string>();
async function resourceToken(agent: ApprovedAgent): Promise<string> {
  let known = resourceTokens.get(agent.serverId);
  if (!known) {
    const admin = ctxOf(gate.running.gate, { actor: personActor('per_admin', ['admin']) });
    known = (await createResourceToken(admin, { serverId: agent.serverId, name: 'test', lifetimeDays: 1 }))
      .token;
    resourceTokens.set(agent.serverId, known);
  }
  return known;
}

async function kindsOf(agent: ApprovedAgent): Promise<string[]> {
  const { rows } = await gate.database.db.hot.query(
    `SELECT kind FROM audit_event WHERE agent_id = $1 OR subject_id IN (SELECT id FROM refresh_family WHERE agent_id = $1)`,
    [agent.agentId],
  );
  return rows.map((row) => row.kind);
}

/** A second live binding of the same agent, on a server of its own. */
async function bindAnother(agent: ApprovedAgent): Promise<void> {
  const server = await createServer(system(), [{ name: 'other_tool' }]);
  const { prisma } = gate.database.db;
  const binding = await prisma.toolBinding.findUniqueOrThrow({ where: { id: agent.bindingId } });
  await prisma.toolBinding.create({
    data: {
      ...binding,
      constraints: {},
      id: `${agent.bindingId}2`,
      version: 2,
      serverId: server.serverId,
      toolNames: [],
      toolVersionIds: [],
    },
  });
}
