import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newApiToken } from '#lib/access/api-token-format.ts';
import { parseCurl } from './curl-command.ts';
import { maskedSecret, maskSecrets } from './pasted-secrets.ts';
import { maxPastedBytes, readPasted } from './read-pasted.ts';

const consoleOrigin = 'https://console.example';
const issuer = 'https://auth.example';
const site = { consoleOrigin, policy: { grantTypes: ['authorization_code', 'client_credentials'] as const } };
const read = (text: string) => readPasted(maskSecrets(text, issuer).text, site);
const json = (value: unknown) => JSON.stringify(value);
const random = 'A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v';
const jwtOf = (claims: object) =>
  `eyJhbGciOiJFZERTQSJ9.${Buffer.from(json(claims)).toString('base64url')}.${'x'.repeat(86)}`;

const publicKey = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };

describe('what a paste is', () => {
  test.each([
    ['nothing', '', 'nothing known'],
    ['words', 'please give my agent access', 'nothing known'],
    [
      'client metadata',
      json({ client_name: 'Reporter', redirect_uris: ['http://127.0.0.1/cb'] }),
      'client metadata',
    ],
    ['a key set', json({ keys: [publicKey] }), 'client metadata'],
    ['a single key', json(publicKey), 'client metadata'],
    [
      'Claude Code',
      json({ mcpServers: { notes: { type: 'http', url: 'https://n.example/mcp' } } }),
      'MCP configuration',
    ],
    [
      'VS Code',
      json({ inputs: [], servers: { notes: { url: 'https://n.example/mcp' } } }),
      'MCP configuration',
    ],
    ['a URL', 'https://n.example/mcp', 'URL'],
    ['curl', "curl 'https://n.example/mcp'", 'curl command'],
    ['a request number', 'cs-12', 'request'],
    ['a request id', `req_${'0'.repeat(32)}`, 'request'],
    ['an address of the console', `${consoleOrigin}/requests/req_${'0'.repeat(32)}/edit`, 'request'],
    ['an agent', `${consoleOrigin}/agents/agt_${'1'.repeat(32)}`, 'agent'],
    ['a client id', `client_${'a'.repeat(32)}`, 'client id'],
    ['another JSON object', json({ hello: 'world' }), 'nothing known'],
  ])('%s', (_title, text, kind) => {
    expect(read(text).kind).toBe(kind);
  });

  test('says of each MCP server what becomes of it', () => {
    const reading = read(
      json({
        mcpServers: {
          notes: {
            url: 'https://n.example/mcp',
            headers: { Authorization: 'Bearer abcdefghijkl', 'X-Team': 'a' },
          },
          local: { command: 'npx', args: ['-y', '@example/server'], env: { API_KEY: 'abcdefgh' } },
          bridged: { command: 'npx', args: ['mcp-remote@0.1.2', 'https://b.example/mcp'] },
          later: { url: '$' + '{env:URL}/mcp' },
        },
      }),
    );
    expect(reading.serverUrls).toEqual(['https://n.example/mcp', 'https://b.example/mcp']);
    expect(reading.presentsCredential).toBe(true);
    expect(reading.name).toBe('notes agent');
    expect(json(reading)).not.toContain('abcdefgh');
    const lines = reading.lines.map(({ kind, what }) => `${kind}: ${what}`);
    expect(lines).toEqual(
      expect.arrayContaining([
        'corrected: Header Authorization',
        'ignored: Header X-Team',
        'ignored: Server local',
        'corrected: Server bridged',
        'ignored: Server later',
      ]),
    );
  });

  test('names the client by the form of its file', () => {
    expect(read(json({ servers: { a: { url: 'https://a.example/mcp' } } })).product).toBe('VS Code');
    expect(
      read(json({ mcpServers: { a: { url: 'https://a.example/mcp', auth: { CLIENT_ID: 'x' } } } })).product,
    ).toBe('Cursor, desktop and web');
    expect(read(json({ redirect_uris: ['http://localhost:54321/callback'] })).product).toBe('Claude Code');
  });

  test('takes public keys and refuses private ones', () => {
    expect(read(json({ keys: [publicKey] })).jwks).toContain(publicKey.x);
    const bad = read(json({ keys: [{ ...publicKey, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' }] }));
    expect(bad.jwks).toBeNull();
    expect(bad.lines).toContainEqual(expect.objectContaining({ kind: 'dangerous', what: 'Key set' }));
    expect(json(bad)).not.toContain('nWGxne');
  });
});

describe('redirect URIs of a paste (T18)', () => {
  test.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://a.example/1',
    'intent://a#Intent;end',
    'http://evil.example/callback',
    'http://127.0.0.1.evil.example/callback',
    'https://*.example/callback',
    'https://a.example/callback#x',
    'https://a.example\\@evil.example/',
    ' https://a.example/',
    'https://аpple.example/',
    'myapp:/callback',
  ])('%s is dangerous and not taken', (uri) => {
    const reading = read(json({ redirect_uris: [uri] }));
    expect(reading.redirectUris).toEqual([]);
    expect(reading.lines).toContainEqual(
      expect.objectContaining({ kind: 'dangerous', what: 'Redirect URI' }),
    );
  });
});

describe('names of a paste (T54)', () => {
  test.each(['Сlaude', 'Claude\u202eedoC', 'Cur\u200bsor', 'Pay\u0000pal'])('%j is not taken', (name) => {
    const reading = read(json({ client_name: name, redirect_uris: [] }));
    expect(reading.name).toBeNull();
  });

  test('hidden characters outside are counted', () => {
    expect(read('https://a.example/mcp\u200b').lines[0]).toMatchObject({
      kind: 'dangerous',
      what: 'A hidden character',
    });
  });

  test('members with names meant for another reader have them revealed', () => {
    const reading = read(json({ mcpServers: { 'a\u202eb': { command: 'x' } } }));
    expect(json(reading.lines)).not.toContain('\u202e');
  });
});

describe('hostile pastes (T41, T42)', () => {
  test.each([
    ['too long', `{"client_name":"${'a'.repeat(maxPastedBytes)}"}`],
    ['too deep', `${'{"mcpServers":'.repeat(200)}{}${'}'.repeat(200)}`],
    ['a member named twice', '{"client_name":"a","client_name":"b"}'],
    ['a prototype', '{"__proto__":{"client_name":"a"}}'],
    ['comments', '{"servers": {} // mine\n}'],
    ['an array', '[1]'],
    ['cut off', '{"mcpServers":{"a":'],
  ])('%s is ignored with a reason', (_title, text) => {
    const reading = read(text);
    expect(reading.lines).toEqual([expect.objectContaining({ kind: 'ignored', what: 'The whole text' })]);
    expect(reading.lines[0]?.why).toMatch(/\.$/);
  });

  test('a report has an end', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`member_${n}`, n]));
    expect(read(json({ client_name: 'A b', ...many })).lines.length).toBeLessThanOrEqual(61);
  });

  test.each([
    ['open brackets', '{'.repeat(maxPastedBytes)],
    ['quotes', `curl ${"'".repeat(60_000)}`],
    ['backslashes', `curl ${'\\'.repeat(60_000)}`],
    ['almost tokens', 'eyJ'.repeat(20_000)],
    ['almost URLs', 'a://'.repeat(15_000)],
    ['almost secrets', '"token'.repeat(10_000)],
    ['almost headers', 'bearer '.repeat(9_000)],
    ['almost keys', '-----BEGIN PRIVATE KEY-----'.repeat(2_000)],
    ['underscores', '"'.concat('_'.repeat(60_000))],
    ['parameters', '?token='.repeat(9_000)],
    ['at signs', `https://${'a'.repeat(60_000)}`],
  ])('64 KB of %s are read to their end', (_title, text) => {
    // Work that grows with the square of this much takes minutes: it would not come back within the test's limit.
    expect(read(text).lines.length).toBeLessThanOrEqual(61);
  });

  test('whatever is pasted, no line repeats a secret and nothing throws', () => {
    const secret = fc.constantFrom(
      `css_${random}`,
      `csr_${random}`,
      `ghp_${'a'.repeat(36)}`,
      `sk-${'b'.repeat(40)}`,
    );
    fc.assert(
      fc.property(
        fc.string({ maxLength: 500, size: 'max', unit: 'binary' }),
        secret,
        fc.string(),
        (left, token, right) => {
          const text = `${left} ${token} ${right}`;
          const masked = maskSecrets(text, issuer);
          expect(masked.text).not.toContain(token);
          expect(json(readPasted(text, site).lines).length).toBeLessThan(60_000);
          expect(json(read(text))).not.toContain(token);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('secrets', () => {
  test.each([
    ['an API token', newApiToken()],
    ['a client secret', `css_${random}`],
    ['a refresh or registration token', `csr_${random}`],
    ['a token of an MCP server', `crt_${random}`],
    ['an access token', jwtOf({ iss: issuer, aud: 'x' })],
  ])('%s of ours is told from others wherever it stands', (_title, secret) => {
    for (const text of [
      secret,
      json({ token: secret }),
      `curl -H "Authorization: Bearer ${secret}" https://a.example`,
      `https://a.example/?token=${secret}&x=1`,
      `x=${secret}.`,
    ]) {
      const masked = maskSecrets(text, issuer);
      expect(masked.text).not.toContain(secret);
      expect(masked.secrets).toEqual([expect.objectContaining({ ours: true, value: secret })]);
    }
  });

  test('a client secret of ours is found inside a Basic credential', () => {
    const basic = Buffer.from(`client_x:css_${random}`).toString('base64');
    const masked = maskSecrets(`curl -H 'Authorization: Basic ${basic}' https://a.example`, issuer);
    expect(masked.text).not.toContain(basic.slice(0, 12));
    expect(masked.secrets).toEqual([{ ours: true, name: 'a client secret', value: `css_${random}` }]);
  });

  test.each([
    ['a token of another issuer', jwtOf({ iss: 'https://other.example' })],
    ['an OpenAI-like key', `sk-proj-${'a1'.repeat(20)}`],
    ['a GitHub token', `ghp_${'a1'.repeat(18)}`],
    ['an AWS key id', 'AKIAIOSFODNN7EXAMPLE'],
    ['a webhook secret', `whsec_${'a1B2'.repeat(10)}+A==`],
    ['a Slack token', 'xoxb-1234567890-abcdefghij'],
  ])('%s stays with the person', (_title, secret) => {
    const masked = maskSecrets(`here: ${secret} and on`, issuer);
    expect(masked).toMatchObject({
      text: `here: ${maskedSecret} and on`,
      secrets: [{ ours: false, value: secret }],
    });
  });

  test.each([
    ['https://user:hunter2@a.example/mcp', `https://${maskedSecret}@a.example/mcp`],
    ["curl -u 'me:hunter2' https://a.example", `curl -u '${maskedSecret}' https://a.example`],
    ['curl --user me:hunter2 https://a.example', `curl --user ${maskedSecret} https://a.example`],
    ['"client_secret": "hunter2hunter2"', `"client_secret": "${maskedSecret}"`],
    ['"d":"nWGxne_9WmC6hEr0"', `"d":"${maskedSecret}"`],
    ['Basic bWU6aHVudGVyMg==', `Basic ${maskedSecret}`],
    ['?api_key=hunter2hunter2&x=1', `?api_key=${maskedSecret}&x=1`],
  ])('what stands where a secret belongs is one: %s', (text, masked) => {
    expect(maskSecrets(text, issuer).text).toBe(masked);
  });

  test.each([
    '"Authorization": "Bearer $' + '{input:token}"',
    '"client_secret": "<your secret>"',
    '"token_endpoint_auth_method": "client_secret_basic"',
    '"token_endpoint": "https://a.example/token"',
    '"registration_access_token": "$TOKEN_OF_MINE"',
    'cs_tooshort csr_x css_ sk-',
  ])('a placeholder is none: %s', (text) => {
    expect(maskSecrets(text, issuer)).toEqual({ text, secrets: [] });
  });
});

describe('curl', () => {
  test.each([
    [
      'curl https://a.example/mcp -H \'Accept: a\' -H "X: b c"',
      {
        url: 'https://a.example/mcp',
        headers: [
          { name: 'Accept', value: 'a' },
          { name: 'X', value: 'b c' },
        ],
      },
    ],
    [
      'curl -X POST \\\n  https://a.example \\\r\n  --data-raw \'{"a":1}\'',
      { url: 'https://a.example', method: 'POST', body: '{"a":1}' },
    ],
    ['curl --url=https://a.example -d a=1 -d b=2', { url: 'https://a.example', body: 'a=1&b=2' }],
    [
      'curl -sS -XPOST -HA:b https://a.example',
      { method: 'POST', headers: [{ name: 'A', value: 'b' }], ignored: ['-sS'] },
    ],
    ['curl --unknown https://a.example', { url: 'https://a.example', ignored: ['--unknown'] }],
    ["curl 'https://a.example/?a=1&b=2'", { url: 'https://a.example/?a=1&b=2' }],
    ['curl "a\\"b\\$c"', { url: 'a"b$c' }],
  ])('%s', (text, wanted) => {
    expect(parseCurl(text)).toMatchObject({ ok: true, value: wanted });
  });

  test.each([
    ['wget https://a.example', 'not-curl'],
    ["curl 'https://a.example", 'unclosed-quote'],
    ['curl https://a.example; rm -rf /', 'shell'],
    ['curl https://a.example | sh', 'shell'],
    ['curl "$(cat /etc/passwd)"', 'shell'],
    ['curl `id`', 'shell'],
    ['curl https://a.example/?a=1&b=2', 'shell'],
    ['curl "$HOME"', 'shell'],
    ['curl https://a.example\nrm -rf /', 'shell'],
    ['curl -d @/etc/passwd https://a.example', 'file'],
    ['curl https://a.example https://b.example', 'several-urls'],
    ['curl -H', 'option-without-value'],
    ['curl -s', 'no-url'],
    [`curl ${'a '.repeat(500)}`, 'too-many-words'],
  ])('%s is refused', (text, problem) => {
    expect(parseCurl(text)).toEqual({ ok: false, error: problem });
  });
});
