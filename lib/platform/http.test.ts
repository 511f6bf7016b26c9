import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createRemoteHttp,
  isGlobalUnicast,
  MAX_FRESH_SECONDS,
  MIN_FRESH_SECONDS,
} from '#lib/platform/http.ts';

/** Counts every connection; nothing that is refused may show up here. */
const sink = createTcpServer((socket) => {
  sinkConnections++;
  socket.destroy();
});
let sinkConnections = 0;
let sinkPort = 0;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let handler: Handler = (_request, response) => response.end();
let requests = 0;
const host: Server = createServer((request, response) => {
  requests++;
  handler(request, response);
});
let base = '';

beforeAll(async () => {
  await new Promise<void>((done) => sink.listen(0, '127.0.0.1', done));
  await new Promise<void>((done) => host.listen(0, '127.0.0.1', done));
  sinkPort = (sink.address() as AddressInfo).port;
  base = `http://127.0.0.1:${(host.address() as AddressInfo).port}`;
});
afterAll(() => {
  sink.close();
  host.closeAllConnections();
  host.close();
});
afterEach(() => {
  requests = 0;
  expect(sinkConnections).toBe(0);
});

const json =
  (body: string, headers: Record<string, string> = {}, status = 200): Handler =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body);
  };

describe('addresses', () => {
  it.each([
    ...[
      '8.8.8.8',
      '1.1.1.1',
      '93.184.216.34',
      '2606:4700:4700::1111',
      '2001:4860:4860::8888',
      '2a00:1450::1',
    ],
  ])('lets %s through', (address) => {
    expect(isGlobalUnicast(address)).toBe(true);
  });

  it.each([
    ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3', '10.0.0.1', '172.16.0.1', '172.31.255.255'],
    ...['192.168.1.1', '169.254.169.254', '169.254.170.2', '100.64.0.1', '100.100.100.200', '192.0.0.1'],
    ...['192.0.0.192', '192.0.2.1', '192.88.99.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1'],
    ...['239.255.255.255', '240.0.0.1', '255.255.255.255', '168.63.129.16'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::1'],
    ...['2002:7f00:1::', '2002:a00:1::', '2001::1', '2001:db8::1', '2001:2::1', '2001:10::1', '2001:20::1'],
    ...[
      'fc00::1',
      'fd00:ec2::254',
      'fe80::1',
      'fec0::1',
      'ff02::1',
      '100::1',
      '3fff::1',
      '5f00::1',
      '4000::1',
    ],
    ...['fe80::1%eth0', '', 'example.org', '127.1', '0x7f000001'],
  ])('keeps %s out', (address) => {
    expect(isGlobalUnicast(address)).toBe(false);
  });
});

describe('a guarded request, without the development setting', () => {
  const http = createRemoteHttp({
    timeoutMs: 1_000,
    resolve: async (hostname) => RECORDS[hostname] ?? [],
    allowedPorts: [443],
  });
  const RECORDS: Record<string, string[]> = {
    'private.example': ['10.0.0.1'],
    'loopback.example': ['127.0.0.1'],
    'mixed.example': ['93.184.216.34', '127.0.0.1'],
    'mixed6.example': ['93.184.216.34', '::1'],
    'mapped.example': ['::ffff:127.0.0.1'],
    'nat64.example': ['64:ff9b::7f00:1'],
    'garbage.example': ['not an address'],
    'public.example': ['93.184.216.34'],
  };

  it.each([
    ['http', 'http://public.example/', 'url not allowed'],
    ['file', 'file:///etc/passwd', 'url not allowed'],
    ['gopher', 'gopher://public.example/', 'url not allowed'],
    ['data', 'data:application/json,{}', 'url not allowed'],
    ['no URL', 'not a url', 'url not allowed'],
    ['user information', 'https://user:pass@public.example/', 'url not allowed'],
    ['a fragment', 'https://public.example/#x', 'url not allowed'],
    ['a host written in capitals', 'https://PUBLIC.example/x', 'url not allowed'],
    ['a short loopback', 'https://127.1/', 'url not allowed'],
    ['a decimal loopback', 'https://2130706433/', 'url not allowed'],
    ['a hexadecimal loopback', 'https://0x7f000001/', 'url not allowed'],
    ['an octal loopback', 'https://0177.0.0.1/', 'url not allowed'],
    ['a fullwidth loopback', 'https://１２７.0.0.1/', 'url not allowed'],
    ['a backslash', 'https://public.example\\@127.0.0.1/', 'url not allowed'],
    ['a loopback literal', 'https://127.0.0.1/', 'address not allowed'],
    ['an IPv6 loopback', 'https://[::1]/', 'address not allowed'],
    ['a mapped loopback', 'https://[::ffff:7f00:1]/', 'address not allowed'],
    ['a metadata address', 'https://169.254.169.254/latest/meta-data/', 'address not allowed'],
    ['an Azure host address', 'https://168.63.129.16/', 'address not allowed'],
    ['localhost', 'https://localhost/', 'address not allowed'],
    ['a name below localhost', 'https://countersign.localhost/', 'address not allowed'],
    ['a private name', 'https://private.example/', 'address not allowed'],
    ['a loopback name', 'https://loopback.example/', 'address not allowed'],
    ['one private address among public ones', 'https://mixed.example/', 'address not allowed'],
    ['one loopback IPv6 address among public ones', 'https://mixed6.example/', 'address not allowed'],
    ['a mapped address', 'https://mapped.example/', 'address not allowed'],
    ['a translated address', 'https://nat64.example/', 'address not allowed'],
    ['an answer that is no address', 'https://garbage.example/', 'address not allowed'],
    ['an unknown name', 'https://nowhere.example/', 'name not resolved'],
    ['an odd port', 'https://public.example:8443/', 'port not allowed'],
    ['a database port', 'https://public.example:5432/', 'port not allowed'],
  ])('refuses %s before connecting', async (_title, url, detail) => {
    const fetched = await http.fetchDocument(url, { maxBytes: 1_000 });
    expect(fetched).toEqual({ ok: false, error: { reason: 'unavailable', detail } });
  });

  it('refuses every address form of the sink', async () => {
    const forms = [
      '127.0.0.1',
      '[::1]',
      '[::ffff:7f00:1]',
      'localhost',
      'loopback.example',
      '0.0.0.0',
      '[::]',
    ];
    for (const form of forms) {
      const sent = await http.send(`https://${form}:${sinkPort}/`, { method: 'GET', maxResponseBytes: 10 });
      expect(sent.ok).toBe(false);
    }
  });

  it('resolves a name once and is not moved by a second answer', async () => {
    let asked = 0;
    const rebinding = createRemoteHttp({
      timeoutMs: 300,
      resolve: async () => (asked++ === 0 ? ['127.0.0.9'] : ['127.0.0.1']),
      // Stands for a public address that nobody answers at.
      allowedNetworks: ['127.0.0.9/32'],
      allowedPorts: [sinkPort],
    });
    const sent = await rebinding.send(`https://rebind.example:${sinkPort}/`, {
      method: 'GET',
      maxResponseBytes: 10,
    });
    expect(sent.ok).toBe(false);
    expect(asked).toBe(1);
  });

  it('opens exactly the networks an operator allowed', async () => {
    const opened = createRemoteHttp({
      timeoutMs: 300,
      allowedNetworks: ['127.0.0.8/29'],
    });
    const inside = await opened.send('https://127.0.0.9/', { method: 'GET', maxResponseBytes: 10 });
    expect(inside).toMatchObject({ error: { detail: 'connection failed' } });
    const outside = await opened.send('https://127.0.0.1/', { method: 'GET', maxResponseBytes: 10 });
    expect(outside).toMatchObject({ error: { detail: 'address not allowed' } });
  });

  it('gives a silent name service up at the deadline', async () => {
    const silent = createRemoteHttp({ timeoutMs: 100, resolve: () => new Promise(() => {}) });
    expect(await silent.fetchDocument('https://slow.example/x', { maxBytes: 10 })).toEqual({
      ok: false,
      error: { reason: 'unavailable', detail: 'deadline passed' },
    });
  });
});

describe('a guarded request on loopback, by the development setting', () => {
  const now = new Date('2026-11-01T12:00:00Z');
  const http = createRemoteHttp({
    allowLoopback: true,
    timeoutMs: 500,
    clock: { now: () => now, monotonicMs: () => 0 },
    resolve: async (hostname) => (hostname === 'docs.example' ? ['127.0.0.1'] : []),
  });
  const fetched = (path = '/doc') => http.fetchDocument(`${base}${path}`, { maxBytes: 1_000 });

  it('returns the bytes, their digest and how long they are fresh', async () => {
    handler = json('{"a":1}', { 'cache-control': 'public, max-age=600' });
    const document = await fetched();
    expect(document).toMatchObject({
      ok: true,
      value: {
        digest: 'sha256:AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX-GI',
        fetchedAt: now,
        freshUntil: new Date(now.getTime() + 600_000),
        address: '127.0.0.1',
      },
    });
    if (document.ok) expect(Buffer.from(document.value.bytes).toString()).toBe('{"a":1}');
  });

  it.each([
    ['nothing', undefined, MIN_FRESH_SECONDS],
    ['no-store', 'no-store', MIN_FRESH_SECONDS],
    ['max-age=0', 'max-age=0', MIN_FRESH_SECONDS],
    ['a year', 'max-age=31536000', MAX_FRESH_SECONDS],
    ['an absurd number', 'max-age=99999999999999999999', MAX_FRESH_SECONDS],
    ['s-maxage only', 's-maxage=9000', MIN_FRESH_SECONDS],
    ['garbage', 'max-age=-5', MIN_FRESH_SECONDS],
  ])('keeps freshness within bounds when told %s', async (_title, cacheControl, seconds) => {
    handler = json('{}', cacheControl === undefined ? {} : { 'cache-control': cacheControl });
    const document = await fetched();
    expect(document.ok && document.value.freshUntil.getTime() - now.getTime()).toBe(seconds * 1_000);
  });

  it('connects to the vetted address of a name no other resolver knows', async () => {
    handler = json('{}');
    const { port } = new URL(base);
    expect((await http.fetchDocument(`http://docs.example:${port}/`, { maxBytes: 10 })).ok).toBe(true);
  });

  it.each<[string, Handler, string]>([
    [
      'a redirect to the sink',
      (_q, r) => r.writeHead(302, { location: `http://127.0.0.1:${sinkPort}/` }).end(),
      'redirect refused',
    ],
    ['a permanent redirect', (_q, r) => r.writeHead(308, { location: '/other' }).end(), 'redirect refused'],
    ['not found', json('{}', {}, 404), 'status not 200'],
    ['no content', json('', {}, 204), 'status not 200'],
    ['an error page', json('{}', {}, 500), 'status not 200'],
    ['HTML', json('{}', { 'content-type': 'text/html' }), 'media type not JSON'],
    ['plain text', json('{}', { 'content-type': 'text/plain; application/json' }), 'media type not JSON'],
    ['JavaScript', json('{}', { 'content-type': 'application/javascript' }), 'media type not JSON'],
    ['a compressed body', json('{}', { 'content-encoding': 'gzip' }), 'content encoding refused'],
    ['a stated length beyond the limit', json('x'.repeat(1_001)), 'larger than allowed'],
    [
      'an endless body',
      (_q, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const writing = setInterval(() => response.write('x'.repeat(400)), 5);
        response.on('close', () => clearInterval(writing));
      },
      'larger than allowed',
    ],
    [
      'a body that drips',
      (_q, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const writing = setInterval(() => response.write(' '), 50);
        response.on('close', () => clearInterval(writing));
      },
      'deadline passed',
    ],
    ['silence', () => {}, 'deadline passed'],
    ['a closed connection', (request) => request.socket.destroy(), 'connection failed'],
    [
      'a body cut short',
      (_q, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '50' });
        response.write('{');
        setTimeout(() => response.destroy(), 20);
      },
      'connection failed',
    ],
    [
      'headers without end',
      (_q, r) => r.writeHead(200, { 'x-long': 'x'.repeat(20_000) }).end(),
      'connection failed',
    ],
  ])('reports %s as unavailable and nothing more', async (_title, answer, detail) => {
    handler = answer;
    expect(await fetched()).toEqual({ ok: false, error: { reason: 'unavailable', detail } });
    expect(requests).toBe(1);
  });

  it('sends no cookie, and neither proxy nor credentials from the environment', async () => {
    let seen: IncomingMessage['headers'] = {};
    handler = (request, response) => {
      seen = request.headers;
      json('{}', { 'set-cookie': 'a=b' })(request, response);
    };
    await fetched();
    await fetched();
    expect(Object.keys(seen).sort()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'host',
      'user-agent',
    ]);
  });

  it('posts a body for webhooks and hands any status back', async () => {
    let body = '';
    handler = (request, response) => {
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => response.writeHead(202).end('ok'));
    };
    const sent = await http.send(`${base}/hook`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"x":1}',
      maxResponseBytes: 100,
    });
    expect(body).toBe('{"x":1}');
    expect(sent).toMatchObject({ ok: true, value: { status: 202 } });
  });

  it('has two requests per host in flight, lets others wait in order, and refuses a flood', async () => {
    let open = 0;
    let most = 0;
    handler = (_request, response) => {
      open++;
      most = Math.max(most, open);
      setTimeout(() => {
        open--;
        json('{}')(_request, response);
      }, 20);
    };
    const results = await Promise.all(Array.from({ length: 10 }, (_, index) => fetched(`/${index}`)));
    expect(results.every((result) => result.ok)).toBe(true);
    expect(most).toBe(2);
    handler = () => {};
    const flood = await Promise.all(Array.from({ length: 100 }, (_, index) => fetched(`/${index}`)));
    const details = flood.map((result) => (result.ok ? 'ok' : result.error.detail));
    expect(details.filter((detail) => detail === 'too many requests in flight')).toHaveLength(34);
    handler = json('{}');
    expect((await fetched()).ok).toBe(true);
  });
});
