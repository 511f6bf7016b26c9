import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { continueTransaction } from '#lib/registration/continue-transaction.ts';
import { endQuarantine } from '#lib/registration/end-quarantine.ts';
import { openHandle } from '#lib/registration/open-handle.ts';
import {
  approve,
  type ClaimWorld,
  claim,
  createClaimWorld,
  loopbackClient,
  openInBrowser,
  registerClient,
  signIn,
} from '#tests/claim-world.ts';
import { createApprovedAgent } from '#tests/credentials-world.ts';
import { TestClock } from '#tests/ctx.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { tokenClient } from '#tests/token-client.ts';
import { ctxOf } from '../context.ts';

const clock = new TestClock();
let gate: TestGate;
let world: ClaimWorld;
beforeAll(async () => {
  gate = await startTestGate(4535, { COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '100000' }, { clock });
  await ensureSigningKeys(ctxOf(gate.running.gate, { actor: systemActor('test') }));
  world = await createClaimWorld(gate);
});
afterAll(() => gate.close());

let counter = 0;
const fresh = (overrides: object = {}) =>
  registerClient(gate, { ...loopbackClient, client_name: `Pusher ${++counter}`, ...overrides });

/** The form a client pushes: what it would otherwise put into the URL. */
function formOf(path: string, more: Record<string, string> = {}): Record<string, string> {
  return { ...Object.fromEntries(new URL(path, gate.issuer).searchParams), ...more };
}
const push = (form: Record<string, string>) => tokenClient(gate).post('/par', form);
const pushed = async (form: Record<string, string>) => String((await push(form)).json().request_uri);
const pathOf = (clientId: string, requestUri: string, more: Record<string, string> = {}) =>
  `/authorize?${new URLSearchParams({ client_id: clientId, request_uri: requestUri, ...more })}`;

const rowsWritten = async () =>
  (
    await gate.database.db.hot.query(
      `SELECT (SELECT count(*)::int FROM client) c, (SELECT count(*)::int FROM authorization_transaction) t,
              (SELECT count(*)::int FROM audit_event WHERE kind NOT LIKE 'refusal%') e`,
    )
  ).rows[0];

describe('pushed authorization requests (RFC 9126)', () => {
  test('a client nobody knows anything about pushes, is claimed and approved, and gets its code: oauth4webapi', async () => {
    const clientId = await fresh();
    const insecure = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(gate.issuer);
    const throughGate: typeof fetch = async (url, init) => {
      const { pathname, search } = new URL(String(url));
      const answer = await gate.ask(`${pathname}${search}`, {
        method: init?.method ?? 'GET',
        headers: Object.fromEntries(new Headers(init?.headers)),
        ...(init?.body ? { body: String(init.body) } : {}),
      });
      return new Response(answer.text, {
        status: answer.status,
        headers: { 'content-type': answer.headers['content-type'] as string },
      });
    };
    const options = { ...insecure, [oauth.customFetch]: throughGate };
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }),
    );
    expect(server.pushed_authorization_request_endpoint).toBe(`${gate.issuer}/par`);
    const client: oauth.Client = { client_id: clientId };
    const sent = signIn(clientId, world.server.resource);
    const before = await rowsWritten();
    const answer = await oauth.pushedAuthorizationRequest(
      server,
      client,
      oauth.None(),
      new URLSearchParams(formOf(sent.path)),
      options,
    );
    const { request_uri: requestUri, expires_in: seconds } = await oauth.processPushedAuthorizationResponse(
      server,
      client,
      answer,
    );
    expect(seconds).toBe(90);
    expect(await rowsWritten()).toEqual(before);

    const handle = await openInBrowser(gate, pathOf(clientId, requestUri));
    const claimed = await claim(world, world.olive, handle);
    await approve(world, claimed);
    const { location } = await continueTransaction(world.as(world.olive), {
      transactionId: claimed.transactionId,
    });
    const target = new URL(location as string);
    const callback = oauth.validateAuthResponse(server, client, target, sent.state);
    const tokens = await oauth.processAuthorizationCodeResponse(
      server,
      client,
      await oauth.authorizationCodeGrantRequest(
        server,
        client,
        oauth.None(),
        callback,
        'http://127.0.0.1:50123/callback',
        sent.verifier,
        options,
      ),
    );
    expect(tokens.access_token).toBeTruthy();
  });

  test('the browser may load it again for 90 seconds, then it has ended', async () => {
    const clientId = await fresh();
    const answer = await push(formOf(signIn(clientId, world.server.resource).path));
    expect([answer.status, answer.headers['cache-control']]).toEqual([201, 'no-cache, no-store']);
    const path = pathOf(clientId, String(answer.json().request_uri));
    for (let load = 0; load < 2; load++) {
      const handle = await openInBrowser(gate, path);
      expect((await openHandle(world.as(world.olive), { handle })).standing).toBe('unclaimed');
    }
    clock.advanceSeconds(91);
    const late = await gate.ask(path, { headers: { accept: 'text/html' } });
    expect([late.status, late.headers.location]).toEqual([400, undefined]);
    expect(late.text).toContain('This sign-in request has expired.');
    expect((await gate.ask(path)).json().error).toBe('invalid_request_uri');
  });

  test('what stands beside it in the URL does not count, and no other client can use it (T77)', async () => {
    const [clientId, other] = [await fresh(), await fresh()];
    const sent = signIn(clientId, world.server.resource);
    const requestUri = await pushed(formOf(sent.path));
    const beside = {
      redirect_uri: 'https://evil.example/cb',
      state: 'evil',
      resource: 'https://evil.example/mcp',
      code_challenge: 'x',
      response_type: 'token',
    };
    const plain = await gate.ask(pathOf(clientId, requestUri, beside));
    expect(plain.status).toBe(303);
    const claimed = await claim(
      world,
      world.olive,
      await openInBrowser(gate, pathOf(clientId, requestUri, beside)),
    );
    await approve(world, claimed);
    const { location } = await continueTransaction(world.as(world.olive), {
      transactionId: claimed.transactionId,
    });
    expect(location).toMatch(/^http:\/\/127\.0\.0\.1:50123\/callback\?/);
    expect(new URL(location as string).searchParams.get('state')).toBe(sent.state);

    for (const path of [
      pathOf(other, requestUri),
      pathOf(clientId, `${requestUri}x`),
      pathOf(clientId, `${requestUri.slice(0, -2)}AA`),
      pathOf(clientId, 'urn:ietf:params:oauth:request_uri:v1.AAAA'),
    ]) {
      const refused = await gate.ask(path);
      expect([refused.status, refused.json().error]).toEqual([400, 'invalid_request_uri']);
    }
    for (const foreign of ['http://127.0.0.1:1/r', 'https://evil.example/r', 'file:///etc/passwd', 'urn:x']) {
      const { path } = signIn(clientId, world.server.resource, { request_uri: foreign });
      const refused = new URL((await gate.ask(path)).headers.location as string);
      expect(refused.searchParams.get('error')).toBe('request_uri_not_supported');
    }
  });

  test('what the authorization endpoint refuses is refused at the push, as JSON', async () => {
    const clientId = await fresh();
    const { server } = world;
    const table: [number, string, Record<string, string>][] = [
      [400, 'invalid_request', { redirect_uri: 'https://evil.example/cb' }],
      [400, 'invalid_request', { code_challenge_method: 'plain' }],
      [400, 'invalid_request', { code_challenge: '' }],
      [400, 'unsupported_response_type', { response_type: 'token' }],
      [400, 'invalid_target', { resource: 'https://elsewhere.example/mcp' }],
      [400, 'request_not_supported', { request: 'x.y.z' }],
      [400, 'invalid_request', { request_uri: 'urn:ietf:params:oauth:request_uri:v1.x' }],
      [400, 'invalid_request', { state: 'x'.repeat(3_000) }],
      [401, 'invalid_client', { client_id: 'client_unknown' }],
      [401, 'invalid_client', { client_id: '' }],
      [401, 'invalid_client', { client_secret: 'not its own' }],
      [400, 'interaction_required', { prompt: 'none' }],
    ];
    for (const [status, error, overrides] of table) {
      const answer = await push(formOf(signIn(clientId, server.resource).path, overrides));
      expect([overrides, answer.status, answer.json().error]).toEqual([overrides, status, error]);
    }
    const ended = await fresh();
    await endQuarantine(world.as(world.ava), { clientId: ended, reason: 'Unknown software' });
    expect((await push(formOf(signIn(ended, server.resource).path))).json().error).toBe('invalid_client');
    const asJson = await gate.ask('/par', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(asJson.status).toBe(415);
    expect((await gate.ask('/par')).status).toBe(405);
    expect(
      (await push(formOf(signIn(clientId, server.resource).path, { scope: 'x'.repeat(20_000) }))).status,
    ).toBe(413);
    expect(
      (await push(formOf(signIn(clientId, server.resource).path, { scope: 'x '.repeat(4_000) }))).status,
    ).toBe(413);
  });

  test('a client with a key proves itself, each time anew', async () => {
    const client = tokenClient(gate);
    const agent = await createApprovedAgent(ctxOf(gate.running.gate, { actor: systemActor('test') }), {
      authMethod: 'private_key_jwt',
      grantTypes: ['authorization_code', 'client_credentials'],
      redirectUri: 'http://127.0.0.1/callback',
    });
    const form = formOf(signIn(agent.clientId, agent.resource).path, {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await client.assertion(agent),
    });
    expect((await push(form)).status).toBe(201);
    const again = await push(form);
    expect([again.status, again.json().error]).toEqual([401, 'invalid_client']);
    const unproved = await push(formOf(signIn(agent.clientId, agent.resource).path));
    expect([unproved.status, unproved.json().error]).toEqual([401, 'invalid_client']);
  });
});
