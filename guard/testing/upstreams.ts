import { randomUUID } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

export type SeenRequest = { method: string; url: string; headers: http.IncomingHttpHeaders; body: string };
type Answer = (request: SeenRequest, response: http.ServerResponse) => void;

/** A server that remembers every request and answers what it is told to. Close it. */
export class RecordingUpstream {
  readonly seen: SeenRequest[] = [];
  answer: Answer = answerOk;
  readonly #server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method = '', url = '', headers } = request;
    const seen = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') };
    this.seen.push(seen);
    this.answer(seen, response);
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/upstream`;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

/** Echoes the id of the request with an empty result. */
export const answerOk: Answer = (request, response) => {
  const { id } = request.body ? JSON.parse(request.body) : { id: undefined };
  if (id === undefined) response.writeHead(202).end();
  else
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } }));
};

/** A stateful SDK 1.x server: sessions, a listening stream, and a call that takes its time. Close it. */
export async function startSessionServer(): Promise<{
  url: string;
  sessions: Set<string>;
  close(): Promise<void>;
}> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const sessions = new Set<string>();
  const describe = () => {
    const server = new McpServer({ name: 'sessions', version: '1' }, { capabilities: { logging: {} } });
    server.registerTool('echo', { inputSchema: { text: z.string() } }, async ({ text }) => ({
      content: [{ type: 'text', text }],
    }));
    server.registerTool('hidden', {}, async () => ({ content: [] }));
    server.registerTool('slow', {}, async ({ sendNotification, _meta }) => {
      for (let step = 1; step <= 100; step++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        await sendNotification({
          method: 'notifications/progress',
          params: { progressToken: _meta?.progressToken ?? 'none', progress: step, total: 100 },
        });
      }
      return { content: [{ type: 'text', text: 'done' }] };
    });
    server.registerPrompt('secret-prompt', {}, async () => ({ messages: [] }));
    server.registerResource('secret', 'test://secret', {}, async () => ({ contents: [] }));
    return server;
  };
  const http_ = http.createServer(async (request, response) => {
    const id = request.headers['mcp-session-id'];
    let transport = typeof id === 'string' ? transports.get(id) : undefined;
    if (!transport && typeof id === 'string') {
      response.writeHead(404).end();
      return;
    }
    if (!transport) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (sessionId) => {
          if (transport) transports.set(sessionId, transport);
          sessions.add(sessionId);
        },
        onsessionclosed: (sessionId) => void sessions.delete(sessionId),
      });
      await describe().connect(transport);
    }
    await transport.handleRequest(request, response);
  });
  await new Promise<void>((resolve) => http_.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http_.address() as AddressInfo).port}/mcp`,
    sessions,
    close: () =>
      new Promise((resolve) => {
        http_.close(() => resolve());
        http_.closeAllConnections();
      }),
  };
}
