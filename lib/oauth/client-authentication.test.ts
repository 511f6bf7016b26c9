import { describe, expect, it } from 'vitest';
import {
  JWT_BEARER_ASSERTION_TYPE,
  readClientAuthentication,
  requireRegisteredMethod,
  toClientAuthenticationError,
} from '#lib/oauth/client-authentication.ts';
import { parseTokenManagementRequest, parseTokenRequest, readFormRequest } from '#lib/oauth/token-request.ts';

const basic = (text: string) => `Basic ${Buffer.from(text, 'utf8').toString('base64')}`;
const form = (parameters: Record<string, string>) => new Map(Object.entries(parameters));
const outcome = (authorization: string | null, parameters: Record<string, string>) => {
  const read = readClientAuthentication(authorization, form(parameters));
  if (read.ok) return read.value;
  const answer = toClientAuthenticationError(read.error);
  return `${answer.status} ${answer.body.error}${answer.headers['www-authenticate'] ? ' with challenge' : ''}`;
};
const assertion = { client_assertion: 'a.b.c', client_assertion_type: JWT_BEARER_ASSERTION_TYPE };

describe('client authentication', () => {
  it.each([
    ['none', null, { client_id: 'c' }, { method: 'none', clientId: 'c' }],
    [
      'post',
      null,
      { client_id: 'c', client_secret: 's' },
      { method: 'client_secret_post', clientId: 'c', clientSecret: 's' },
    ],
    ['basic', basic('c:s'), {}, { method: 'client_secret_basic', clientId: 'c', clientSecret: 's' }],
    [
      'basic in lower case',
      basic('c:s').replace('Basic', 'basic'),
      {},
      { method: 'client_secret_basic', clientId: 'c', clientSecret: 's' },
    ],
    [
      'basic beside its own client_id',
      basic('c:s'),
      { client_id: 'c' },
      { method: 'client_secret_basic', clientId: 'c', clientSecret: 's' },
    ],
    [
      'basic with form encoding',
      basic('a%3Ab:p%25+q%2B'),
      {},
      { method: 'client_secret_basic', clientId: 'a:b', clientSecret: 'p% q+' },
    ],
    [
      'basic with a colon in the secret',
      basic('c:s:t'),
      {},
      { method: 'client_secret_basic', clientId: 'c', clientSecret: 's:t' },
    ],
    [
      'an assertion',
      null,
      { client_id: 'c', ...assertion },
      { method: 'private_key_jwt', clientId: 'c', assertion: 'a.b.c' },
    ],
    [
      'an assertion alone',
      null,
      assertion,
      { method: 'private_key_jwt', clientId: null, assertion: 'a.b.c' },
    ],
  ] as const)('reads %s', (_title, authorization, parameters, expected) => {
    expect(outcome(authorization, parameters)).toEqual(expected);
  });

  it.each([
    ['nothing', null, {}, '401 invalid_client'],
    ['a secret without client', null, { client_secret: 's' }, '401 invalid_client'],
    ['basic and post', basic('c:s'), { client_secret: 's' }, '400 invalid_request'],
    ['basic and an assertion', basic('c:s'), assertion, '400 invalid_request'],
    [
      'post and an assertion',
      null,
      { client_id: 'c', client_secret: 's', ...assertion },
      '400 invalid_request',
    ],
    ['basic and another client_id', basic('c:s'), { client_id: 'd' }, '400 invalid_request'],
    ['another assertion type', null, { ...assertion, client_assertion_type: 'saml' }, '401 invalid_client'],
    ['an assertion without type', null, { client_assertion: 'a.b.c' }, '401 invalid_client'],
    [
      'a type without assertion',
      null,
      { client_assertion_type: JWT_BEARER_ASSERTION_TYPE },
      '400 invalid_request',
    ],
    ['Bearer', 'Bearer abc', {}, '401 invalid_client with challenge'],
    ['Digest', 'Digest abc', {}, '401 invalid_client with challenge'],
    ['basic without credentials', 'Basic', {}, '401 invalid_client with challenge'],
    ['basic with a space', 'Basic ', {}, '401 invalid_client with challenge'],
    ['no base64', 'Basic !!!', {}, '401 invalid_client with challenge'],
    [
      'base64url',
      `Basic ${Buffer.from('c:>>>???').toString('base64url')}`,
      {},
      '401 invalid_client with challenge',
    ],
    ['base64 without padding', basic('c:ss').replace(/=+$/, ''), {}, '401 invalid_client with challenge'],
    ['base64 with trailing text', `${basic('c:s')}x`, {}, '401 invalid_client with challenge'],
    ['two credentials', `${basic('c:s')} ${basic('d:t')}`, {}, '401 invalid_client with challenge'],
    [
      'two credentials with comma',
      `${basic('c:s')},${basic('d:t')}`,
      {},
      '401 invalid_client with challenge',
    ],
    ['no colon', basic('cs'), {}, '401 invalid_client with challenge'],
    ['no client', basic(':s'), {}, '401 invalid_client with challenge'],
    ['no secret', basic('c:'), {}, '401 invalid_client with challenge'],
    ['broken percent-encoding', basic('c:%zz'), {}, '401 invalid_client with challenge'],
    ['a control character', basic('c:a\u0000'), {}, '401 invalid_client with challenge'],
    ['a line feed', basic('c:%0a'), {}, '401 invalid_client with challenge'],
    [
      'malformed UTF-8',
      `Basic ${Buffer.from([0x63, 0x3a, 0xff]).toString('base64')}`,
      {},
      '401 invalid_client with challenge',
    ],
    ['a header of 100 KB', basic(`c:${'s'.repeat(100_000)}`), {}, '401 invalid_client with challenge'],
  ] as const)('refuses %s', (_title, authorization, parameters, expected) => {
    expect(outcome(authorization, parameters)).toBe(expected);
  });

  it.each([
    [
      'a public client that sends a secret',
      { method: 'client_secret_post', clientId: 'c', clientSecret: 's' },
      'none',
      false,
    ],
    [
      'a public client that sends Basic',
      { method: 'client_secret_basic', clientId: 'c', clientSecret: 's' },
      'none',
      true,
    ],
    ['a secret client that sends none', { method: 'none', clientId: 'c' }, 'client_secret_basic', false],
    [
      'a secret client that posts',
      { method: 'client_secret_post', clientId: 'c', clientSecret: 's' },
      'client_secret_basic',
      false,
    ],
    [
      'a keyed client that sends a secret',
      { method: 'client_secret_post', clientId: 'c', clientSecret: 's' },
      'private_key_jwt',
      false,
    ],
  ] as const)('refuses %s', (_title, presented, registered, challenged) => {
    const required = requireRegisteredMethod(presented, registered);
    expect(required.ok).toBe(false);
    if (required.ok) return;
    const answer = toClientAuthenticationError(required.error);
    expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
    expect(answer.headers['www-authenticate'] !== undefined).toBe(challenged);
  });
});

const grants = ['authorization_code', 'refresh_token', 'client_credentials'] as const;
const verifier = 'v'.repeat(43);
const formType = 'application/x-www-form-urlencoded';

describe('a form request', () => {
  it.each([
    ['JSON', 'application/json', '', '{}', 415, 'invalid_request'],
    ['no type', null, '', 'token=x', 415, 'invalid_request'],
    ['two types', `${formType}, application/json`, '', 'token=x', 415, 'invalid_request'],
    ['multipart', 'multipart/form-data; boundary=x', '', 'token=x', 415, 'invalid_request'],
    ['a secret in the query', formType, '?client_secret=s', 'token=x', 400, 'invalid_request'],
    ['the grant in the query', formType, 'grant_type=refresh_token', '', 400, 'invalid_request'],
    ['a code in query and body', formType, '?code=a', 'code=a', 400, 'invalid_request'],
    ['client_id twice', formType, '', 'client_id=a&client_id=a', 400, 'invalid_request'],
    ['scope twice', formType, '', 'scope=a&scope=b', 400, 'invalid_request'],
    ['code twice, once empty', formType, '', 'code=a&code=', 400, 'invalid_request'],
    ['an unknown parameter twice', formType, '', 'x=1&x=2', 400, 'invalid_request'],
    ['two resources', formType, '', 'resource=https://a&resource=https://b', 400, 'invalid_target'],
    ['a large body', formType, '', `x=${'y'.repeat(20_000)}`, 413, 'invalid_request'],
    ['broken encoding', formType, '', 'token=%', 400, 'invalid_request'],
  ])('is refused for %s', (_title, contentType, query, body, status, error) => {
    expect(readFormRequest({ contentType, query, body })).toMatchObject({
      ok: false,
      error: { status, body: { error } },
    });
  });

  it('ignores query parameters that mean nothing here', () => {
    const read = readFormRequest({
      contentType: `${formType}; charset=UTF-8`,
      query: '?trace=1',
      body: 'token=x',
    });
    expect(read.ok && [...read.value]).toEqual([['token', 'x']]);
  });
});

describe('a token request', () => {
  it.each([
    [
      {
        grant_type: 'authorization_code',
        code: 'c',
        code_verifier: verifier,
        redirect_uri: 'http://127.0.0.1:1/cb',
      },
      {
        grantType: 'authorization_code',
        code: 'c',
        codeVerifier: verifier,
        redirectUri: 'http://127.0.0.1:1/cb',
        resource: null,
      },
    ],
    [
      { grant_type: 'refresh_token', refresh_token: 'r', resource: 'https://mcp.example' },
      { grantType: 'refresh_token', refreshToken: 'r', scope: null, resource: 'https://mcp.example' },
    ],
    [
      { grant_type: 'client_credentials', scope: 'tool:a offline_access' },
      {
        grantType: 'client_credentials',
        scope: { tools: ['a'], base: false, unknown: ['offline_access'] },
        resource: null,
      },
    ],
  ])('is read: %j', (parameters, expected) => {
    expect(parseTokenRequest(form(parameters), grants)).toEqual({ ok: true, value: expected });
  });

  it.each([
    ['no grant', {}, 'invalid_request'],
    ['password', { grant_type: 'password', username: 'a', password: 'b' }, 'unsupported_grant_type'],
    ['implicit', { grant_type: 'implicit' }, 'unsupported_grant_type'],
    [
      'device code while it is off',
      { grant_type: 'urn:ietf:params:oauth:grant-type:device_code' },
      'unsupported_grant_type',
    ],
    ['no code', { grant_type: 'authorization_code', code_verifier: verifier }, 'invalid_request'],
    ['no verifier', { grant_type: 'authorization_code', code: 'c' }, 'invalid_request'],
    [
      'a verifier that is none',
      { grant_type: 'authorization_code', code: 'c', code_verifier: 'short' },
      'invalid_grant',
    ],
    [
      'a code of 2 KB',
      { grant_type: 'authorization_code', code: 'c'.repeat(2_000), code_verifier: verifier },
      'invalid_grant',
    ],
    ['no refresh token', { grant_type: 'refresh_token' }, 'invalid_request'],
    [
      'a resource with fragment',
      { grant_type: 'client_credentials', resource: 'https://a/#b' },
      'invalid_target',
    ],
  ])('is refused for %s', (_title, parameters, error) => {
    expect(parseTokenRequest(form(parameters), grants)).toMatchObject({
      ok: false,
      error: { body: { error } },
    });
  });

  it('offers only what is switched on', () => {
    const parsed = parseTokenRequest(form({ grant_type: 'client_credentials' }), ['authorization_code']);
    expect(parsed).toMatchObject({ ok: false, error: { body: { error: 'unsupported_grant_type' } } });
  });
});

it('reads revocation and introspection requests, and ignores a hint it does not know', () => {
  expect(parseTokenManagementRequest(form({ token: 't', token_type_hint: 'id_token' }))).toEqual({
    ok: true,
    value: { token: 't', tokenTypeHint: null },
  });
  expect(parseTokenManagementRequest(form({}))).toMatchObject({
    ok: false,
    error: { body: { error: 'invalid_request' } },
  });
});
