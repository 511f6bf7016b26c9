import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { algorithmsOfKey, describeJwksProblem, parseClientJwks } from '#lib/oauth/jwks.ts';
import type { JsonObject, JsonValue } from '#lib/platform/canonical-json.ts';

const publicJwk = (key: { publicKey: { export(options: { format: 'jwk' }): object } }) =>
  key.publicKey.export({ format: 'jwk' }) as JsonObject;
const ec = publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const ed = publicJwk(generateKeyPairSync('ed25519'));
const x25519 = publicJwk(generateKeyPairSync('x25519'));
const secp256k1 = publicJwk(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }));
const rsa = publicJwk(generateKeyPairSync('rsa', { modulusLength: 2048 }));
const rsa1024 = publicJwk(generateKeyPairSync('rsa', { modulusLength: 1024 }));
const privateEc = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  format: 'jwk',
}) as JsonObject;

describe('a client key set', () => {
  it('is reduced to what makes a key', () => {
    const noisy = {
      ...ec,
      kid: 'a',
      use: 'sig',
      alg: 'ES256',
      x5u: 'http://127.0.0.1/x',
      x5c: ['AA'],
      extra: 1,
    };
    expect(parseClientJwks({ keys: [noisy] })).toEqual({
      ok: true,
      value: { keys: [{ ...ec, kid: 'a', alg: 'ES256' }] },
    });
  });

  it('accepts each kind of signature key', () => {
    const parsed = parseClientJwks({
      keys: [
        { ...ec, kid: '1' },
        { ...ed, kid: '2' },
        { ...rsa, kid: '3' },
      ],
    });
    expect(parsed.ok && parsed.value.keys.map((key) => algorithmsOfKey(key)[0])).toEqual([
      'ES256',
      'EdDSA',
      'RS256',
    ]);
  });

  it('passes over keys that are not for signatures', () => {
    const others = [
      x25519,
      secp256k1,
      { ...rsa, use: 'enc' },
      { ...ec, key_ops: ['deriveBits'] },
      { kty: 'AKP', pub: 'AA' },
    ];
    expect(parseClientJwks({ keys: [...others, { ...ec, kid: 'a' }] })).toMatchObject({
      ok: true,
      value: { keys: [{ kid: 'a' }] },
    });
    expect(parseClientJwks({ keys: others })).toEqual({ ok: false, error: { reason: 'no-signing-key' } });
  });

  it.each<[string, JsonValue, object]>([
    ['nothing', null, { reason: 'not-a-key-set' }],
    ['a bare key', ec, { reason: 'not-a-key-set' }],
    ['keys that are no list', { keys: { 0: ec } }, { reason: 'not-a-key-set' }],
    ['no keys', { keys: [] }, { reason: 'no-signing-key' }],
    ['ten thousand keys', { keys: Array(10_000).fill(ec) }, { reason: 'too-many-keys' }],
    ['a key that is a string', { keys: ['x'] }, { reason: 'not-an-object', index: 0 }],
    ['a symmetric key', { keys: [ec, { kty: 'oct', k: 'AA' }] }, { reason: 'symmetric-key', index: 1 }],
    ['a symmetric key in disguise', { keys: [{ ...ec, k: 'AA' }] }, { reason: 'symmetric-key', index: 0 }],
    ['a private key', { keys: [privateEc] }, { reason: 'private-key', index: 0 }],
    [
      'a private encryption key',
      { keys: [ec, { ...rsa, use: 'enc', d: 'AA' }] },
      { reason: 'private-key', index: 1 },
    ],
    ['RSA of 1024 bits', { keys: [rsa1024] }, { reason: 'rsa-modulus-size', index: 0, bits: 1024 }],
    [
      'RSA with leading zeros',
      { keys: [{ ...rsa1024, n: `AAAA${'AAAA'.repeat(50)}${rsa1024.n}` }] },
      { reason: 'rsa-modulus-size', bits: 1024 },
    ],
    [
      'RSA of 16384 bits',
      { keys: [{ ...rsa, n: Buffer.alloc(2048, 0xff).toString('base64url').slice(0, 2048) }] },
      { reason: 'rsa-modulus-size' },
    ],
    ['RSA with exponent 1', { keys: [{ ...rsa, e: 'AQ' }] }, { reason: 'member-invalid', member: 'e' }],
    ['RSA with an even exponent', { keys: [{ ...rsa, e: 'Ag' }] }, { reason: 'member-invalid', member: 'e' }],
    [
      'RSA with a huge exponent',
      { keys: [{ ...rsa, e: 'AQEBAQEBAQEBAQEB' }] },
      { reason: 'member-invalid', member: 'e' },
    ],
    ['a point off the curve', { keys: [{ ...ec, y: ec.x }] }, { reason: 'not-a-valid-key', index: 0 }],
    ['a short coordinate', { keys: [{ ...ec, x: 'AA' }] }, { reason: 'not-a-valid-key', index: 0 }],
    ['a missing coordinate', { keys: [{ ...ec, y: null }] }, { reason: 'member-invalid', member: 'y' }],
    [
      'a coordinate in base64',
      { keys: [{ ...ec, x: `${String(ec.x).slice(0, -2)}+/` }] },
      { reason: 'member-invalid', member: 'x' },
    ],
    [
      'an algorithm of another kind',
      { keys: [{ ...ec, alg: 'RS256' }] },
      { reason: 'member-invalid', member: 'alg' },
    ],
    ['HMAC', { keys: [{ ...rsa, alg: 'HS256' }] }, { reason: 'member-invalid', member: 'alg' }],
    ['none', { keys: [{ ...rsa, alg: 'none' }] }, { reason: 'member-invalid', member: 'alg' }],
    [
      'a kid twice',
      {
        keys: [
          { ...ec, kid: 'a' },
          { ...ed, kid: 'a' },
        ],
      },
      { reason: 'duplicate-kid', index: 1 },
    ],
    ['two keys, one without kid', { keys: [{ ...ec, kid: 'a' }, ed] }, { reason: 'kid-missing', index: 1 }],
    ['a kid that is a number', { keys: [{ ...ec, kid: 1 }] }, { reason: 'member-invalid', member: 'kid' }],
    [
      'a kid of 10 KB',
      { keys: [{ ...ec, kid: 'k'.repeat(10_000) }] },
      { reason: 'member-invalid', member: 'kid' },
    ],
  ])('is refused for %s', (_title, value, error) => {
    const parsed = parseClientJwks(value);
    expect(parsed).toMatchObject({ ok: false, error });
    if (!parsed.ok) expect(describeJwksProblem(parsed.error)).toMatch(/^jwks/);
  });
});
