import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import { gunzipSync } from 'node:zlib';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createConsoleProxy } from './console-proxy.ts';

const script = 'export const words = "countersign ";\n'.repeat(500);
let target: Server;
let face: Server;
let proxy: ReturnType<typeof createConsoleProxy>;

beforeAll(async () => {
  target = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '';
    const type = path.endsWith('.js')
      ? 'application/javascript; charset=UTF-8'
      : path.endsWith('.woff2')
        ? 'font/woff2'
        : 'text/html';
    if (path.includes('missing')) {
      outgoing.writeHead(404, { 'content-type': type }).end(script);
      return;
    }
    if (incoming.headers.range) {
      outgoing
        .writeHead(206, { 'content-type': type, 'content-range': 'bytes 0-9/99' })
        .end(script.slice(0, 10));
      return;
    }
    outgoing
      .writeHead(200, {
        'content-type': type,
        'content-length': script.length,
        etag: '"made-for-these-bytes"',
        'cache-control': 'public, max-age=31536000, immutable',
      })
      .end(incoming.method === 'HEAD' ? undefined : script);
  }).listen(4861, '127.0.0.1');
  proxy = createConsoleProxy({
    target: { host: '127.0.0.1', port: 4861 },
    startSecret: 'secret',
    consoleOrigin: 'http://console.test',
    log: pino({ level: 'silent' }),
  });
  face = createServer((incoming, outgoing) =>
    proxy.forward(incoming, outgoing, { address: null, traceId: 'trc_test', viewer: null }),
  ).listen(4862, '127.0.0.1');
});
afterAll(() => {
  proxy.close();
  target.close();
  face.close();
});

function ask(
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: 4862, path, method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }),
      );
    })
      .on('error', reject)
      .end();
  });
}

test.each(['gzip', 'gzip, deflate, br', 'br;q=1.0, gzip;q=0.8', 'deflate,gzip;q=1'])(
  'a script of the build comes compressed to who takes %s',
  async (accepted) => {
    const answer = await ask('/_next/static/chunks/a.js', { 'accept-encoding': accepted });
    expect(answer.headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: 'Accept-Encoding',
      etag: 'W/"made-for-these-bytes"',
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect(answer.headers['content-length']).toBeUndefined();
    expect(gunzipSync(answer.body).toString()).toBe(script);
    expect(answer.body.length).toBeLessThan(script.length / 3);
  },
);

test.each([
  ['a page, which says what only one person may read', '/agents', { 'accept-encoding': 'gzip' }, 'GET', 200],
  [
    'a page whose path looks like a script',
    '/x/_next/static/a.js',
    { 'accept-encoding': 'gzip' },
    'GET',
    200,
  ],
  ['what is compressed already', '/_next/static/media/a.woff2', { 'accept-encoding': 'gzip' }, 'GET', 200],
  ['what is missing', '/_next/static/missing.js', { 'accept-encoding': 'gzip' }, 'GET', 404],
  ['a part of a file', '/_next/static/a.js', { 'accept-encoding': 'gzip', range: 'bytes=0-9' }, 'GET', 206],
  ['a head alone', '/_next/static/a.js', { 'accept-encoding': 'gzip' }, 'HEAD', 200],
  ['a script for who takes none', '/_next/static/a.js', {}, 'GET', 200],
  ['a script for who refuses it', '/_next/static/a.js', { 'accept-encoding': 'gzip;q=0' }, 'GET', 200],
  [
    'a script for who refuses it so',
    '/_next/static/a.js',
    { 'accept-encoding': 'gzip;q=0.00, br' },
    'GET',
    200,
  ],
  [
    'a script for who takes something like it',
    '/_next/static/a.js',
    { 'accept-encoding': 'xgzip' },
    'GET',
    200,
  ],
])('%s comes as it is', async (_, path, headers, method, status) => {
  const answer = await ask(path, headers as Record<string, string>, method);
  expect(answer.status).toBe(status);
  expect(answer.headers['content-encoding']).toBeUndefined();
  if (status === 200 && method === 'GET') expect(answer.body.toString()).toBe(script);
});
