import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseClientIdUrl } from '#lib/oauth/client-id-metadata.ts';
import { type ClientDocuments, createClientDocuments } from '#lib/oauth/fetch-client-metadata.ts';
import { createRemoteHttp } from '#lib/platform/http.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
let answer: Answer;
let requests = 0;
let now = new Date('2026-11-01T12:00:00Z');
const host = createServer((request, response) => {
  requests++;
  answer(request, response);
});
let clientId = '';
let documents: ClientDocuments;

const serve =
  (body: unknown, headers: Record<string, string> = {}, status = 200): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
const good = () => ({
  client_id: clientId,
  client_name: 'Example Agent',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
});
const reason = async () => {
  const fetched = await documents.clientMetadata(clientId);
  if (fetched.ok) return 'accepted';
  const { error } = fetched;
  if (error.reason === 'document-invalid' || error.reason === 'document-malformed')
    return error.problem.reason;
  return error.reason === 'unavailable' ? error.detail : error.reason;
};

beforeAll(async () => {
  await new Promise<void>((done) => host.listen(0, '127.0.0.1', done));
  clientId = `http://127.0.0.1:${(host.address() as AddressInfo).port}/client.json`;
});
afterAll(() => {
  host.closeAllConnections();
  host.close();
});
beforeEach(() => {
  requests = 0;
  const clock = { now: () => now, monotonicMs: () => 0 };
  documents = createClientDocuments({
    http: createRemoteHttp({ allowLoopback: true, timeoutMs: 400, clock }),
    policy: { grantTypes: ['authorization_code', 'refresh_token'] },
    allowLoopback: true,
    clock,
  });
});

describe('a client_id that is a URL', () => {
  it.each([
    'https://client.example/client.json',
    'https://claude.ai/oauth/claude-code-client-metadata',
    'https://chatgpt.com/oauth/codex/client.json',
    'https://client.example:8443/c',
    'https://client.example/c?v=1',
    'https://client.example/dir/',
  ])('may be %s', (text) => {
    expect(parseClientIdUrl(text).ok).toBe(true);
  });

  it.each([
    ['http://client.example/c', 'not-https'],
    ['http://127.0.0.1/c', 'not-https'],
    ['HTTPS://client.example/c', 'not-https'],
    ['ftp://client.example/c', 'not-https'],
    ['https:client.example/c', 'not-https'],
    ['https://client.example', 'no-path'],
    ['https://client.example/', 'no-path'],
    ['https://client.example?c', 'no-path'],
    ['https://client.example/c#x', 'fragment'],
    ['https://user@client.example/c', 'userinfo'],
    ['https://user:pass@client.example/c', 'userinfo'],
    ['https://client.example/./c', 'dot-segment'],
    ['https://client.example/a/../c', 'dot-segment'],
    ['https://client.example/%2e%2E/c', 'dot-segment'],
    ['https://client.example/.%2e/c', 'dot-segment'],
    ['https://client.example//c', 'empty-segment'],
    ['https://client.example/a//c', 'empty-segment'],
    ['https://CLIENT.example/c', 'host-not-normal'],
    ['https://client.example./c', 'host-not-normal'],
    ['https://client.example:443/c', 'host-not-normal'],
    ['https://127.1/c', 'host-not-normal'],
    ['https:///c', 'host-not-normal'],
    ['https://client.example/c d', 'forbidden-character'],
    ['https://client.example\\c', 'forbidden-character'],
    ['https://clıent.example/c', 'forbidden-character'],
    ['https://client.example/c\n', 'forbidden-character'],
    ["https://client.example/c?a='b", 'not-normal'],
    [`https://client.example/${'c'.repeat(1_000)}`, 'too-long'],
  ])('may not be %j', (text, problem) => {
    expect(parseClientIdUrl(text)).toEqual({ ok: false, error: problem });
  });

  it('may be on loopback only by the development setting', () => {
    expect(parseClientIdUrl('http://127.0.0.1:8080/c', { allowLoopback: true }).ok).toBe(true);
    expect(parseClientIdUrl('http://127.0.0.1.evil.example/c', { allowLoopback: true }).ok).toBe(false);
    expect(parseClientIdUrl('http://10.0.0.1/c', { allowLoopback: true }).ok).toBe(false);
  });
});

describe('a metadata document', () => {
  it('is judged once and carries the digest of its bytes', async () => {
    answer = serve(good());
    const fetched = await documents.clientMetadata(clientId);
    expect(fetched).toMatchObject({
      ok: true,
      value: {
        clientId,
        text: JSON.stringify(good()),
        metadata: { clientName: 'Example Agent', tokenEndpointAuthMethod: 'none', unrecognized: [] },
      },
    });
    expect(fetched.ok && fetched.value.digest).toMatch(/^sha256:[A-Za-z0-9_-]{43}$/);
  });

  it('without an authentication method means none', async () => {
    const { token_endpoint_auth_method: _method, ...rest } = good();
    answer = serve({ ...rest, redirect_uris: ['https://client.example/cb'] });
    expect(await documents.clientMetadata(clientId)).toMatchObject({
      ok: true,
      value: { metadata: { tokenEndpointAuthMethod: 'none' } },
    });
  });

  it.each<[string, () => Answer, string]>([
    [
      'another client_id',
      () => serve({ ...good(), client_id: 'https://evil.example/c' }),
      'client-id-mismatch',
    ],
    [
      'the client_id with a slash',
      () => serve({ ...good(), client_id: `${clientId}/` }),
      'client-id-mismatch',
    ],
    ['no client_id', () => serve({ ...good(), client_id: undefined }), 'client-id-mismatch'],
    ['a client_id that is a list', () => serve({ ...good(), client_id: [clientId] }), 'client-id-mismatch'],
    [
      'client_id twice',
      () => serve(JSON.stringify(good()).replace('{', `{"client_id":"x",`)),
      'duplicate-member',
    ],
    ['a client_secret', () => serve({ ...good(), client_secret: 's' }), 'shared-secret'],
    ['a secret that never expires', () => serve({ ...good(), client_secret_expires_at: 0 }), 'shared-secret'],
    [
      'client_secret_basic',
      () => serve({ ...good(), token_endpoint_auth_method: 'client_secret_basic' }),
      'shared-secret',
    ],
    [
      'client_secret_post',
      () => serve({ ...good(), token_endpoint_auth_method: 'client_secret_post' }),
      'shared-secret',
    ],
    [
      'client_secret_jwt',
      () => serve({ ...good(), token_endpoint_auth_method: 'client_secret_jwt' }),
      'shared-secret',
    ],
    [
      'tls_client_auth',
      () => serve({ ...good(), token_endpoint_auth_method: 'tls_client_auth' }),
      'auth-method-unsupported',
    ],
    ['a private key', () => serve({ ...good(), jwks: { keys: [{ kty: 'EC', d: 'x' }] } }), 'jwks-invalid'],
    ['no redirect URIs', () => serve({ ...good(), redirect_uris: [] }), 'redirect-uris-missing'],
    [
      'a script as redirect URI',
      () => serve({ ...good(), redirect_uris: ['javascript:alert(1)'] }),
      'redirect-uri-invalid',
    ],
    ['only implicit', () => serve({ ...good(), grant_types: ['implicit'] }), 'grant-types-unsupported'],
    ['an array', () => serve([good()]), 'not-an-object'],
    ['text', () => serve('hello'), 'syntax'],
    ['nothing', () => serve(''), 'syntax'],
    ['a byte order mark', () => serve(`\ufeff${JSON.stringify(good())}`), 'syntax'],
    [
      'malformed UTF-8',
      () => (_q, r) =>
        r.writeHead(200, { 'content-type': 'application/json' }).end(Buffer.from([0x7b, 0xff])),
      'invalid-utf8',
    ],
    ['deep nesting', () => serve(`${'['.repeat(2_000)}${']'.repeat(2_000)}`), 'too-deep'],
    ['__proto__', () => serve(JSON.stringify(good()).replace('{', '{"__proto__":{},')), 'forbidden-member'],
    ['more than 5 KB', () => serve({ ...good(), padding: 'x'.repeat(5_200) }), 'larger than allowed'],
    ['HTML', () => serve(good(), { 'content-type': 'text/html' }), 'media type not JSON'],
    ['404', () => serve(good(), {}, 404), 'status not 200'],
    ['201', () => serve(good(), {}, 201), 'status not 200'],
    ['a redirect', () => serve('', { location: clientId }, 301), 'redirect refused'],
    [
      'a body that drips',
      () => (_q, r) => {
        r.writeHead(200, { 'content-type': 'application/json' });
        const writing = setInterval(() => r.write(' '), 50);
        r.on('close', () => clearInterval(writing));
      },
      'deadline passed',
    ],
    ['silence', () => () => {}, 'deadline passed'],
  ])('is refused for %s, and asked for again next time', async (_title, make, expected) => {
    answer = make();
    expect(await reason()).toBe(expected);
    answer = serve(good());
    expect(await reason()).toBe('accepted');
    expect(requests).toBe(2);
  });

  it('is fetched once while fresh, again afterwards, and at any time on request', async () => {
    answer = serve(good(), { 'cache-control': 'max-age=600' });
    await documents.clientMetadata(clientId);
    await documents.clientMetadata(clientId);
    expect(requests).toBe(1);
    answer = serve({ ...good(), client_name: 'Renamed' });
    expect(await documents.clientMetadata(clientId, { refresh: true })).toMatchObject({
      ok: true,
      value: { metadata: { clientName: 'Renamed' } },
    });
    expect(requests).toBe(2);
    now = new Date(now.getTime() + 301_000);
    await documents.clientMetadata(clientId);
    expect(requests).toBe(3);
  });

  it('is fetched once for everyone who asks at the same time', async () => {
    answer = (request, response) => {
      setTimeout(() => serve(good())(request, response), 30);
    };
    const fetched = await Promise.all(Array.from({ length: 20 }, () => documents.clientMetadata(clientId)));
    expect(fetched.every((one) => one.ok)).toBe(true);
    expect(requests).toBe(1);
  });

  it('is never fetched for a URL that is refused', async () => {
    answer = serve(good());
    expect(await documents.clientMetadata(clientId.replace('127.0.0.1', '127.1'))).toMatchObject({
      ok: false,
      error: { reason: 'url-invalid' },
    });
    expect(requests).toBe(0);
  });
});

describe('a key document', () => {
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  };

  it('yields its keys', async () => {
    answer = serve({ keys: [jwk] }, { 'content-type': 'application/jwk-set+json' });
    expect(await documents.clientJwks(clientId)).toMatchObject({ ok: true, value: { keys: [jwk] } });
  });

  it.each<[string, () => Answer, object]>([
    [
      'a secret key',
      () => serve({ keys: [{ kty: 'oct', k: 'AA' }] }),
      { reason: 'jwks-invalid', problem: { reason: 'symmetric-key' } },
    ],
    ['no keys', () => serve({}), { reason: 'jwks-invalid' }],
    ['more than 64 KB', () => serve({ keys: [], padding: 'x'.repeat(65_536) }), { reason: 'unavailable' }],
  ])('is refused for %s', async (_title, make, error) => {
    answer = make();
    expect(await documents.clientJwks(clientId)).toMatchObject({ ok: false, error });
  });
});
