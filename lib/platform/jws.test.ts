import { createPublicKey } from 'node:crypto';
import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { describe, expect, test } from 'vitest';
import {
  generateEd25519,
  openPrivateJwk,
  openPublicJwk,
  readCompact,
  signCompact,
  type VerifiableAlgorithm,
  verifiesCompact,
  verifiesEd25519,
} from './jws.ts';

const algorithms: VerifiableAlgorithm[] = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
];

const signers = await Promise.all(
  algorithms.map(async (alg) => {
    const pair = await generateKeyPair(alg, { extractable: true });
    const token = await new CompactSign(Buffer.from('{"sub":"a"}'))
      .setProtectedHeader({ alg })
      .sign(pair.privateKey);
    const jwk = await exportJWK(pair.publicKey);
    return { alg, token, key: createPublicKey({ key: { ...jwk }, format: 'jwk' }) };
  }),
);

describe('verifying what others signed', () => {
  test.each(signers)(
    '$alg as jose signs it, by its own key, whole and unaltered',
    async ({ alg, token, key }) => {
      expect(await verifiesCompact(token, key, alg)).toBe(true);
      const [header, payload, signature] = token.split('.') as [string, string, string];
      const other = Buffer.from('{"sub":"b"}').toString('base64url');
      expect(await verifiesCompact(`${header}.${other}.${signature}`, key, alg)).toBe(false);
      expect(await verifiesCompact(`${header}.${payload}.`, key, alg)).toBe(false);
      expect(await verifiesCompact(`${header}.${payload}.${signature.slice(0, -8)}`, key, alg)).toBe(false);
      expect(
        await verifiesCompact(
          `${header}.${payload}.${Buffer.alloc(Buffer.from(signature, 'base64url').length).toString('base64url')}`,
          key,
          alg,
        ),
      ).toBe(false);
    },
  );

  test('no algorithm takes another’s key or signature (T08)', async () => {
    for (const one of signers) {
      for (const other of signers) {
        const same = one.alg === other.alg;
        expect([one.alg, other.alg, await verifiesCompact(one.token, other.key, one.alg)]).toEqual([
          one.alg,
          other.alg,
          same,
        ]);
        if (same || (one.key.asymmetricKeyType === 'ed25519' && other.alg.startsWith('Ed'))) continue;
        expect([one.alg, other.alg, await verifiesCompact(one.token, one.key, other.alg)]).toEqual([
          one.alg,
          other.alg,
          false,
        ]);
      }
    }
  });
});

describe('our own compact form', () => {
  const { publicJwk, privateJwk } = generateEd25519('key_1');
  const token = signCompact(openPrivateJwk(privateJwk), { typ: 'at+jwt', kid: 'key_1' }, { a: 1 });

  test('is what jose reads', async () => {
    const { compactVerify, importJWK } = await import('jose');
    const { payload, protectedHeader } = await compactVerify(
      token,
      await importJWK({ ...publicJwk }, 'EdDSA'),
    );
    expect([JSON.parse(Buffer.from(payload).toString()), protectedHeader]).toEqual([
      { a: 1 },
      { alg: 'EdDSA', typ: 'at+jwt', kid: 'key_1' },
    ]);
  });

  test('is taken apart only when it is three parts of base64url JSON objects', () => {
    const parts = readCompact(token);
    expect(parts && verifiesEd25519(parts, openPublicJwk({ ...publicJwk }))).toBe(true);
    for (const text of [
      '',
      'a.b',
      'a.b.c.d',
      `${token}=`,
      ` ${token}`,
      'bnVsbA.W10.AA',
      'x'.repeat(20_000),
      'e30.e30.',
    ]) {
      expect([text.slice(0, 20), readCompact(text)]).toEqual([text.slice(0, 20), null]);
    }
  });
});
