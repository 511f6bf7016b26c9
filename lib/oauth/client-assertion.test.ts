import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CompactSign, exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import { describe, expect, it } from 'vitest';
import { checkClientAssertion, readAssertedClientId } from '#lib/oauth/client-assertion.ts';
import { type ClientJwks, parseClientJwks } from '#lib/oauth/jwks.ts';

const issuer = 'https://auth.example';
const clientId = 'client_1';
const now = new Date('2026-11-01T12:00:00Z');
const seconds = now.getTime() / 1_000;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed = generateKeyPairSync('ed25519');
const jwks = await keySet([
  ['ec', ec.publicKey],
  ['rsa', rsa.publicKey],
  ['ed', ed.publicKey],
]);
const claims = { iss: clientId, sub: clientId, aud: issuer, jti: 'j1', iat: seconds, exp: seconds + 60 };

async function keySet(keys: [string, KeyObject][]): Promise<ClientJwks> {
  const entries = await Promise.all(keys.map(async ([kid, key]) => ({ ...(await exportJWK(key)), kid })));
  const parsed = parseClientJwks({ keys: entries as never });
  if (!parsed.ok) throw new Error(parsed.error.reason);
  return parsed.value;
}
const sign = (payload: unknown, header: object = {}, key: KeyObject = ec.privateKey) =>
  new CompactSign(Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'ES256', kid: 'ec', ...header })
    .sign(key);
const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const check = (assertion: string, changes: object = {}) =>
  checkClientAssertion({ assertion, clientId, issuer, jwks, now, ...changes });
const reason = async (assertion: string, changes: object = {}) => {
  const checked = await check(assertion, changes);
  return checked.ok ? 'accepted' : checked.error.reason;
};

describe('a client assertion', () => {
  it('names the client, the key and until when its jti must be remembered', async () => {
    expect(await check(await sign(claims))).toEqual({
      ok: true,
      value: { clientId, jti: 'j1', expiresAt: new Date((seconds + 90) * 1_000), kid: 'ec', alg: 'ES256' },
    });
  });

  it.each([
    ['RS256', 'rsa', rsa.privateKey],
    ['PS256', 'rsa', rsa.privateKey],
    ['EdDSA', 'ed', ed.privateKey],
    ['Ed25519', 'ed', ed.privateKey],
  ])('may be signed with %s', async (alg, kid, key) => {
    expect(await reason(await sign(claims, { alg, kid }, key))).toBe('accepted');
  });

  it('made by an independent strict client is accepted', async () => {
    const pair = await oauth.generateKeyPair('ES256');
    const keys = parseClientJwks({ keys: [(await exportJWK(pair.publicKey)) as never] });
    let assertion = '';
    await oauth.clientCredentialsGrantRequest(
      { issuer, token_endpoint: `${issuer}/token` },
      { client_id: clientId },
      oauth.PrivateKeyJwt(pair.privateKey),
      {},
      {
        [oauth.customFetch]: async (_url, request) => {
          assertion = new URLSearchParams(String(request.body)).get('client_assertion') ?? '';
          return new Response('{}');
        },
      },
    );
    expect(readAssertedClientId(assertion)).toBe(clientId);
    expect(await reason(assertion, { jwks: keys.ok && keys.value, now: new Date() })).toBe('accepted');
  });

  it('needs no kid when one key fits the algorithm', async () => {
    expect(await reason(await sign(claims, { kid: undefined }))).toBe('accepted');
  });

  it.each([
    ['JWT', 'accepted'],
    ['client-authentication+jwt', 'accepted'],
    ['application/client-authentication+jwt', 'accepted'],
    ['at+jwt', 'header-not-allowed'],
    ['dpop+jwt', 'header-not-allowed'],
    ['secevent+jwt', 'header-not-allowed'],
    ['oauth-id-jag+jwt', 'header-not-allowed'],
    ['token-introspection+jwt', 'header-not-allowed'],
  ])('of type %s is %s', async (typ, expected) => {
    expect(await reason(await sign(claims, { typ }))).toBe(expected);
  });

  it.each([
    ['the token endpoint', 'https://auth.example/token'],
    ['the issuer with a slash', 'https://auth.example/'],
    ['the issuer in a list', ['https://auth.example']],
    ['the issuer among others', ['https://auth.example', 'https://evil.example']],
    ['another server', 'https://evil.example'],
    ['nothing', undefined],
    ['an object', { a: 'https://auth.example' }],
    ['the issuer in capitals', 'https://AUTH.example'],
  ])('for %s is refused', async (_title, aud) => {
    expect(await reason(await sign({ ...claims, aud }))).toBe('audience-not-issuer');
  });

  it.each([
    ['another issuer', { iss: 'client_2' }, 'issuer-not-client'],
    ['another subject', { sub: 'client_2' }, 'issuer-not-client'],
    ['no subject', { sub: undefined }, 'issuer-not-client'],
    ['no jti', { jti: undefined }, 'claim-invalid'],
    ['an empty jti', { jti: '' }, 'claim-invalid'],
    ['a numeric jti', { jti: 1 }, 'claim-invalid'],
    ['a jti of 10 KB', { jti: 'j'.repeat(1_000) }, 'claim-invalid'],
    ['no exp', { exp: undefined }, 'claim-invalid'],
    ['exp as text', { exp: String(seconds + 60) }, 'claim-invalid'],
    ['a negative exp', { exp: -1 }, 'claim-invalid'],
    ['exp in milliseconds', { exp: (seconds + 60) * 1_000 }, 'claim-invalid'],
    ['exp beyond all numbers', { exp: 1e308 }, 'claim-invalid'],
    ['exp in a year', { exp: seconds + 31_536_000 }, 'lifetime-too-long'],
    ['exp in six minutes', { exp: seconds + 360 }, 'lifetime-too-long'],
    ['exp in five minutes', { exp: seconds + 300 }, 'accepted'],
    ['exp a moment ago', { exp: seconds - 29 }, 'accepted'],
    ['exp half a minute ago', { exp: seconds - 30 }, 'expired'],
    ['nbf in the future', { nbf: seconds + 31 }, 'not-yet-valid'],
    ['iat in the future', { iat: seconds + 31 }, 'not-yet-valid'],
    ['iat a moment ahead', { iat: seconds + 29 }, 'accepted'],
    ['iat as text', { iat: 'now' }, 'claim-invalid'],
  ])('with %s is %s', async (_title, changes, expected) => {
    expect(await reason(await sign({ ...claims, ...changes }))).toBe(expected);
  });

  it.each(['jwk', 'jku', 'x5u', 'x5c', 'x5t'])('that brings its key in %s is refused', async (parameter) => {
    const value = parameter === 'jwk' ? await exportJWK(other.publicKey) : 'http://127.0.0.1:1/keys';
    expect(await reason(await sign(claims, { [parameter]: value }, other.privateKey))).toBe(
      'header-not-allowed',
    );
  });

  it('with an unknown critical header is refused', async () => {
    const signed = await sign(claims);
    const [, payload, signature] = signed.split('.');
    const header = b64({ alg: 'ES256', kid: 'ec', crit: ['x'], x: 1 });
    expect(await reason(`${header}.${payload}.${signature}`)).toBe('header-not-allowed');
  });

  it.each(['none', 'None', 'NONE', 'nOnE', 'HS256', 'HS512', 'dir', 'ES256K', '', 'es256'])(
    'with alg %j is refused',
    async (alg) => {
      const unsigned = `${b64({ alg, kid: 'ec' })}.${b64(claims)}`;
      expect(await reason(`${unsigned}.`)).toBe('algorithm-not-allowed');
      expect(await reason(`${unsigned}.AAAA`)).toBe('algorithm-not-allowed');
    },
  );

  it('signed with the public key as an HMAC secret is refused', async () => {
    const unsigned = `${b64({ alg: 'HS256', kid: 'rsa' })}.${b64(claims)}`;
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
    const signature = createHmac('sha256', pem).update(unsigned).digest('base64url');
    expect(await reason(`${unsigned}.${signature}`)).toBe('algorithm-not-allowed');
  });

  it.each([
    ['another key under the same kid', { kid: 'ec' }, other.privateKey, 'signature-invalid'],
    ['a kid that is not in the set', { kid: 'nope' }, ec.privateKey, 'key-unknown'],
    ['a kid that is a path', { kid: '../../etc/passwd' }, ec.privateKey, 'key-unknown'],
    ['a kid that is SQL', { kid: "x' OR '1'='1" }, ec.privateKey, 'key-unknown'],
    ['a kid that is a member of every object', { kid: 'constructor' }, ec.privateKey, 'key-unknown'],
    ['another curve', { alg: 'ES384', kid: 'ec' }, p384.privateKey, 'key-unknown'],
    ['the kid of a key of another kind', { alg: 'ES256', kid: 'rsa' }, ec.privateKey, 'key-unknown'],
  ])('signed with %s is refused', async (_title, header, key, expected) => {
    expect(await reason(await sign(claims, header, key))).toBe(expected);
  });

  it('must use the algorithm the client registered', async () => {
    expect(await reason(await sign(claims), { registeredAlg: 'RS256' })).toBe('algorithm-not-allowed');
  });

  it('with a name twice among its claims is refused', async () => {
    const twice = JSON.stringify(claims).replace('{', '{"aud":"https://evil.example",');
    expect(await reason(await sign(twice))).toBe('malformed');
  });

  it.each([
    '',
    '.',
    '..',
    'a.b',
    'a.b.c.d',
    'a.b.c.d.e',
    'é.é.é',
    `${'a'.repeat(9_000)}.b.c`,
    'e30.e30.AAAA',
    'W10.W10.AAAA',
  ])('that is %j is refused', async (text) => {
    expect(await reason(text)).toMatch(/malformed|algorithm-not-allowed/);
  });

  it('whose signature is altered or cut off is refused', async () => {
    const signed = await sign(claims);
    expect(await reason(`${signed.slice(0, -4)}AAAA`)).toBe('signature-invalid');
    expect(await reason(signed.slice(0, -4))).toBe('signature-invalid');
    expect(await reason(signed.slice(0, signed.lastIndexOf('.') + 1))).toBe('algorithm-not-allowed');
  });

  it('says which client to look up, only when issuer and subject agree', async () => {
    expect(readAssertedClientId(await sign(claims))).toBe(clientId);
    expect(readAssertedClientId(await sign({ ...claims, sub: 'x' }))).toBeNull();
    expect(readAssertedClientId(await sign({ ...claims, iss: 1, sub: 1 }))).toBeNull();
    expect(readAssertedClientId('a.b.c')).toBeNull();
    expect(readAssertedClientId('')).toBeNull();
  });
});
