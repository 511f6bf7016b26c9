import { describe, expect, it } from 'vitest';
import {
  type ClientMetadataPolicy,
  describeClientMetadataReason,
  parseClientMetadata,
  toRegisteredMetadata,
  toRegistrationErrorCode,
  toSoftwareFingerprint,
} from '#lib/oauth/client-metadata.ts';
import { toRegistrationResponse } from '#lib/oauth/registration-response.ts';
import type { JsonValue } from '#lib/platform/canonical-json.ts';
import { isJsonObject, parseStrictJson } from '#lib/platform/strict-json.ts';

const policy: ClientMetadataPolicy = {
  grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  reservedHosts: ['countersign.localhost'],
};
const parse = (value: JsonValue) => parseClientMetadata(value, policy);
const register = (value: JsonValue) => {
  const parsed = parse(value);
  if (!parsed.ok) throw new Error(describeClientMetadataReason(parsed.error));
  return toRegisteredMetadata(parsed.value);
};
const local = { redirect_uris: ['http://127.0.0.1/cb'] };
const web = { redirect_uris: ['https://client.example/cb'] };

// A P-256 key made for these tests.
const jwk = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};

describe('what real clients send', () => {
  it.each<[string, JsonValue, object]>([
    [
      'Claude Code',
      {
        client_name: 'Claude Code (files)',
        redirect_uris: ['http://localhost:54212/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
      { token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] },
    ],
    [
      'a bare SDK host',
      { client_name: 'host', redirect_uris: ['http://localhost:3334/cb'] },
      {
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    [
      'VS Code',
      {
        client_name: 'Visual Studio Code',
        client_uri: 'https://code.visualstudio.com',
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
        redirect_uris: [
          'https://insiders.vscode.dev/redirect',
          'https://vscode.dev/redirect',
          'http://127.0.0.1/',
          'http://127.0.0.1:33418/',
        ],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
      {
        redirect_uris: [
          'https://insiders.vscode.dev/redirect',
          'https://vscode.dev/redirect',
          'http://127.0.0.1/',
          'http://127.0.0.1:33418/',
        ],
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
    [
      'Cursor',
      {
        client_name: 'Cursor',
        redirect_uris: [
          'cursor://anysphere.cursor-mcp/oauth/callback',
          'https://www.cursor.com/agents/mcp/oauth/callback',
          'http://localhost:8787/callback',
        ],
      },
      { token_endpoint_auth_method: 'none' },
    ],
    [
      'Gemini CLI, with an empty scope',
      {
        client_name: 'Gemini CLI MCP Client',
        redirect_uris: ['http://localhost:7777/oauth/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        scope: '',
      },
      { client_name: 'Gemini CLI MCP Client' },
    ],
    [
      'mcp-remote',
      {
        client_name: 'MCP CLI Proxy',
        client_uri: 'https://github.com/modelcontextprotocol/mcp-cli',
        software_id: '2e6dc280-f3c3-4e01-99a7-8181dbd1d23d',
        software_version: '0.15.1',
        redirect_uris: ['http://localhost:12345/oauth/callback'],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        scope: 'openid email profile',
      },
      { software_id: '2e6dc280-f3c3-4e01-99a7-8181dbd1d23d', scope: 'openid email profile' },
    ],
    [
      'claude.ai, declaring a grant it may use one day',
      {
        client_name: 'Claude',
        redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_post',
      },
      {
        token_endpoint_auth_method: 'client_secret_post',
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
  ])('registers %s', (_title, metadata, registered) => {
    expect(register(metadata)).toMatchObject(registered);
  });
});

describe('client metadata', () => {
  it('registers the example of RFC 7591 §3.1, apart from the key document that example cannot have', () => {
    const example = {
      redirect_uris: ['https://client.example.org/callback', 'https://client.example.org/callback2'],
      client_name: 'My Example Client',
      'client_name#ja-Jpan-JP': '\u30AF\u30E9\u30A4\u30A2\u30F3\u30C8\u540D',
      token_endpoint_auth_method: 'client_secret_basic',
      logo_uri: 'https://client.example.org/logo.png',
      jwks_uri: 'https://client.example.org/my_public_keys.jwks',
      example_extension_parameter: 'example_value',
    };
    const parsed = parse(example);
    expect(parsed.ok && toRegisteredMetadata(parsed.value)).toEqual({
      redirect_uris: example.redirect_uris,
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      client_name: 'My Example Client',
      logo_uri: 'https://client.example.org/logo.png',
      jwks_uri: 'https://client.example.org/my_public_keys.jwks',
    });
    expect(parsed.ok && parsed.value.unrecognized.map((member) => member.name)).toEqual([
      'client_name#ja-Jpan-JP',
      'example_extension_parameter',
    ]);
  });

  it('treats null and empty as absent', () => {
    expect(
      register({ ...local, client_name: null, client_uri: '', scope: '', jwks: null, grant_types: null }),
    ).toEqual({
      redirect_uris: ['http://127.0.0.1/cb'],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    });
  });

  it('issues a secret where none of the redirects is native, and none where one is', () => {
    expect(register(web).token_endpoint_auth_method).toBe('client_secret_basic');
    expect(
      register({ redirect_uris: [...web.redirect_uris, ...local.redirect_uris] }).token_endpoint_auth_method,
    ).toBe('none');
    expect(register({ redirect_uris: ['com.example.app:/cb'] }).token_endpoint_auth_method).toBe('none');
  });

  it('registers a redirect URI once', () => {
    expect(
      register({ redirect_uris: ['http://127.0.0.1/cb', 'http://127.0.0.1/cb'] }).redirect_uris,
    ).toHaveLength(1);
  });

  it('needs no redirect URI for client credentials', () => {
    const metadata = {
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [jwk] },
    };
    expect(register(metadata)).toEqual({
      redirect_uris: [],
      token_endpoint_auth_method: 'private_key_jwt',
      grant_types: ['client_credentials'],
      response_types: [],
      jwks: { keys: [jwk] },
    });
  });

  it('leaves client credentials out of a public client that has another grant', () => {
    expect(
      register({ ...local, grant_types: ['authorization_code', 'client_credentials'] }).grant_types,
    ).toEqual(['authorization_code']);
  });

  it('keeps a ten-kilobyte name for the reviewer to judge', () => {
    expect(register({ ...local, client_name: 'n'.repeat(10_240) }).client_name).toHaveLength(10_240);
  });

  it.each<[string, JsonValue, string, string]>([
    ['an array', [], 'not-an-object', 'invalid_client_metadata'],
    ['a string', 'x', 'not-an-object', 'invalid_client_metadata'],
    ['null', null, 'not-an-object', 'invalid_client_metadata'],
    ['no redirect URIs', {}, 'redirect-uris-missing', 'invalid_redirect_uri'],
    ['an empty list of them', { redirect_uris: [] }, 'redirect-uris-missing', 'invalid_redirect_uri'],
    [
      'one as a string',
      { redirect_uris: 'https://client.example/cb' },
      'redirect-uris-missing',
      'invalid_redirect_uri',
    ],
    ['one that is a number', { redirect_uris: [1] }, 'redirect-uri-invalid', 'invalid_redirect_uri'],
    [
      'thousands',
      { redirect_uris: Array(1_000).fill('https://client.example/cb') },
      'redirect-uris-too-many',
      'invalid_redirect_uri',
    ],
    [
      'only implicit',
      { ...web, grant_types: ['implicit'] },
      'grant-types-unsupported',
      'invalid_client_metadata',
    ],
    [
      'only password',
      { ...web, grant_types: ['password'] },
      'grant-types-unsupported',
      'invalid_client_metadata',
    ],
    [
      'only refresh_token',
      { ...web, grant_types: ['refresh_token'] },
      'grant-types-unsupported',
      'invalid_client_metadata',
    ],
    [
      'an unknown grant',
      { ...web, grant_types: ['urn:x'] },
      'grant-types-unsupported',
      'invalid_client_metadata',
    ],
    [
      'grants as a string',
      { ...web, grant_types: 'authorization_code' },
      'member-invalid',
      'invalid_client_metadata',
    ],
    ['a grant that is a number', { ...web, grant_types: [1] }, 'member-invalid', 'invalid_client_metadata'],
    [
      'the token response type',
      { ...web, response_types: ['token'] },
      'response-types-inconsistent',
      'invalid_client_metadata',
    ],
    [
      'a hybrid response type',
      { ...web, response_types: ['code token'] },
      'response-types-inconsistent',
      'invalid_client_metadata',
    ],
    [
      'client_secret_jwt',
      { ...web, token_endpoint_auth_method: 'client_secret_jwt' },
      'auth-method-unsupported',
      'invalid_client_metadata',
    ],
    [
      'tls_client_auth',
      { ...web, token_endpoint_auth_method: 'tls_client_auth' },
      'auth-method-unsupported',
      'invalid_client_metadata',
    ],
    [
      'a method that is a list',
      { ...web, token_endpoint_auth_method: ['none'] },
      'member-invalid',
      'invalid_client_metadata',
    ],
    [
      'private_key_jwt without keys',
      { ...web, token_endpoint_auth_method: 'private_key_jwt' },
      'auth-method-needs-keys',
      'invalid_client_metadata',
    ],
    [
      'client credentials for everyone',
      { grant_types: ['client_credentials'], token_endpoint_auth_method: 'none' },
      'public-client-credentials',
      'invalid_client_metadata',
    ],
    [
      'jwks and jwks_uri',
      { ...web, jwks: { keys: [jwk] }, jwks_uri: 'https://client.example/jwks' },
      'keys-given-twice',
      'invalid_client_metadata',
    ],
    [
      'a private key',
      { ...web, jwks: { keys: [{ ...jwk, d: 'AA' }] } },
      'jwks-invalid',
      'invalid_client_metadata',
    ],
    [
      'a jwks_uri over http',
      { ...web, jwks_uri: 'http://client.example/jwks' },
      'member-invalid',
      'invalid_client_metadata',
    ],
    [
      'a jwks_uri with user information',
      { ...web, jwks_uri: 'https://a@client.example/jwks' },
      'member-invalid',
      'invalid_client_metadata',
    ],
    ['a jwks_uri that is a number', { ...web, jwks_uri: 1 }, 'member-invalid', 'invalid_client_metadata'],
    [
      'HS256 for assertions',
      {
        ...web,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [jwk] },
        token_endpoint_auth_signing_alg: 'HS256',
      },
      'member-invalid',
      'invalid_client_metadata',
    ],
    [
      'none for assertions',
      {
        ...web,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [jwk] },
        token_endpoint_auth_signing_alg: 'none',
      },
      'member-invalid',
      'invalid_client_metadata',
    ],
    ['a name that is an object', { ...web, client_name: {} }, 'member-invalid', 'invalid_client_metadata'],
    [
      'a script as client_uri',
      { ...web, client_uri: 'javascript:alert(1)' },
      'member-invalid',
      'invalid_client_metadata',
    ],
    [
      'a script as policy_uri',
      { ...web, policy_uri: 'javascript:alert(1)' },
      'member-invalid',
      'invalid_client_metadata',
    ],
    [
      'a script as tos_uri',
      { ...web, tos_uri: 'JaVaScRiPt:alert(1)' },
      'member-invalid',
      'invalid_client_metadata',
    ],
    [
      'data as logo_uri',
      { ...web, logo_uri: 'data:image/svg+xml,<svg/>' },
      'member-invalid',
      'invalid_client_metadata',
    ],
    [
      'a logo_uri with a tab',
      { ...web, logo_uri: 'https://client.example/\tlogo' },
      'member-invalid',
      'invalid_client_metadata',
    ],
    ['a contact that is an object', { ...web, contacts: [{}] }, 'member-invalid', 'invalid_client_metadata'],
    ['a scope that is a list', { ...web, scope: ['mcp'] }, 'member-invalid', 'invalid_client_metadata'],
    [
      'an unsigned software statement',
      { ...web, software_statement: 'eyJhbGciOiJub25lIn0.e30.' },
      'software-statement-malformed',
      'invalid_software_statement',
    ],
    [
      'a software statement that is none',
      { ...web, software_statement: 'x' },
      'software-statement-malformed',
      'invalid_software_statement',
    ],
    [
      'a software statement nobody here trusts',
      { ...web, software_statement: 'eyJ.eyJ.sig' },
      'software-statement-unapproved',
      'unapproved_software_statement',
    ],
  ])('refuses %s', (_title, metadata, reason, code) => {
    const parsed = parse(metadata);
    expect(parsed).toMatchObject({ ok: false, error: { reason } });
    if (parsed.ok) return;
    expect(toRegistrationErrorCode(parsed.error)).toBe(code);
    expect(describeClientMetadataReason(parsed.error)).not.toBe('');
  });

  it('names the index of what is wrong and repeats no value', () => {
    const parsed = parse({ redirect_uris: ['https://client.example/cb', 'javascript:alert(1)'] });
    expect(parsed).toEqual({
      ok: false,
      error: { reason: 'redirect-uri-invalid', index: 1, problem: 'scheme-not-allowed' },
    });
    if (!parsed.ok) {
      expect(describeClientMetadataReason(parsed.error)).toMatch(/^redirect_uris\[1\] has a scheme/);
      expect(describeClientMetadataReason(parsed.error)).not.toContain('alert');
    }
  });

  it('lets members that are ours to decide have no effect', () => {
    const hostile = {
      ...local,
      client_id: 'client_mine',
      client_secret: 'chosen',
      client_id_issued_at: 1,
      registration_access_token: 'mine',
      status: 'approved',
      approved_by: 'ava',
      owner: 'olive',
      trusted: true,
      tools: ['delete_everything'],
      created_at: '1970-01-01',
      constructor: { prototype: { admin: true } },
      toString: 'x',
    };
    const body = new TextEncoder().encode(JSON.stringify(hostile));
    const json = parseStrictJson(body, { maxBytes: 16_384 });
    const parsed = parse(json.ok ? json.value : null);
    expect(parsed.ok).toBe(true);
    if (!parsed.ok) return;
    expect(toRegisteredMetadata(parsed.value)).toEqual(register(local));
    expect(parsed.value.unrecognized).toContainEqual({
      name: 'status',
      text: '"approved"',
      truncated: false,
    });
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  it('bounds what it keeps aside', () => {
    const many = Object.fromEntries(
      Array.from({ length: 500 }, (_, index) => [`x${index}`, 'v'.repeat(1_000)]),
    );
    const parsed = parse({ ...local, ...many, ['n'.repeat(5_000)]: 1 });
    expect(parsed.ok && parsed.value.unrecognized).toHaveLength(32);
    expect(parsed.ok && parsed.value.unrecognized.every((member) => member.text.length <= 400)).toBe(true);
  });

  it('has the same fingerprint on another port and another with another name', () => {
    const fingerprint = (value: JsonValue) => {
      const parsed = parse(value);
      return parsed.ok ? toSoftwareFingerprint(parsed.value) : null;
    };
    const first = fingerprint({ client_name: 'Codex', redirect_uris: ['http://127.0.0.1:1111/callback'] });
    expect(fingerprint({ client_name: 'Codex', redirect_uris: ['http://127.0.0.1:2222/callback'] })).toBe(
      first,
    );
    expect(fingerprint({ client_name: 'Codez', redirect_uris: ['http://127.0.0.1:1111/callback'] })).not.toBe(
      first,
    );
  });
});

describe('the answer to a registration', () => {
  it('echoes what is registered and shows the secret with its end', () => {
    const response = toRegistrationResponse({
      clientId: 'client_1',
      issuedAt: new Date('2026-11-01T00:00:00.900Z'),
      metadata: register({ ...web, client_name: 'A' }),
      secret: { value: 's3cret', expiresAt: new Date('2026-12-01T00:00:00Z') },
    });
    expect(response).toEqual({
      client_id: 'client_1',
      client_id_issued_at: 1793491200,
      client_secret: 's3cret',
      client_secret_expires_at: 1796083200,
      redirect_uris: ['https://client.example/cb'],
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      client_name: 'A',
    });
    expect(isJsonObject(response as unknown as JsonValue)).toBe(true);
  });

  it('names no secret for a client without one', () => {
    const response = toRegistrationResponse({
      clientId: 'c',
      issuedAt: new Date(0),
      metadata: register(local),
    });
    expect(Object.keys(response).filter((member) => member.includes('secret'))).toEqual([]);
  });
});
