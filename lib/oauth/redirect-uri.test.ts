import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  describeRedirectUriProblem,
  findRegisteredRedirectUri,
  matchesRedirectUri,
  parseRedirectUri,
  toPortlessRedirectUri,
} from '#lib/oauth/redirect-uri.ts';

const policy = { reservedHosts: ['countersign.localhost', 'console.example'] };
const problemOf = (uri: unknown) => {
  const parsed = parseRedirectUri(uri, policy);
  return parsed.ok ? `accepted as ${parsed.value.kind}` : parsed.error;
};

describe('registering a redirect URI', () => {
  it.each([
    ['https://client.example/callback', 'https'],
    ['https://client.example', 'https'],
    ['https://client.example/', 'https'],
    ['https://client.example/cb?tenant=1', 'https'],
    ['https://client.example?tenant=1', 'https'],
    ['https://client.example:8443/cb', 'https'],
    ['https://client.example:443/cb', 'https'],
    ['https://claude.ai/api/mcp/auth_callback', 'https'],
    ['https://vscode.dev/redirect', 'https'],
    ['https://insiders.vscode.dev/redirect', 'https'],
    ['https://www.cursor.com/agents/mcp/oauth/callback', 'https'],
    ['https://chatgpt.com/connector_platform_oauth_redirect', 'https'],
    ['https://10.0.0.8/cb', 'https'],
    ['https://[2001:db8::1]/cb', 'https'],
    ['https://127.0.0.1.evil.example/cb', 'https'],
    ['https://xn--bcher-kva.example/cb', 'https'],
    ['https://client.example/a%2Fb', 'https'],
    ["https://client.example/a;b=c/(d)'!$&+,=:@~", 'https'],
    ['http://127.0.0.1/', 'loopback'],
    ['http://127.0.0.1:33418/', 'loopback'],
    ['http://127.0.0.1:6276/oauth/callback', 'loopback'],
    ['http://[::1]:8080/cb', 'loopback'],
    ['http://localhost:8787/callback', 'loopback'],
    ['http://localhost/callback', 'loopback'],
    ['http://localhost:80/callback', 'loopback'],
    ['http://127.0.0.1', 'loopback'],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'private-use scheme'],
    ['com.example.app:/oauth', 'private-use scheme'],
    ['com.example.app://oauth/cb', 'private-use scheme'],
    ['com.example-one.app2:/oauth?x=1', 'private-use scheme'],
  ])('accepts %s', (uri, kind) => {
    const parsed = parseRedirectUri(uri, policy);
    expect(parsed).toMatchObject({ ok: true, value: { uri, kind } });
  });

  it.each<[unknown, string]>([
    // Not text, or not a URI.
    [null, 'not-a-string'],
    [42, 'not-a-string'],
    [['https://client.example/cb'], 'not-a-string'],
    [{ href: 'https://client.example/cb' }, 'not-a-string'],
    ['', 'empty'],
    [`https://client.example/${'a'.repeat(2_000)}`, 'too-long'],
    ['callback', 'not-absolute'],
    ['/callback', 'not-absolute'],
    ['//client.example/cb', 'not-absolute'],
    ['://client.example', 'not-absolute'],
    ['?code', 'not-absolute'],
    // Schemes that run, read or leave.
    ['javascript:alert(1)', 'scheme-not-allowed'],
    ['JavaScript:alert(1)', 'scheme-not-allowed'],
    ['javascript://client.example/%0aalert(1)', 'scheme-not-allowed'],
    ['jav%61script:alert(1)', 'not-absolute'],
    ['data:text/html,x', 'scheme-not-allowed'],
    ['DATA:text/html;base64,eA==', 'scheme-not-allowed'],
    ['vbscript:msgbox(1)', 'scheme-not-allowed'],
    ['file:///etc/passwd', 'scheme-not-allowed'],
    ['FILE:///etc/passwd', 'scheme-not-allowed'],
    ['blob:https://client.example/1', 'scheme-not-allowed'],
    ['about:blank', 'scheme-not-allowed'],
    ['about:srcdoc', 'scheme-not-allowed'],
    ['intent://x/', 'scheme-not-allowed'],
    ['android-app://com.example/https', 'scheme-not-allowed'],
    ['ws://client.example/', 'scheme-not-allowed'],
    ['wss://client.example/', 'scheme-not-allowed'],
    ['ftp://client.example/', 'scheme-not-allowed'],
    ['sftp://client.example/', 'scheme-not-allowed'],
    ['mailto:a@client.example', 'scheme-not-allowed'],
    ['tel:123', 'scheme-not-allowed'],
    ['sms:123', 'scheme-not-allowed'],
    ['ldap://client.example/', 'scheme-not-allowed'],
    ['jar:https://client.example/a.jar!/', 'scheme-not-allowed'],
    ['view-source:https://client.example/', 'scheme-not-allowed'],
    ['chrome://settings', 'scheme-not-allowed'],
    ['chrome-extension://abcdef/cb', 'scheme-not-allowed'],
    ['filesystem:https://client.example/x', 'scheme-not-allowed'],
    ['feed:https://client.example/', 'scheme-not-allowed'],
    ['ms-word:ofe', 'scheme-not-allowed'],
    ['myapp://cb', 'scheme-not-allowed'],
    ['myapp:/cb', 'scheme-not-allowed'],
    ['x:y', 'scheme-not-allowed'],
    ['Cursor://anysphere.cursor-mcp/cb', 'scheme-not-allowed'],
    ['Com.Example.App:/cb', 'scheme-not-allowed'],
    ['HTTPS://client.example/cb', 'scheme-not-allowed'],
    ['Http://127.0.0.1/cb', 'scheme-not-allowed'],
    ['com..app:/cb', 'scheme-not-allowed'],
    ['com.example.:/cb', 'scheme-not-allowed'],
    ['.com.example:/cb', 'not-absolute'],
    ['com.example-:/cb', 'scheme-not-allowed'],
    ['-com.example:/cb', 'not-absolute'],
    ['com+example.app:/cb', 'scheme-not-allowed'],
    ['urn:ietf:wg:oauth:2.0:oob', 'scheme-not-allowed'],
    // Characters.
    [' https://client.example/cb', 'forbidden-character'],
    ['https://client.example/cb ', 'forbidden-character'],
    ['\thttps://client.example/cb', 'forbidden-character'],
    ['https://client.example/\tcb', 'forbidden-character'],
    ['https://client.example/cb\n', 'forbidden-character'],
    ['java\nscript:alert(1)', 'forbidden-character'],
    ['https://client.example/cb\u0000', 'forbidden-character'],
    ['\u0000https://client.example/', 'forbidden-character'],
    ['https://client.example\\cb', 'forbidden-character'],
    ['https:\\\\client.example\\cb', 'forbidden-character'],
    ['https://client.example/"onload=', 'forbidden-character'],
    ['https://client.example/<script>', 'forbidden-character'],
    ['https://client.example/{id}', 'forbidden-character'],
    ['https://client.example/a|b', 'forbidden-character'],
    ['https://client.example/a^b', 'forbidden-character'],
    ['https://client.example/a`b', 'forbidden-character'],
    ['https://client.example/%zz', 'forbidden-character'],
    ['https://client.example/%', 'forbidden-character'],
    ['https://client.example/\u202ecb', 'forbidden-character'],
    ['https://client.example/\u200bcb', 'forbidden-character'],
    ['https://сlient.example/cb', 'forbidden-character'],
    ['https://client。example/cb', 'forbidden-character'],
    ['https://client.example／cb', 'forbidden-character'],
    // Parts that do not belong.
    ['https://client.example/cb#', 'fragment'],
    ['https://client.example/cb#x', 'fragment'],
    ['com.example.app:/cb#x', 'fragment'],
    ['https://user@client.example/cb', 'userinfo'],
    ['https://user:pass@client.example/cb', 'userinfo'],
    ['https://client.example@evil.example/cb', 'userinfo'],
    ['http://127.0.0.1@evil.example/cb', 'userinfo'],
    ['http://127.0.0.1:80@evil.example/cb', 'userinfo'],
    ['com.example.app://user@host/cb', 'userinfo'],
    ['https://*.client.example/cb', 'wildcard'],
    ['https://*/cb', 'wildcard'],
    ['https://client.example/*', 'wildcard'],
    ['http://127.0.0.1:*/cb', 'wildcard'],
    ['com.example.*:/cb', 'wildcard'],
    // http elsewhere than on the person's own machine, and its look-alikes.
    ['http://client.example/cb', 'http-not-loopback'],
    ['http://127.0.0.1.evil.example/cb', 'http-not-loopback'],
    ['http://localhost.evil.example/cb', 'http-not-loopback'],
    ['http://localhost./cb', 'http-not-loopback'],
    ['http://LOCALHOST/cb', 'http-not-loopback'],
    ['http://Localhost:8080/cb', 'http-not-loopback'],
    ['http://sub.localhost/cb', 'http-not-loopback'],
    ['http://127.1/cb', 'http-not-loopback'],
    ['http://127.0.1/cb', 'http-not-loopback'],
    ['http://127.0.0.2/cb', 'http-not-loopback'],
    ['http://127.0.0.1./cb', 'http-not-loopback'],
    ['http://0x7f000001/cb', 'http-not-loopback'],
    ['http://0x7f.0.0.1/cb', 'http-not-loopback'],
    ['http://2130706433/cb', 'http-not-loopback'],
    ['http://0177.0.0.1/cb', 'http-not-loopback'],
    ['http://0/cb', 'http-not-loopback'],
    ['http://0.0.0.0/cb', 'http-not-loopback'],
    ['http://[::]/cb', 'http-not-loopback'],
    ['http://[::ffff:127.0.0.1]/cb', 'http-not-loopback'],
    ['http://[::ffff:7f00:1]/cb', 'http-not-loopback'],
    ['http://[0:0:0:0:0:0:0:1]/cb', 'http-not-loopback'],
    ['http://[::1%25lo]/cb', 'host-not-normal'],
    ['http://10.0.0.1/cb', 'http-not-loopback'],
    ['http://192.168.1.1/cb', 'http-not-loopback'],
    ['http://127.0.0.%31/cb', 'http-not-loopback'],
    ['http://countersign.localhost/cb', 'http-not-loopback'],
    // Hosts and ports.
    ['https://', 'host-missing'],
    ['https:///cb', 'host-missing'],
    ['https://:443/cb', 'host-missing'],
    ['https:client.example/cb', 'not-normal'],
    ['https:/client.example/cb', 'not-normal'],
    ['https://CLIENT.example/cb', 'host-not-normal'],
    ['https://client.example./cb', 'host-not-normal'],
    ['https://client%2eexample/cb', 'host-not-normal'],
    ['https://client.example%2f.evil.example/', 'host-not-normal'],
    ['https://127.1/cb', 'host-not-normal'],
    ['https://0x7f000001/cb', 'host-not-normal'],
    ['https://[::1/cb', 'host-not-normal'],
    ['https://[::1]x/cb', 'host-not-normal'],
    ['https://a:b:c/cb', 'host-not-normal'],
    ['https://client.example:/cb', 'port-invalid'],
    ['https://client.example:0/cb', 'port-invalid'],
    ['https://client.example:65536/cb', 'port-invalid'],
    ['https://client.example:08443/cb', 'port-invalid'],
    ['https://client.example:99999999/cb', 'port-invalid'],
    ['http://127.0.0.1:0/cb', 'port-invalid'],
    ['https://xn--80ak6aa92e.com/cb', 'look-alike-host'],
    ['https://www.xn--laude-0ye.com/cb', 'look-alike-host'],
    ['https://console.example/cb', 'reserved-host'],
    ['https://CONSOLE.example/cb', 'reserved-host'],
    ['https://console.example:8443/cb', 'reserved-host'],
    ['https://countersign.localhost:3000/cb', 'reserved-host'],
    // What a browser would rewrite.
    ['https://client.example/a/../cb', 'not-normal'],
    ['https://client.example/./cb', 'not-normal'],
    ['https://client.example/a/%2e%2e/cb', 'not-normal'],
    ['https://client.example/%2E/cb', 'not-normal'],
    ['http://127.0.0.1/a/../../cb', 'not-normal'],
    ['com.example.app:/a/../cb', 'not-normal'],
    ['com.example.app:', 'host-missing'],
    ["https://client.example/cb?a='b", 'not-normal'],
    // Parameters that are ours to add.
    ['https://client.example/cb?code=1', 'reserved-query-parameter'],
    ['https://client.example/cb?state=1', 'reserved-query-parameter'],
    ['https://client.example/cb?x=1&iss=https://evil.example', 'reserved-query-parameter'],
    ['https://client.example/cb?error=x', 'reserved-query-parameter'],
    ['https://client.example/cb?%63ode=1', 'reserved-query-parameter'],
    ['https://client.example/cb?CODE=1', 'reserved-query-parameter'],
    ['com.example.app:/cb?code=1', 'reserved-query-parameter'],
  ])('refuses %j', (uri, problem) => {
    expect(problemOf(uri)).toBe(problem);
  });

  it('accepts localhost only where the policy does', () => {
    expect(parseRedirectUri('http://localhost/cb', { allowLocalhost: false })).toEqual({
      ok: false,
      error: 'http-not-loopback',
    });
  });

  it('accepts a scheme without a dot only from the vendor list', () => {
    expect(parseRedirectUri('zed://cb', { vendorSchemes: ['zed'] }).ok).toBe(true);
    expect(parseRedirectUri('cursor://cb', { vendorSchemes: [] }).ok).toBe(false);
  });

  it('accepts nothing a browser would read as another origin or scheme', () => {
    const hostile = fc.oneof(
      fc.webUrl({ withFragments: true, withQueryParameters: true }),
      fc.string({ maxLength: 60 }),
      fc
        .tuple(
          fc.constantFrom('https://', 'http://', 'https:', 'javascript:', 'com.a.b:', 'cursor://', 'HTTP://'),
          fc.constantFrom('127.0.0.1', 'localhost', '[::1]', 'a.example', 'a@b.example', '127.1', ''),
          fc.constantFrom('', ':1', ':0', ':', '@x.example', '\\x', '%2f'),
          fc.constantFrom('', '/', '/a/../b', '?x=1', '#f', '/\t', '//x', '/%2e%2e/'),
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(hostile, (text) => {
        const parsed = parseRedirectUri(text, policy);
        if (!parsed.ok) {
          expect(describeRedirectUriProblem(parsed.error)).not.toBe('');
          return;
        }
        const url = new URL(text);
        expect(`${url.protocol}`).toBe(`${parsed.value.scheme}:`);
        expect(url.username + url.password + url.hash).toBe('');
        expect(url.hostname).toBe(parsed.value.host);
        expect(policy.reservedHosts).not.toContain(url.hostname);
        if (url.protocol === 'http:') expect(['127.0.0.1', '[::1]', 'localhost']).toContain(url.hostname);
        else expect(url.protocol).toMatch(/^(https|cursor|[a-z0-9-]+(\.[a-z0-9-]+)+):$/);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('matching a requested redirect URI', () => {
  it.each([
    ['https://client.example/cb', 'https://client.example/cb'],
    ['http://127.0.0.1/cb', 'http://127.0.0.1:54321/cb'],
    ['http://127.0.0.1:1/cb', 'http://127.0.0.1:2/cb'],
    ['http://127.0.0.1:1/cb', 'http://127.0.0.1/cb'],
    ['http://localhost:8787/callback', 'http://localhost:49152/callback'],
    ['http://[::1]/cb', 'http://[::1]:65535/cb'],
    ['http://127.0.0.1/', 'http://127.0.0.1:33418/'],
    ['http://127.0.0.1:5', 'http://127.0.0.1:6'],
    ['http://127.0.0.1/cb?x=1', 'http://127.0.0.1:7/cb?x=1'],
    ['com.example.app:/cb', 'com.example.app:/cb'],
  ])('registered %s matches %s', (registered, requested) => {
    expect(matchesRedirectUri(registered, requested)).toBe(true);
  });

  const web = 'https://client.example/cb';
  const local = 'http://127.0.0.1:5000/cb';
  it.each([
    [web, 'https://client.example/cb/'],
    [web, 'https://client.example/cb/x'],
    [web, 'https://client.example/c'],
    [web, 'https://client.example/cbx'],
    [web, 'https://client.example/CB'],
    [web, 'https://client.example/c%62'],
    [web, 'https://client.example/%63b'],
    [web, 'https://client.example/cb?x=1'],
    [web, 'https://client.example/cb?'],
    [web, 'https://client.example/cb#'],
    [web, 'https://client.example/cb#x'],
    [web, 'https://client.example/a/../cb'],
    [web, 'https://client.example/./cb'],
    [web, 'https://client.example//cb'],
    [web, 'https://client.example:443/cb'],
    [web, 'https://client.example:8443/cb'],
    [web, 'https://client.example./cb'],
    [web, 'https://CLIENT.example/cb'],
    [web, 'HTTPS://client.example/cb'],
    [web, 'http://client.example/cb'],
    [web, 'https://client.example.evil.example/cb'],
    [web, 'https://evil.example/client.example/cb'],
    [web, 'https://client.example@evil.example/cb'],
    [web, 'https://evil.example\\@client.example/cb'],
    [web, 'https://client.example/cb '],
    [web, ' https://client.example/cb'],
    [web, 'https://client.example/cb\n'],
    [web, 'https://client.example/cb\u0000'],
    [web, 'https://client.example/cb;x'],
    [web, 'https://client.example\\cb'],
    [web, '//client.example/cb'],
    [web, '/cb'],
    [web, ''],
    [web, 'javascript:alert(1)//https://client.example/cb'],
    [web, 'https://client.example/cb,https://evil.example'],
    [web, 'https://ｃlient.example/cb'],
    [local, 'http://127.0.0.1:5000/cb/'],
    [local, 'http://127.0.0.1:5000/'],
    [local, 'http://127.0.0.1:5000/cb?x'],
    [local, 'http://127.0.0.1:5000/cb#x'],
    [local, 'http://localhost:5000/cb'],
    [local, 'http://[::1]:5000/cb'],
    [local, 'https://127.0.0.1:5000/cb'],
    [local, 'http://127.0.0.1.evil.example:5000/cb'],
    [local, 'http://127.0.0.1:5000@evil.example/cb'],
    [local, 'http://127.0.0.1:@evil.example/cb'],
    [local, 'http://127.0.0.1:0/cb'],
    [local, 'http://127.0.0.1:65536/cb'],
    [local, 'http://127.0.0.1:099/cb'],
    [local, 'http://127.0.0.1:/cb'],
    [local, 'http://127.0.0.1:5000\\cb'],
    [local, 'http://127.0.0.1:5000\n/cb'],
    [local, 'http://127.0.0.2:5000/cb'],
    [local, 'http://127.1:5000/cb'],
    [local, 'http://2130706433:5000/cb'],
    [local, 'HTTP://127.0.0.1:5000/cb'],
    ['http://localhost:1/cb', 'http://LOCALHOST:1/cb'],
    ['http://localhost:1/cb', 'http://localhost.:1/cb'],
    ['http://localhost:1/cb', 'http://localhost.evil.example:1/cb'],
    ['com.example.app:/cb', 'com.example.app:/cb/'],
    ['com.example.app:/cb', 'com.example.app://cb'],
    ['com.example.app:/cb', 'COM.example.app:/cb'],
    ['cursor://a/cb', 'cursor://a:1/cb'],
  ])('registered %s does not match %j', (registered, requested) => {
    expect(matchesRedirectUri(registered, requested)).toBe(false);
    expect(findRegisteredRedirectUri([registered], requested)).toBeNull();
  });

  it('frees the port of loopback redirects and nothing else', () => {
    const hosts = fc.constantFrom('127.0.0.1', '[::1]', 'localhost');
    const ports = fc.integer({ min: 1, max: 65_535 });
    fc.assert(
      fc.property(hosts, hosts, ports, ports, fc.webPath(), fc.webPath(), (h1, h2, p1, p2, path1, path2) => {
        const matches = matchesRedirectUri(`http://${h1}:${p1}${path1}`, `http://${h2}:${p2}${path2}`);
        expect(matches).toBe(h1 === h2 && path1 === path2);
      }),
    );
  });

  it('compares everything else exactly', () => {
    fc.assert(
      fc.property(fc.webUrl(), fc.webUrl(), (one, other) => {
        fc.pre(!one.startsWith('http://'));
        expect(matchesRedirectUri(one, other)).toBe(one === other);
      }),
    );
  });

  it('drops the port from a loopback redirect for comparing runs of a client', () => {
    expect(toPortlessRedirectUri('http://localhost:1234/cb')).toBe('http://localhost/cb');
    expect(toPortlessRedirectUri('https://client.example:8443/cb')).toBe('https://client.example:8443/cb');
  });
});
