import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { type RawMcpServer, startRawMcpServer } from '../../tests/raw-mcp-server.ts';
import { listTools } from './list-tools.ts';

let server: RawMcpServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
});
const open = async (options: Parameters<typeof startRawMcpServer>[0]) => {
  server = await startRawMcpServer(options);
  return { url: server.url, headers: {} };
};
const tool = (name: string, description = '') =>
  JSON.stringify({ name, description, inputSchema: { type: 'object' } });
let page = 0;
const endless = (description: string) => () =>
  `{"tools":[${tool(`t${++page}`, description)}],"nextCursor":"c${page}"}`;

describe('what a listing may take', () => {
  test('a server that pages on is given up at the deadline', async () => {
    const upstream = await open({
      list: () => new Promise((resolve) => setTimeout(() => resolve(endless('')()), 20)),
    });
    await expect(listTools(upstream, { deadlineMs: 700, maxBytes: 1e9 })).rejects.toMatchObject({
      code: 'unavailable',
      message: 'The server did not list its tools within 0.7 seconds.',
    });
  });

  test('so is one that never answers', async () => {
    const upstream = await open({ answer: () => undefined });
    await expect(listTools(upstream, { deadlineMs: 300, maxBytes: 1e9 })).rejects.toMatchObject({
      message: expect.stringContaining('within 0.3 seconds'),
    });
  });

  test('pages of every size end at their budget of bytes', async () => {
    const upstream = await open({ list: endless('x'.repeat(100_000)) });
    const listing = listTools(upstream, { deadlineMs: 10_000, maxBytes: 300_000 });
    await expect(listing).rejects.toMatchObject({ code: 'unavailable' });
    expect(server?.requests()).toBeLessThan(12);
  });

  test('an answer that grows when unpacked is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '));
    const upstream = await open({
      answer: (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
        response.end(bomb);
      },
    });
    await expect(listTools(upstream)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('compressed'),
    });
  });
});

describe('what cannot be kept', () => {
  const deep = `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`;
  test.each([
    ['U+0000 in a name', `{"name":"a\\u0000b","inputSchema":{"type":"object"}}`, 'U+0000'],
    ['U+0000 in a schema', `{"name":"a","inputSchema":{"type":"object","x":["\\u0000"]}}`, 'U+0000'],
    ['U+0000 in a member', `{"name":"a","inputSchema":{"type":"object","\\u0000":1}}`, 'U+0000'],
    ['half a character', `{"name":"a","description":"\\ud800","inputSchema":{"type":"object"}}`, 'half'],
    ['too long a name', tool('n'.repeat(3_000)), 'more than 256 characters'],
    ['no name', tool(''), 'has no name'],
    ['a number beyond all', `{"name":"a","inputSchema":{"type":"object","x":1e999}}`, 'number'],
    ['a deep schema', `{"name":"a","inputSchema":{"type":"object","x":${deep}}}`, 'levels deep'],
  ])('%s is refused in words that can be kept', async (_what, json, words) => {
    const upstream = await open({ list: () => `{"tools":[${json}]}` });
    const error = await listTools(upstream).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining(words) });
    const { message } = error as Error;
    expect([message.includes('\u0000'), message.isWellFormed(), message.length < 400]).toEqual([
      false,
      true,
      true,
    ]);
  });

  test('odd text that can be kept is kept as it is', async () => {
    const upstream = await open({ list: () => `{"tools":[${tool('n'.repeat(256), '\u202e\ufffd🦊')}]}` });
    const { tools } = await listTools(upstream);
    expect(tools[0]?.description).toBe('\u202e\ufffd🦊');
  });
});
