import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toolSetDigest } from '#guard/canonical.ts';
import { parseAccessTokenClaims } from '#guard/protocol.ts';
import {
  generateEd25519,
  openPrivateJwk,
  openPublicJwk,
  readCompact,
  verifiesEd25519,
} from '#lib/platform/jws.ts';
import { type AccessTokenFacts, signAccessToken, tokenLifetimeSeconds } from './access-token.ts';
import type { SigningKey } from './signing-keys.ts';

const pair = generateEd25519('key_1');
const key: SigningKey = {
  kid: 'key_1',
  purpose: 'token',
  alg: 'EdDSA',
  privateKey: openPrivateJwk(pair.privateJwk),
  publicJwk: pair.publicJwk,
};
const issuedAt = new Date('2026-03-02T09:00:00.900Z');
const facts: AccessTokenFacts = {
  jti: 'crd_1',
  issuer: 'https://issuer.example',
  subject: 'per_1',
  audience: 'https://mcp.example/mcp',
  clientId: 'client_1',
  issuedAt,
  endsAt: new Date('2026-03-09T09:00:00.000Z'),
  lifetimeSeconds: 600,
  agentId: 'agt_1',
  epoch: 3,
  bindingId: 'bnd_1',
  bindingVersion: 2,
  family: 'fam_1',
  sourceId: 'src_1',
  clientClass: 'interactive',
  tools: ['read', 'write note'],
};
const claimsOf = (token: string) => readCompact(token)?.payload as ReturnType<typeof parseAccessTokenClaims>;

describe('an access token', () => {
  test('says what a guard reads, under the key it names', () => {
    const { token, scope } = signAccessToken(key, facts);
    const parts = readCompact(token);
    expect(parts?.header).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: 'key_1' });
    expect(parts && verifiesEd25519(parts, openPublicJwk({ ...pair.publicJwk }))).toBe(true);
    expect(scope).toBe('mcp tool:read tool:write%20note');
    expect(parseAccessTokenClaims(claimsOf(token))).toEqual({
      iss: facts.issuer,
      sub: 'per_1',
      aud: facts.audience,
      client_id: 'client_1',
      iat: 1772442000,
      exp: 1772442600,
      jti: 'crd_1',
      scope,
      cs: {
        agent: 'agt_1',
        epoch: 3,
        binding: 'bnd_1',
        version: 2,
        family: 'fam_1',
        source: 'src_1',
        class: 'interactive',
        tools: ['read', 'write note'],
      },
    });
  });

  test('never outlives the approval, to the second (T62)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1000, max: 10_000_000 }),
        fc.integer({ min: 1, max: 600 }),
        (leftMs, lifetimeSeconds) => {
          const endsAt = new Date(issuedAt.getTime() + leftMs);
          const { token, expiresAt, expiresInSeconds } = signAccessToken(key, {
            ...facts,
            endsAt,
            lifetimeSeconds,
          });
          expect(expiresAt.getTime()).toBeLessThanOrEqual(
            Math.max(endsAt.getTime(), issuedAt.getTime() - 1000),
          );
          expect(expiresInSeconds).toBeLessThanOrEqual(lifetimeSeconds);
          expect(claimsOf(token).exp * 1000).toBe(expiresAt.getTime());
        },
      ),
    );
  });

  test('names the digest of its tools when they are more than 64 or longer than 4 KB', () => {
    const many = Array.from({ length: 65 }, (_, index) => `tool_${index}`);
    const long = Array.from({ length: 40 }, (_, index) => `${'x'.repeat(120)}_${index}`);
    for (const tools of [many, long]) {
      const { token, scope } = signAccessToken(key, { ...facts, tools });
      const claims = claimsOf(token);
      expect(claims.cs).toMatchObject({ toolsDigest: toolSetDigest(tools) });
      expect(claims.cs.tools).toBeUndefined();
      expect(claims.scope).toBe('mcp');
      expect(scope.split(' ')).toHaveLength(tools.length + 1);
      expect(token.length).toBeLessThan(1500);
    }
  });

  test('headless agents get five minutes, everything unknown too', () => {
    expect(tokenLifetimeSeconds('interactive')).toBe(600);
    for (const clientClass of ['headless service', 'CI job', '', 'Interactive']) {
      expect(tokenLifetimeSeconds(clientClass)).toBe(300);
    }
  });

  test('altered in any byte, it verifies no more (T08)', () => {
    const { token } = signAccessToken(key, facts);
    const publicKey = openPublicJwk({ ...pair.publicJwk });
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.constantFrom(...'ABCxyz019_-.'), (at, character) => {
        fc.pre(token[at] !== character);
        const altered = token.slice(0, at) + character + token.slice(at + 1);
        const parts = readCompact(altered);
        // The last character of 64 bytes in base64url carries four bits that mean nothing.
        if (at === token.length - 1) return;
        expect(parts !== null && verifiesEd25519(parts, publicKey)).toBe(false);
      }),
    );
  });
});
