import { describe, expect, it } from 'vitest';
import {
  checkAuthorizationRequest,
  readAuthorizationRequest,
  resolveRedirectUri,
} from '#lib/oauth/authorization-request.ts';
import { toCodeChallenge } from '#lib/oauth/pkce.ts';

const challenge = toCodeChallenge('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk');
const registered = ['http://127.0.0.1/cb', 'https://client.example/cb'];
const good: Record<string, string> = {
  response_type: 'code',
  client_id: 'client_1',
  redirect_uri: 'http://127.0.0.1:5000/cb',
  state: 's1',
  code_challenge: challenge,
  code_challenge_method: 'S256',
  scope: 'openid mcp tool:read_file',
  resource: 'https://mcp.example/mcp',
};

/** Where a request fails and with which code, or what it became. */
function judge(query: string) {
  const read = readAuthorizationRequest(query);
  if (!read.ok) return { page: read.error.error };
  const redirect = resolveRedirectUri(read.value, registered);
  if (!redirect.ok) return { page: redirect.error.error };
  const checked = checkAuthorizationRequest(read.value, redirect.value);
  return checked.ok
    ? { request: checked.value }
    : { redirect: checked.error.error, state: checked.error.state };
}
const query = (changes: Record<string, string | undefined>, extra = '') => {
  const merged = Object.entries({ ...good, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return `${new URLSearchParams(merged)}${extra}`;
};

describe('an authorization request', () => {
  it('becomes what it asks for', () => {
    expect(judge(query({}))).toEqual({
      request: {
        clientId: 'client_1',
        redirectUri: 'http://127.0.0.1:5000/cb',
        registeredRedirectUri: 'http://127.0.0.1/cb',
        state: 's1',
        codeChallenge: challenge,
        scope: { tools: ['read_file'], base: true, unknown: ['openid'] },
        resource: 'https://mcp.example/mcp',
      },
    });
  });

  it('may leave out state, scope and resource', () => {
    expect(judge(query({ state: undefined, scope: undefined, resource: undefined }))).toMatchObject({
      request: { state: null, resource: null, scope: { tools: [] } },
    });
  });

  it('may name the redirect URI by leaving it out only when there is one', () => {
    expect(judge(query({ redirect_uri: undefined }))).toEqual({ page: 'invalid_request' });
    const read = readAuthorizationRequest(query({ redirect_uri: undefined }));
    expect(read.ok && resolveRedirectUri(read.value, ['https://only.example/cb'])).toMatchObject({
      ok: true,
      value: { redirectUri: 'https://only.example/cb' },
    });
  });

  it.each([
    ['an unknown redirect URI', query({ redirect_uri: 'https://evil.example/cb' })],
    ['a redirect URI with a suffix', query({ redirect_uri: 'https://client.example/cb/x' })],
    ['no client_id', query({ client_id: undefined })],
    ['an empty client_id', query({ client_id: '' })],
    ['client_id twice', query({}, '&client_id=client_2')],
    ['client_id twice, once empty', query({}, '&client_id=')],
    ['client_id twice, equal', query({}, '&client_id=client_1')],
    ['client_id twice, once encoded', query({}, '&client%5Fid=client_2')],
    ['redirect_uri twice', query({}, '&redirect_uri=https%3A%2F%2Fevil.example')],
    ['redirect_uri twice, equal', query({}, `&redirect_uri=${encodeURIComponent(good.redirect_uri ?? '')}`)],
    ['a client_id with a line feed', query({ client_id: 'a\nb' })],
    ['a client_id beyond ASCII', query({ client_id: 'сlient' })],
    ['a client_id of 3,000 characters', query({ client_id: 'a'.repeat(3_000) })],
    ['a state beyond 2 KB', query({ state: 'x'.repeat(2_049) })],
    ['a state of 64 KB', query({ state: 'x'.repeat(65_536) })],
    ['broken percent-encoding', `${query({})}&x=%zz`],
    ['malformed UTF-8', `${query({})}&x=%ff`],
    ['U+0000', `${query({})}&x=%00`],
    ['a thousand parameters', query({}, '&a=1'.repeat(1_000))],
    ['nothing', ''],
  ])('shows an error page and redirects nowhere for %s', (_title, text) => {
    expect(judge(text)).toEqual({ page: 'invalid_request' });
  });

  it.each([
    ['no response_type', query({ response_type: undefined }), 'invalid_request'],
    ['token', query({ response_type: 'token' }), 'unsupported_response_type'],
    ['a hybrid', query({ response_type: 'code token' }), 'unsupported_response_type'],
    ['none', query({ response_type: 'none' }), 'unsupported_response_type'],
    ['CODE', query({ response_type: 'CODE' }), 'unsupported_response_type'],
    ['response_mode fragment', query({ response_mode: 'fragment' }), 'invalid_request'],
    ['response_mode form_post', query({ response_mode: 'form_post' }), 'invalid_request'],
    ['no PKCE', query({ code_challenge: undefined, code_challenge_method: undefined }), 'invalid_request'],
    ['an empty challenge', query({ code_challenge: '' }), 'invalid_request'],
    ['plain', query({ code_challenge_method: 'plain' }), 'invalid_request'],
    ['no method, which means plain', query({ code_challenge_method: undefined }), 'invalid_request'],
    ['an unknown method', query({ code_challenge_method: 'S512' }), 'invalid_request'],
    ['a method in lower case', query({ code_challenge_method: 's256' }), 'invalid_request'],
    ['a challenge too short', query({ code_challenge: challenge.slice(1) }), 'invalid_request'],
    ['a challenge too long', query({ code_challenge: `${challenge}A` }), 'invalid_request'],
    ['a padded challenge', query({ code_challenge: `${challenge}=` }), 'invalid_request'],
    [
      'a challenge no hash ends like',
      query({ code_challenge: `${challenge.slice(0, -1)}B` }),
      'invalid_request',
    ],
    ['scope twice', query({}, '&scope=tool%3Ax'), 'invalid_request'],
    ['code_challenge twice', query({}, `&code_challenge=${challenge}`), 'invalid_request'],
    ['an unknown parameter twice', query({}, '&x=1&x=2'), 'invalid_request'],
    ['two resources', query({}, '&resource=https%3A%2F%2Fother.example'), 'invalid_target'],
    ['a relative resource', query({ resource: '/mcp' }), 'invalid_target'],
    ['a resource with fragment', query({ resource: 'https://mcp.example/mcp#x' }), 'invalid_target'],
    ['a resource with dot segments', query({ resource: 'https://mcp.example/a/../mcp' }), 'invalid_target'],
    ['a resource of another kind', query({ resource: 'urn:example:mcp' }), 'invalid_target'],
    ['a request object', query({ request: 'eyJ.eyJ.' }), 'request_not_supported'],
    ['a request_uri', query({ request_uri: 'http://127.0.0.1/x' }), 'request_uri_not_supported'],
    ['prompt=none', query({ prompt: 'none' }), 'interaction_required'],
  ])('tells the client through its redirect URI about %s', (_title, text, code) => {
    expect(judge(text)).toEqual({ redirect: code, state: 's1' });
  });

  it('has no state to return when the state came twice', () => {
    expect(judge(query({}, '&state=s2'))).toEqual({ redirect: 'invalid_request', state: null });
  });

  it('returns a state of exactly 2 KB unchanged, whatever is in it', () => {
    const state = `"<>&=\u{1f680}é ${'x'.repeat(2_048 - 12)}`;
    expect(Buffer.byteLength(state)).toBe(2_048);
    expect(judge(query({ state }))).toMatchObject({ request: { state } });
  });
});
