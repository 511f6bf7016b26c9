import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { createApprovedAgent, deliveredCode } from '#tests/credentials-world.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { ctxOf } from '../context.ts';

let gate: TestGate;
let as: oauth.AuthorizationServer;
const loopback = { [oauth.allowInsecureRequests]: true };

beforeAll(async () => {
  gate = await startTestGate(4700);
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
    const client: oauth.Client = { client_id: agent.clientId };
    const parameters = oauth.validateAuthResponse(
      as,
      client,
      new URLSearchParams({ code, iss: gate.issuer, state: 's' }),
      's',
    );
    const response = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      oauth.None(),
      parameters,
      agent.redirectUri,
      verifier,
      { ...loopback, additionalParameters: { resource: agent.resource } },
    );
    expect(response.headers.get('cache-control')).toBe('no-store');
    const answer = await oauth.processAuthorizationCodeResponse(as, client, response);
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
});
