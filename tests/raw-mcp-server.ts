import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type RawMcpServer = { url: string; requests: () => number; close(): Promise<void> };

/**
 * An MCP server of the 2025 revision that says what it is told to, byte for byte: what a server made with a library would
 * never say. `list` answers a `tools/list` with the JSON text of its result; `answer` takes over before anything else.
 */
export async function startRawMcpServer(options: {
  list?(cursor: string | undefined): string | Promise<string>;
  answer?(request: IncomingMessage, response: ServerResponse): void;
}): Promise<RawMcpServer> {
  let requests = 0;
  const http = createServer(async (request, response) => {
    requests += 1;
    if (options.answer) return options.answer(request, response);
    if (request.method !== 'POST') return response.writeHead(405).end();
    let text = '';
    for await (const chunk of request) text += chunk;
    const { id, method, params } = JSON.parse(text);
    if (id === undefined) return response.writeHead(202).end();
    const result =
      method === 'initialize'
        ? JSON.stringify({
            protocolVersion: params.protocolVersion,
            capabilities: { tools: {} },
            serverInfo: { name: 'raw', version: '1' },
          })
        : method === 'tools/list'
          ? await options.list?.(params?.cursor)
          : undefined;
    const outcome = result === undefined ? '"error":{"code":-32601,"message":"no"}' : `"result":${result}`;
    response.writeHead(200, { 'content-type': 'application/json' });
    return response.end(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${outcome}}`);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    requests: () => requests,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
