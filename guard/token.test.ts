import { createHmac } from 'node:crypto';
import { CompactSign, exportJWK, exportSPKI, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AccessTokenClaims, AgentFacts, BindingFacts } from './protocol.ts';
import type { Slice } from './slice.ts';
import { reviewedTool, SmallGate } from './testing/small-gate.ts';
import { namesUnknownKey, resolvePrincipal, TokenVerifier, verifyCatalogueToken } from './token.ts';

const serverId = 'srv_1';
const resource = 'http://127.0.0.1:4103/mcp';
const noFloors = { epoch: () => 0, version: () => 0 };
let gate: SmallGate;
let slice: Slice;
let granted: { agent: AgentFacts; binding: BindingFacts };
let verifier: TokenVerifier;

beforeAll(async () => {
  gate = await SmallGate.start();
  gate.addServer({
    server: { id: serverId, name: 'One', resource },
    tools: [reviewedTool({ name: 'read' }), reviewedTool({ name: 'write' })],
  });
  granted = await gate.grant(serverId, ['read', 'write']);
  const known = gate.servers.get(serverId);
  if (!known) throw new TypeError('no server');
  slice = known.slice;
  verifier = new TokenVerifier(gate.issuer);
});
afterAll(() => gate.close());

const verify = (token: string, nowMs = Date.now()) => verifier.verify(token, slice, nowMs);
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('an access token', () => {
  test('as the gate mints it is accepted, again from memory', async () => {
    const token = await gate.mint(serverId, granted);
    expect(await verify(token)).toMatchObject({ client_id: 'cli_1', cs: { agent: granted.agent.id } });
    expect(await verify(token)).toMatchObject({ client_id: 'cli_1' });
  });

  test.each(['none', 'None', 'NONE', 'nOnE'])('with algorithm %s is refused', async (alg) => {
    const [, payload, signature] = (await gate.mint(serverId, granted)).split('.');
    for (const last of ['', signature])
      expect(
        await verify(`${encode({ alg, typ: 'at+jwt', kid: 'tok-1' })}.${payload}.${last}`),
      ).toHaveProperty('code');
  });

  test('signed as HMAC with the public key is refused', async () => {
    const [, payload] = (await gate.mint(serverId, granted)).split('.');
    const key = (await importJWK(gate.publicTokenKey as JWK, 'EdDSA', { extractable: true })) as CryptoKey;
    for (const secret of [
      await exportSPKI(key),
      JSON.stringify(gate.publicTokenKey),
      gate.publicTokenKey.x,
    ]) {
      const input = `${encode({ alg: 'HS256', typ: 'at+jwt', kid: 'tok-1' })}.${payload}`;
      const signature = createHmac('sha256', secret).update(input).digest('base64url');
      expect(await verify(`${input}.${signature}`)).toMatchObject({ code: 'token_signature' });
    }
  });

  test('with an empty or a damaged signature is refused', async () => {
    const [header, payload, signature = ''] = (await gate.mint(serverId, granted)).split('.');
    const damaged = `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    for (const other of ['', 'AA', damaged])
      expect(await verify(`${header}.${payload}.${other}`)).toHaveProperty('code');
  });

  test('of another curve or key under the same kid is refused', async () => {
    const ec = await generateKeyPair('ES256');
    const ed = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    expect(
      await verify(await gate.mint(serverId, granted, {}, { alg: 'ES256' }, ec.privateKey)),
    ).toHaveProperty('code');
    expect(await verify(await gate.mint(serverId, granted, {}, {}, ed.privateKey))).toHaveProperty('code');
  });

  test.each(['../../etc/passwd', "' OR 1=1 --", '__proto__', 'tok-2', '', 'x'.repeat(10_000)])(
    'with kid %.20s finds no key',
    async (kid) => {
      expect(await verify(await gate.mint(serverId, granted, {}, { kid }))).toHaveProperty('code');
    },
  );

  test.each(['jwk', 'jku', 'x5u', 'x5c'])('that brings its own key in %s is refused', async (name) => {
    const own = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    const value =
      name === 'jwk' ? await exportJWK(own.publicKey) : name === 'x5c' ? ['AAAA'] : 'http://127.0.0.1:1/keys';
    const token = await gate.mint(serverId, granted, {}, { [name]: value }, own.privateKey);
    expect(await verify(token)).toMatchObject({ code: 'token_header' });
  });

  test('with an unknown critical header is refused', async () => {
    const [, payload = ''] = (await gate.mint(serverId, granted)).split('.');
    const own = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    const jws = await new CompactSign(Buffer.from(payload, 'base64url'))
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'tok-1', crit: ['x'], x: 1 } as never)
      .sign(own.privateKey, { crit: { x: true } });
    expect(await verify(jws)).toMatchObject({ code: 'token_header' });
  });

  test.each([
    'JWT',
    'guard-auth+jwt',
    'countersign-feed+jwt',
    'dpop+jwt',
    'countersign-catalogue+jwt',
    'application/at+jwt',
  ])('of type %s is refused: other kinds are no access tokens', async (typ) => {
    expect(await verify(await gate.mint(serverId, granted, {}, { typ }))).toMatchObject({
      code: 'token_type',
    });
  });

  test.each([
    'http://127.0.0.1:4103/mcp/',
    'http://127.0.0.1:4103/MCP',
    'http://127.0.0.1:4103/mcp#x',
    'http://127.0.0.1:4103',
    'http://127.0.0.1:4103/mcp.evil',
    'http://127.0.0.1:4104/mcp',
    'https://127.0.0.1:4103/mcp',
  ])('for %s is refused', async (aud) => {
    expect(await verify(await gate.mint(serverId, granted, { aud }))).toMatchObject({
      code: 'token_audience',
    });
  });

  test('for a list of audiences is refused, this one in it or not', async () => {
    const token = await gate.mint(serverId, granted, { aud: [resource] as never });
    expect(await verify(token)).toMatchObject({ code: 'token_malformed' });
  });

  test('of another issuer is refused', async () => {
    const token = await gate.mint(serverId, granted, { iss: `${gate.issuer}/` });
    expect(await verify(token)).toMatchObject({ code: 'token_issuer' });
  });

  test.each(['exp', 'iat', 'jti', 'client_id', 'cs'])('without %s is refused', async (claim) => {
    const token = await gate.mint(serverId, granted);
    const [, payload = ''] = token.split('.');
    const { [claim]: _, ...rest } = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const again = await gate.resign(rest);
    expect(await verify(again)).toMatchObject({ code: 'token_malformed' });
  });

  test.each([-1, 0.5, Number.MAX_VALUE, '9999999999'])('with exp %s is refused', async (exp) => {
    expect(await verify(await gate.mint(serverId, granted, { exp: exp as never }))).toHaveProperty('code');
  });

  test('that has expired is refused, also when it was accepted before', async () => {
    const token = await gate.mint(serverId, granted);
    expect(await verify(token)).not.toHaveProperty('code');
    expect(await verify(token, Date.now() + 601_000)).toMatchObject({ code: 'token_expired' });
  });

  test('remembered as good is forgotten when its key is killed', async () => {
    const own = await SmallGate.start();
    own.addServer({
      server: { id: serverId, name: 'One', resource },
      tools: [reviewedTool({ name: 'read' })],
    });
    const theirs = await own.grant(serverId, ['read']);
    const token = await own.mint(serverId, theirs);
    const { slice: theirSlice } = own.servers.get(serverId) ?? { slice };
    const theirVerifier = new TokenVerifier(own.issuer);
    expect(await theirVerifier.verify(token, theirSlice, Date.now())).not.toHaveProperty('code');
    await own.publish(serverId, { kind: 'key.killed', kid: 'tok-1' });
    expect(await theirVerifier.verify(token, theirSlice, Date.now())).toMatchObject({
      code: 'token_signature',
    });
    await own.publish(serverId, { kind: 'keys.changed', tokenKeys: own.tokenKeys });
    expect(await theirVerifier.verify(token, theirSlice, Date.now())).toMatchObject({
      code: 'token_signature',
    });
    expect(namesUnknownKey(token, theirSlice)).toBe(false);
    await own.close();
  });
});

describe('what a verified token is good for', () => {
  const resolve = async (cs: Partial<AccessTokenClaims['cs']>, floors = noFloors) => {
    const claims = await verify(await gate.mint(serverId, granted, { cs } as never));
    if ('code' in claims) throw new Error(claims.code);
    return resolvePrincipal(claims, slice, floors, Date.now());
  };

  test('the tools that token and binding both name, by exact code points', async () => {
    const principal = await resolve({ tools: ['read', 'Write', 'wríte', 'write ', 'admin'] });
    expect('tools' in principal && [...principal.tools.keys()]).toEqual(['read']);
  });

  test('all tools of the binding when the token names their digest, none when it names another', async () => {
    const whole = await resolve({ tools: undefined as never, toolsDigest: granted.binding.toolsDigest });
    expect('tools' in whole && [...whole.tools.keys()]).toEqual(['read', 'write']);
    expect(await resolve({ tools: undefined as never, toolsDigest: 'other' })).toMatchObject({
      code: 'tools_differ',
    });
    expect(await resolve({ tools: undefined as never })).toMatchObject({ code: 'tools_differ' });
  });

  test.each([
    [{ epoch: 0 }, 'agent_epoch_ended', false],
    [{ epoch: 2 }, 'epoch_newer', true],
    [{ version: 0 }, 'binding_changed', false],
    [{ version: 2 }, 'version_newer', true],
    [{ agent: 'agt_other' }, 'agent_unknown', true],
    [{ binding: 'bnd_other' }, 'binding_ended', true],
  ])('%j: %s, ask the gate: %s', async (cs, code, newer) => {
    expect(await resolve(cs)).toMatchObject({ code, newer });
  });

  test('a token or family ended before its time is refused, the next one is not, and the list forgets', async () => {
    const ended = (tokenIds: string[], families: string[], untilMs = Date.now() + 60_000) =>
      gate.publish(serverId, { kind: 'credentials.ended', tokenIds, families, untilMs });
    expect(await resolve({ family: 'fam_ended' })).toHaveProperty('tools');
    await ended([], ['fam_ended'], Date.now() - 1);
    expect(await resolve({ family: 'fam_ended' })).toMatchObject({ code: 'credential_ended' });
    expect(await resolve({ family: 'fam_other' })).toHaveProperty('tools');
    const claims = await verify(await gate.mint(serverId, granted));
    if ('code' in claims) throw new Error(claims.code);
    await ended([claims.jti], []);
    expect(resolvePrincipal(claims, slice, noFloors, Date.now())).toMatchObject({ code: 'credential_ended' });
    expect([...slice.endedCredentials.keys()]).toEqual([claims.jti]);
  });

  test('nothing below the floors of what was seen before, whatever the gate says now', async () => {
    expect(await resolve({}, { epoch: () => 2, version: () => 0 })).toMatchObject({
      code: 'agent_epoch_ended',
    });
    expect(await resolve({}, { epoch: () => 0, version: () => 2 })).toMatchObject({
      code: 'binding_changed',
    });
  });
});

describe('a catalogue token', () => {
  const key = async () => (await importJWK((await gate.publicFeedKey()) as JWK, 'EdDSA')) as CryptoKey;

  test('reads one resource for a minute, signed by the feed key only', async () => {
    const feedKeys = async () => key();
    const expect_ = { feedKeys, issuer: gate.issuer, resource, nowMs: Date.now() };
    const token = await gate.mintCatalogueToken(serverId);
    expect(await verifyCatalogueToken(token, expect_)).toHaveProperty('jti');
    expect(await verifyCatalogueToken(token, { ...expect_, resource: `${resource}/` })).toMatchObject({
      code: 'token_audience',
    });
    expect(await verifyCatalogueToken(token, { ...expect_, nowMs: Date.now() + 61_000 })).toMatchObject({
      code: 'token_expired',
    });
    const byTokenKey = await gate.mint(serverId, granted, {}, { typ: 'countersign-catalogue+jwt' });
    expect(await verifyCatalogueToken(byTokenKey, expect_)).toHaveProperty('code');
    expect(await verify(token)).toMatchObject({ code: 'token_type' });
  });

  test('that lives for hours is refused', async () => {
    const iat = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({ iss: gate.issuer, aud: resource, iat, exp: iat + 7200, jti: 'x' })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'countersign-catalogue+jwt', kid: gate.feedKey.kid })
      .sign(gate.feedKey.privateKey);
    const feedKeys = async () => key();
    expect(
      await verifyCatalogueToken(token, { feedKeys, issuer: gate.issuer, resource, nowMs: Date.now() }),
    ).toMatchObject({
      code: 'token_expired',
    });
  });
});
