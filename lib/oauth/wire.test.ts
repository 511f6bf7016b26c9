import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toCodeRedirect, toErrorRedirect } from '#lib/oauth/authorization-response.ts';
import { parseBearer, toBearerChallenge } from '#lib/oauth/bearer.ts';
import { oauthError, oauthErrorStatus, toErrorText } from '#lib/oauth/oauth-error.ts';
import { isMediaType, readParameters } from '#lib/oauth/parameters.ts';
import { isCodeVerifier, matchesCodeChallenge, toCodeChallenge } from '#lib/oauth/pkce.ts';
import { findResource, parseResource } from '#lib/oauth/resource.ts';
import { readRequestedScope, toGrantedScope, toToolName, toToolScope } from '#lib/oauth/scope.ts';

describe('PKCE', () => {
  it('computes the example of RFC 7636 appendix B', () => {
    expect(toCodeChallenge('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk')).toBe(
      'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    );
  });

  it.each([
    ['too short', 'a'.repeat(42), false],
    ['shortest', 'a'.repeat(43), true],
    ['longest', 'a'.repeat(128), true],
    ['too long', 'a'.repeat(129), false],
    ['a plus', `${'a'.repeat(43)}+`, false],
    ['a line feed at the end', `${'a'.repeat(43)}\n`, false],
    ['beyond ASCII', `${'a'.repeat(43)}é`, false],
  ])('judges a verifier that is %s', (_title, verifier, valid) => {
    expect(isCodeVerifier(verifier)).toBe(valid);
    expect(matchesCodeChallenge(verifier, toCodeChallenge(verifier))).toBe(valid);
  });

  it('refuses another verifier, and the challenge itself as plain would accept', () => {
    const challenge = toCodeChallenge('a'.repeat(43));
    expect(matchesCodeChallenge('b'.repeat(43), challenge)).toBe(false);
    expect(matchesCodeChallenge(challenge, challenge)).toBe(false);
  });
});

describe('scope', () => {
  it.each([
    ['read_file', 'tool:read_file'],
    ['a.b-c_D9', 'tool:a.b-c_D9'],
    ['with space', 'tool:with%20space'],
    ['slash/tool', 'tool:slash%2Ftool'],
    ['50%', 'tool:50%25'],
    ['Ünïcode', 'tool:%C3%9Cn%C3%AFcode'],
    ['tool:x', 'tool:tool%3Ax'],
    ['"\\', 'tool:%22%5C'],
    ['*', 'tool:%2A'],
  ])('writes the tool %j as %s and reads it back', (name, scope) => {
    expect(toToolScope(name)).toBe(scope);
    expect(toToolName(scope)).toBe(name);
  });

  it('has one token per name and one name per token', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
        fc.pre(name.isWellFormed());
        const scope = toToolScope(name);
        expect(scope).toMatch(/^tool:[A-Za-z0-9_.%-]+$/);
        expect(toToolName(scope)).toBe(name);
      }),
    );
  });

  it.each([
    'tool:%61',
    'tool:a%2f',
    'tool:',
    'tool:%',
    'tool:%ff',
    'Tool:a',
    'tool:a*',
    'tool:a b',
    'a',
    'tool',
  ])('takes %j for no tool', (token) => {
    expect(toToolName(token)).toBeNull();
  });

  it('reads a request as hints and never fails', () => {
    expect(readRequestedScope('openid email profile')).toEqual({
      tools: [],
      base: false,
      unknown: ['openid', 'email', 'profile'],
    });
    expect(readRequestedScope(' mcp  tool:a tool:a tool:* offline_access "x" tool:%61 \u0000 é')).toEqual({
      tools: ['a'],
      base: true,
      unknown: ['tool:*', 'offline_access', 'tool:%61'],
    });
    expect(readRequestedScope(undefined)).toEqual({ tools: [], base: false, unknown: [] });
    expect(readRequestedScope('')).toEqual({ tools: [], base: false, unknown: [] });
    expect(readRequestedScope(`${'x '.repeat(100_000)}`).unknown).toEqual(['x']);
  });

  it('writes what is granted in one order', () => {
    expect(toGrantedScope(['b', 'a', 'b'])).toBe('mcp tool:a tool:b');
    expect(toGrantedScope([])).toBe('mcp');
  });
});

describe('resource indicators', () => {
  const known = ['https://mcp.example/mcp', 'https://root.example', 'http://127.0.0.1:4001/mcp'];
  it.each([
    ['https://mcp.example/mcp', 'https://mcp.example/mcp'],
    ['https://mcp.example/mcp/', 'https://mcp.example/mcp'],
    ['https://root.example/', 'https://root.example'],
    ['https://root.example', 'https://root.example'],
  ])('finds %s', (requested, found) => {
    expect(findResource(known, requested)).toBe(found);
  });

  it.each([
    'https://mcp.example/mcp//',
    'https://mcp.example/mc',
    'https://mcp.example/mcp/x',
    'https://mcp.example/MCP',
    'https://MCP.example/mcp',
    'https://mcp.example:443/mcp',
    'https://mcp.example/mcp?',
    'https://mcp.example/mcp#x',
    'https://mcp.example.evil.example/mcp',
    'http://mcp.example/mcp',
    'http://127.0.0.1:4002/mcp',
    '',
  ])('finds nothing for %j', (requested) => {
    expect(findResource(known, requested)).toBeNull();
  });

  it.each([
    ['mcp.example', 'not-absolute'],
    ['https://mcp.example/#', 'fragment'],
    ['ftp://mcp.example/', 'not-http'],
    ['https://user@mcp.example/', 'not-normal'],
    ['https://MCP.example/', 'not-normal'],
    ['https://mcp.example/\n', 'not-normal'],
    [`https://mcp.example/${'a'.repeat(2_000)}`, 'too-long'],
  ])('refuses %j', (text, problem) => {
    expect(parseResource(text)).toEqual({ ok: false, error: problem });
  });
});

describe('authorization responses', () => {
  const issuer = 'http://localhost:3000';
  it.each([
    [
      'https://client.example/cb',
      'https://client.example/cb?code=c&state=s&iss=http%3A%2F%2Flocalhost%3A3000',
    ],
    [
      'https://client.example/cb?t=1',
      'https://client.example/cb?t=1&code=c&state=s&iss=http%3A%2F%2Flocalhost%3A3000',
    ],
    [
      'https://client.example/cb?',
      'https://client.example/cb?code=c&state=s&iss=http%3A%2F%2Flocalhost%3A3000',
    ],
    ['com.example.app:/cb', 'com.example.app:/cb?code=c&state=s&iss=http%3A%2F%2Flocalhost%3A3000'],
    ['http://127.0.0.1:5', 'http://127.0.0.1:5?code=c&state=s&iss=http%3A%2F%2Flocalhost%3A3000'],
  ])('carries code, state and iss behind %s', (redirectUri, location) => {
    expect(toCodeRedirect({ redirectUri, code: 'c', state: 's', issuer })).toBe(location);
  });

  it('carries iss on errors, and a description without anything that breaks a line', () => {
    const location = toErrorRedirect({
      redirectUri: 'https://client.example/cb',
      error: 'access_denied',
      description: 'Request "CS-1" waits – see http://x\r\nSet-Cookie: a',
      state: null,
      issuer,
    });
    const parameters = new URL(location).searchParams;
    expect([...parameters.keys()]).toEqual(['error', 'error_description', 'iss']);
    expect(parameters.get('error_description')).toBe("Request 'CS-1' waits - see http://x??Set-Cookie: a");
  });

  it('returns any state to the byte and never names a parameter twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (state) => {
        fc.pre(state.isWellFormed());
        const location = toCodeRedirect({
          redirectUri: 'https://client.example/cb',
          code: 'c',
          state,
          issuer,
        });
        const parameters = new URL(location).searchParams;
        expect(parameters.getAll('state')).toEqual([state]);
        expect(parameters.getAll('iss')).toEqual([issuer]);
        expect(location).not.toMatch(/[\r\n#]/);
      }),
    );
  });
});

describe('OAuth errors', () => {
  it('answers in JSON that nobody caches', () => {
    expect(oauthError('invalid_grant', 'the code is not valid')).toEqual({
      status: 400,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store', pragma: 'no-cache' },
      body: { error: 'invalid_grant', error_description: 'the code is not valid' },
    });
  });

  it.each([
    ['invalid_client', 401],
    ['invalid_token', 401],
    ['insufficient_scope', 403],
    ['access_denied', 400],
    ['authorization_pending', 400],
    ['invalid_redirect_uri', 400],
    ['temporarily_unavailable', 503],
    ['server_error', 500],
    ['too_many_requests', 429],
  ] as const)('answers %s with %i', (code, status) => {
    expect(oauthErrorStatus(code)).toBe(status);
    expect(oauthError(code).status).toBe(status);
  });

  it('adds a challenge, a link and a pause where asked', () => {
    const answer = oauthError('invalid_client', 'no', {
      challenge: 'Basic',
      errorUri: 'https://console.example/requests/1',
      retryAfterSeconds: 1.2,
      status: 400,
    });
    expect(answer.status).toBe(400);
    expect(answer.headers).toMatchObject({ 'retry-after': '2' });
    expect(answer.headers['www-authenticate']).toMatch(/^Basic realm=/);
    expect(answer.body.error_uri).toBe('https://console.example/requests/1');
  });

  it('describes in the characters RFC 6749 allows', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 800 }), (text) => {
        expect(toErrorText(text)).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]{0,500}$/);
      }),
    );
  });
});

describe('parameters', () => {
  it('keeps the first reading of each name and reports repetition', () => {
    const read = readParameters('a=1&b=%C3%A9+x&a=2&c=&=v&d');
    expect(read.ok && Object.fromEntries(read.value.values)).toEqual({ b: 'é x', '': 'v' });
    expect(read.ok && [...read.value.repeated]).toEqual(['a']);
  });

  it.each(['a=%', 'a=%f', 'a=%zz', 'a=%ff', 'a=%c0%af', 'a=%ed%a0%80', '%ff=a', 'a=\ud800', 'a=%00'])(
    'refuses %j',
    (text) => {
      expect(readParameters(text).ok).toBe(false);
    },
  );

  it('does not confuse a name with a member of Object.prototype', () => {
    const read = readParameters('__proto__=a&constructor=b&toString=c');
    expect(read.ok && read.value.values.get('__proto__')).toBe('a');
    expect(read.ok && read.value.values.size).toBe(3);
  });

  it.each([
    ['application/json', true],
    ['application/json; charset=utf-8', true],
    ['Application/JSON;charset="UTF-8"', true],
    ['application/json; charset=utf-16', false],
    ['application/json, text/plain', false],
    ['text/plain, application/json', false],
    ['application/jsonp', false],
    ['application/json; x=y', false],
    ['text/plain; application/json', false],
    ['', false],
    [null, false],
    [undefined, false],
  ])('judges the media type %j', (contentType, expected) => {
    expect(isMediaType(contentType, 'application/json')).toBe(expected);
  });
});

describe('bearer tokens', () => {
  it.each([
    ['Bearer abc.def-_~+/==', { ok: true, value: 'abc.def-_~+/==' }],
    ['bearer abc', { ok: true, value: 'abc' }],
    ['Bearer  abc', { ok: true, value: 'abc' }],
    ['Bearer', { ok: false, error: 'malformed' }],
    ['Bearer ', { ok: false, error: 'malformed' }],
    ['Bearer a b', { ok: false, error: 'malformed' }],
    ['Bearer a,Bearer b', { ok: false, error: 'malformed' }],
    ['Bearer é', { ok: false, error: 'malformed' }],
    ['Basic abc', { ok: false, error: 'other-scheme' }],
    ['DPoP abc', { ok: false, error: 'other-scheme' }],
    ['', { ok: false, error: 'absent' }],
    [null, { ok: false, error: 'absent' }],
  ])('reads %j', (header, expected) => {
    expect(parseBearer(header)).toEqual(expected);
  });

  it('challenges with one scheme and quoted values that cannot break out', () => {
    expect(
      toBearerChallenge({ resourceMetadata: 'https://mcp.example/.well-known/x', scope: 'mcp tool:a' }),
    ).toBe('Bearer resource_metadata="https://mcp.example/.well-known/x", scope="mcp tool:a"');
    expect(toBearerChallenge({ error: 'invalid_token', description: 'a"b\\c\r\nd' })).toBe(
      `Bearer error="invalid_token", error_description="a'b?c??d"`,
    );
    expect(toBearerChallenge({})).toBe('Bearer');
  });
});
