import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { BodyTooLarge, type GuardRequest } from './exchange.ts';
import { connectGuard, type GuardOptions, type RunningGuard } from './guard.ts';
import type { ServerFacts } from './protocol.ts';
import { protectedResourceMetadata, ResourceGuard } from './resource-guard.ts';
import { handlerUpstream } from './upstream-http.ts';

/**
 * A web-standard handler: the `fetch` of `createMcpHandler` (SDK 2.x), or the
 * `handleRequest` of `WebStandardStreamableHTTPServerTransport` (SDK 1.x).
 */
export type FetchHandler = (request: Request) => Promise<Response>;

export type GuardLibrary = RunningGuard & {
  /**
   * Guards a web-standard handler: the same twelve checks as the proxy, in
   * process. `server` is the id, name or resource URI it is enrolled under.
   */
  protect(server: string, handler: FetchHandler): FetchHandler;
  /** Protected resource metadata (RFC 9728), for the server to publish at its well-known path. */
  metadata(server: string): object;
};

/**
 * Makes a TypeScript MCP server its own enforcement point. Enrols with
 * `options.joinToken` the first time. Throws `EnrolmentError`.
 */
export async function connectLibrary(
  options: Omit<GuardOptions, 'upstreams' | 'listen'>,
): Promise<GuardLibrary> {
  const connected = await connectGuard(options);
  const { feed, reporter, issuer } = connected;
  const guards: ResourceGuard[] = [];

  const factsOf = (server: string): ServerFacts => {
    const known = [...connected.servers, ...[...feed.slices.values()].map((slice) => slice.server)];
    const found = known.find(({ id, name, resource }) => [id, name, resource].includes(server));
    if (!found) throw new TypeError(`this guard is not enrolled for ${server}`);
    return found;
  };
  const guardFor = (server: string, handler: FetchHandler): ResourceGuard => {
    const facts = factsOf(server);
    const { allowedOrigins } = options;
    const guard = new ResourceGuard({
      server: facts,
      feed,
      reporter,
      issuer,
      upstream: handlerUpstream(handler, facts.resource),
      ...(allowedOrigins ? { allowedOrigins } : {}),
    });
    guards.push(guard);
    return guard;
  };
  const protect = (server: string, handler: FetchHandler): FetchHandler => {
    const guard = guardFor(server, handler);
    const { host } = new URL(factsOf(server).resource);
    return async (request) => {
      // A page that rebound a name to this address still sends that name.
      if (new URL(request.url).host !== host)
        return new Response('This host is not served here.\n', { status: 403 });
      const answer = await guard.handle(fromWeb(request));
      const body =
        answer.body instanceof Readable
          ? (Readable.toWeb(answer.body) as unknown as ReadableStream)
          : (answer.body as BodyInit | null);
      return new Response(body, { status: answer.status, headers: answer.headers });
    };
  };

  return {
    ...connected,
    protect,
    metadata: (server) => protectedResourceMetadata(factsOf(server), issuer),
    async stop() {
      await Promise.all(guards.map((guard) => guard.close()));
      await connected.stop();
    },
  };
}

/**
 * Serves a protected handler from `node:http` or Express:
 * `app.all('/mcp', toNodeHandler(guard.protect('notes', handler)))`. It must come
 * before any body parser: the guard reads the bytes itself.
 */
export function toNodeHandler(
  handler: FetchHandler,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const url = new URL(
      (request as { originalUrl?: string }).originalUrl ?? request.url ?? '/',
      `http://${request.headers.host ?? 'unknown.invalid'}`,
    );
    const hasBody = request.method === 'POST';
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers))
      if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
    const answer = await handler(
      new Request(url, {
        method: request.method ?? 'GET',
        headers,
        signal: gone.signal,
        ...(hasBody ? { body: Readable.toWeb(request) as unknown as ReadableStream, duplex: 'half' } : {}),
      } as RequestInit),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (!answer.body) {
      response.end();
      return;
    }
    await pipeline(Readable.fromWeb(answer.body as NodeReadableStream), response).catch(() =>
      response.destroy(),
    );
  };
}

function fromWeb(request: Request): GuardRequest {
  return {
    method: request.method,
    headers: Object.fromEntries(request.headers),
    query: new URL(request.url).search.slice(1),
    signal: request.signal,
    address: null,
    async body(maxBytes) {
      if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw new BodyTooLarge();
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of request.body ?? []) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw new BodyTooLarge();
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
  };
}
