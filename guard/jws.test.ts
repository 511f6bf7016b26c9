import { createHmac, generateKeyPairSync } from 'node:crypto';
import { CompactSign, compactVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { verifyEnrolRequest } from './gate-side.ts';
import { keyIdOf, openCompact, openPublicKey, signCompact } from './jws.ts';
import { guardProtocolVersion, type PublicJwk } from './protocol.ts';

const pair = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const payload = { head: 7, text: 'ä€' };
const typ = 'guard-feed+jwt';
const mine = signCompact(pair.privateKey, { typ, kid: 'feed-1' }, payload);
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const [header = '', body = '', signature = ''] = mine.split('.');
const signedWith = (protectedHeader: { alg: string } & Record<string, unknown>, key = pair.privateKey) =>
  new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader(protectedHeader)
    .sign(key, { crit: { odd: true } });

describe('what gate and guard tell each other', () => {
  test('is what jose reads, and what jose writes is read', async () => {
    const { payload: read, protectedHeader } = await compactVerify(mine, pair.publicKey);
    expect(JSON.parse(Buffer.from(read).toString('utf8'))).toEqual(payload);
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ, kid: 'feed-1' });
    expect(openCompact(await signedWith({ alg: 'EdDSA', typ }), typ, pair.publicKey)).toEqual(payload);
    expect(openCompact(mine, typ, pair.publicKey)).toEqual(payload);
    expect(keyIdOf(mine)).toBe('feed-1');
  });

  test.each<[string, () => string | Promise<string>]>([
    ['another key', () => signCompact(other.privateKey, { typ, kid: 'feed-1' }, payload)],
    ['another type', () => signCompact(pair.privateKey, { typ: 'guard-ack+jwt', kid: 'feed-1' }, payload)],
    ['no type', () => signedWith({ alg: 'EdDSA' })],
    ['a header that has to be understood', () => signedWith({ alg: 'EdDSA', typ, crit: ['odd'], odd: 1 })],
    ['another algorithm', () => signedWith({ alg: 'ES256', typ }, curve.privateKey)],
    ['no algorithm', () => `${part({ alg: 'none', typ })}.${body}.`],
    [
      'the public key as a shared secret',
      () => {
        const signed = `${part({ alg: 'HS256', typ })}.${body}`;
        const secret = pair.publicKey.export({ type: 'spki', format: 'der' });
        return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
      },
    ],
    ['another payload', () => `${header}.${part({ ...payload, head: 8 })}.${signature}`],
    ['another header', () => `${part({ alg: 'EdDSA', typ, kid: 'feed-2' })}.${body}.${signature}`],
    ['a short signature', () => `${header}.${body}.${signature.slice(0, 60)}`],
    ['a part more', () => `${mine}.${signature}`],
    ['a part less', () => `${header}.${body}`],
    ['padding', () => `${mine}==`],
    ['white space', () => ` ${mine}`],
    ['nothing', () => ''],
  ])('is not believed with %s', async (_, forge) => {
    expect(openCompact(await forge(), typ, pair.publicKey)).toBeNull();
  });

  test('is refused, not a fault, where whoever enrols sends a key that is none', async () => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: 'short' };
    const request = {
      protocol: guardProtocolVersion,
      version: '1',
      name: 'odd',
      joinSecret: 'x'.repeat(43),
      signingKey: jwk,
      encryptionKey: { ...jwk, crv: 'X25519' },
      proof: mine,
    };
    const refused = verifyEnrolRequest(request, { issuer: 'http://localhost', nowSeconds: 0 });
    await expect(refused).rejects.toMatchObject({
      name: 'GuardRefused',
      message: 'the signature does not hold',
    });
  });

  test('is not believed by a key of another kind', () => {
    expect(openCompact(mine, typ, curve.publicKey)).toBeNull();
    const jwk = curve.publicKey.export({ format: 'jwk' }) as unknown as PublicJwk;
    expect(openCompact(mine, typ, openPublicKey(jwk))).toBeNull();
    expect(keyIdOf('x')).toBeNull();
    expect(keyIdOf(part({ kid: 5 }))).toBeNull();
  });
});
