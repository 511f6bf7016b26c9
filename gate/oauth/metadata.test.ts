import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { ctxOf } from '../context.ts';

let gate: TestGate;
beforeAll(async () => {
  gate = await startTestGate(4704);
  await ensureSigningKeys(ctxOf(gate.running.gate, { actor: systemActor('test') }));
});
afterAll(() => gate.close());

describe('discovery', () => {
  test('both documents name the issuer to the byte and only what works', async () => {
    for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']) {
      const answer = await gate.ask(path);
      expect([path, answer.status, answer.headers['access-control-allow-origin']]).toEqual([path, 200, '*']);
      const document = answer.json();
      expect(document).toMatchObject({
        issuer: gate.issuer,
        code_challenge_methods_supported: ['S256'],
        grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
        response_types_supported: ['code'],
        authorization_response_iss_parameter_supported: true,
        client_id_metadata_document_supported: true,
        scopes_supported: ['mcp'],
      });
      for (const [name, value] of Object.entries(document)) {
        if (!/_endpoint$|_uri$/.test(name)) continue;
        const { status } = await gate.ask(new URL(value as string).pathname, {
          headers: { accept: 'application/json' },
        });
        expect([name, status]).not.toEqual([name, 404]);
        expect(status).toBeLessThan(500);
      }
    }
  });

  test('every other well-known path is a 404, for any method, and never a 5xx', async () => {
    for (const path of [
      '/.well-known/oauth-authorization-server/mcp',
      '/.well-known/oauth-protected-resource',
      '/.well-known/jwks.json',
      '/.well-known/',
      '/.well-known/openid-configuration/',
    ]) {
      expect([path, (await gate.ask(path)).status]).toEqual([path, 404]);
    }
    expect((await gate.ask('/.well-known/openid-configuration', { method: 'POST' })).status).toBe(405);
  });

  test('the key document holds public members only', async () => {
    const answer = await gate.ask('/jwks');
    const keys = answer.json().keys as Record<string, string>[];
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
    }
    expect((await gate.ask('/jwks', { method: 'OPTIONS' })).headers['access-control-allow-origin']).toBe('*');
  });
});
