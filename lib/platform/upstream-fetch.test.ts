import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { upstreamFetch } from './upstream-fetch.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let handler: Handler = (_request, response) => response.end();
const host = createServer((request, response) => handler(request, response));
let url = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(host.address() as AddressInfo).port}/`;
});
afterAll(() => {
  host.closeAllConnections();
  host.close();
});

const bytes =
  (length: number): Handler =>
  (_request, response) =>
    response.end(Buffer.alloc(length, 'a'));

describe('what an upstream may send', () => {
  test('compression is not asked for, whatever the caller says', async () => {
    let asked: string | undefined;
    handler = (request, response) => {
      asked = request.headers['accept-encoding'] as string | undefined;
      response.end('ok');
    };
    const response = await upstreamFetch({ timeoutMs: 5_000 })(url, {
      headers: { 'accept-encoding': 'gzip' },
    });
    expect([await response.text(), asked]).toEqual(['ok', 'identity']);
  });

  test.each(['gzip', 'GZIP', 'deflate', 'br', 'zstd', 'gzip, gzip', 'identity, gzip'])(
    'a body in %s is refused unread',
    async (encoding) => {
      // 64 MiB in 64 KiB: well within the cap of the wire.
      const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
      handler = (_request, response) => {
        response.writeHead(200, { 'content-encoding': encoding, 'content-type': 'application/json' });
        response.end(bomb);
      };
      await expect(upstreamFetch({ timeoutMs: 5_000 })(url)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('compressed'),
      });
    },
  );

  test('a body is read up to its cap and no further', async () => {
    const fetching = upstreamFetch({ timeoutMs: 5_000, maxBodyBytes: 10_000 });
    handler = bytes(10_000);
    expect((await (await fetching(url)).arrayBuffer()).byteLength).toBe(10_000);
    handler = bytes(10_001);
    await expect(fetching(url).then((response) => response.text())).rejects.toThrow();
  });

  test('requests together have one budget of bytes and of requests', async () => {
    const budget = () => upstreamFetch({ timeoutMs: 5_000, together: { maxRequests: 3, maxBytes: 10_000 } });
    handler = bytes(6_000);
    const fetching = budget();
    expect(await (await fetching(url)).text()).toHaveLength(6_000);
    await expect(fetching(url).then((response) => response.text())).rejects.toMatchObject({
      code: 'unavailable',
    });
    handler = bytes(1);
    const many = budget();
    for (let n = 0; n < 3; n++) await (await many(url)).text();
    await expect(many(url)).rejects.toMatchObject({ message: expect.stringContaining('3 requests') });
  });
});
