import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { plainAnswer } from './answers.ts';
import { BodyTooLarge, type GuardRequest, type GuardResponse } from './exchange.ts';
import { corsHeaders } from './mcp-headers.ts';
import type { ResourceGuard } from './resource-guard.ts';

const metadataPrefix = '/.well-known/oauth-protected-resource';
/** Headers of which a second one is an attempt to be read in two ways. */
const singleHeaders = new Set([
  'authorization',
  'content-length',
  'content-type',
  'host',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'origin',
  'transfer-encoding',
]);

/** One object for all, because making an exception for each call is not cheap. */
const callerGone = new Error('the caller went away');

type Route = { resource: URL; guard: ResourceGuard };
export type ListenAddress = { host: string; port: number };

/**
 * The HTTP face of the guard. Routes by Host header and path, both compared as
 * they were sent: another spelling of a path is another path, and there is
 * nothing at it.
 */
export class GuardProxy {
  readonly #listeners = new Map<string, { server: http.Server; routes: Map<string, Route> }>();
  readonly #listenFor: (resource: URL) => ListenAddress;

  /** `listenFor` says where a resource is served; by default at the address its URL names, on loopback. */
  constructor(listenFor: (resource: URL) => ListenAddress = listenOnLoopback) {
    this.#listenFor = listenFor;
  }

  /** Serves a resource. Rejects when the address cannot be listened on. */
  async serve(resource: string, guard: ResourceGuard): Promise<AddressInfo> {
    const url = new URL(resource);
    const address = this.#listenFor(url);
    const key = `${address.host}:${address.port}`;
    let listener = this.#listeners.get(key);
    if (!listener) {
      const routes = new Map<string, Route>();
      const server = this.#createServer(routes);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(address.port, address.host, resolve);
      });
      listener = { server, routes };
      this.#listeners.set(key, listener);
    }
    listener.routes.set(routeKey(url.host, url.pathname), { resource: url, guard });
    return listener.server.address() as AddressInfo;
  }

  withdraw(resource: string): void {
    const url = new URL(resource);
    for (const { routes } of this.#listeners.values()) routes.delete(routeKey(url.host, url.pathname));
  }

  async close(): Promise<void> {
    const closing = [...this.#listeners.values()].map(
      ({ server }) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    this.#listeners.clear();
    await Promise.all(closing);
  }

  #createServer(routes: ReadonlyMap<string, Route>): http.Server {
    const server = http.createServer((request, response) => {
      void respond(request, response, routes);
    });
    server.requestTimeout = 60_000;
    server.headersTimeout = 10_000;
    server.keepAliveTimeout = 65_000;
    return server;
  }
}

async function respond(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  routes: ReadonlyMap<string, Route>,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort(callerGone);
  });
  let answer: GuardResponse;
  try {
    answer = await route(request, routes, gone.signal);
  } catch {
    answer = plainAnswer(500, 'The guard failed; nothing was passed on.');
  }
  if (response.destroyed) {
    if (answer.body instanceof Readable) answer.body.destroy();
    return;
  }
  const { body } = answer;
  try {
    if (body instanceof Readable) {
      response.writeHead(answer.status, answer.headers);
      if (isStream(answer)) response.flushHeaders();
      await pipeline(body, response);
    } else {
      const bytes = body === null ? null : Buffer.from(body);
      if (bytes) answer.headers['content-length'] = String(bytes.length);
      response.writeHead(answer.status, answer.headers);
      response.end(bytes ?? undefined);
    }
  } catch {
    // Cut from here or gone there: either way there is nobody to tell.
    response.destroy();
  }
  // A body nobody read would be taken for the next request.
  if (!request.complete) request.resume();
}

/** Whether the caller should see the start before there is more. */
function isStream({ headers }: GuardResponse): boolean {
  return headers['content-type']?.startsWith('text/event-stream') ?? false;
}

async function route(
  request: http.IncomingMessage,
  routes: ReadonlyMap<string, Route>,
  gone: AbortSignal,
): Promise<GuardResponse> {
  if (hasRepeatedHeader(request.rawHeaders)) return plainAnswer(400, 'A header is repeated.');
  const host = request.headers.host?.toLowerCase() ?? '';
  const [path = '', query = ''] = splitOnce(request.url ?? '', '?');
  const atHost = [...routes.values()].filter(({ resource }) => resource.host === host);
  if (atHost.length === 0) return plainAnswer(403, 'This host is not served here.');
  if (path.startsWith('/.well-known/')) return metadata(request.method ?? '', path, atHost);
  const target = routes.get(routeKey(host, path));
  if (!target) return plainAnswer(404, 'There is nothing here.');
  return target.guard.handle(toGuardRequest(request, query, gone));
}

/** RFC 9728 §3.1: at the path form, and at the root form where one resource only could be meant. */
function metadata(method: string, path: string, atHost: readonly Route[]): GuardResponse {
  const found =
    path === metadataPrefix && atHost.length === 1
      ? atHost[0]
      : atHost.find(
          ({ resource }) => path === metadataPrefix + (resource.pathname === '/' ? '' : resource.pathname),
        );
  if (!found) return plainAnswer(404, 'There is nothing here.', { ...corsHeaders });
  if (method === 'OPTIONS')
    return {
      status: 204,
      headers: { ...corsHeaders, 'access-control-allow-headers': 'MCP-Protocol-Version' },
      body: null,
    };
  if (method !== 'GET' && method !== 'HEAD')
    return plainAnswer(405, 'Method not allowed.', { allow: 'GET, HEAD' });
  return {
    status: 200,
    headers: { ...corsHeaders, 'content-type': 'application/json', 'cache-control': 'no-cache' },
    body: method === 'HEAD' ? null : JSON.stringify(found.guard.metadata()),
  };
}

function toGuardRequest(request: http.IncomingMessage, query: string, signal: AbortSignal): GuardRequest {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  return {
    method: request.method ?? '',
    headers,
    query,
    signal,
    address: request.socket.remoteAddress ?? null,
    body: (maxBytes) => readBody(request, maxBytes),
  };
}

async function readBody(request: http.IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new BodyTooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

function hasRepeatedHeader(rawHeaders: readonly string[]): boolean {
  const seen = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (!singleHeaders.has(name)) continue;
    if (seen.has(name)) return true;
    seen.add(name);
  }
  return false;
}

function routeKey(host: string, path: string): string {
  return `${host} ${path}`;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** A resource on another machine's name needs to be told where to listen. */
function listenOnLoopback(resource: URL): ListenAddress {
  const { hostname, protocol, port } = resource;
  const host = hostname === '[::1]' ? '::1' : '127.0.0.1';
  const onLoopback =
    ['127.0.0.1', 'localhost', '[::1]'].includes(hostname) || hostname.endsWith('.localhost');
  if (protocol !== 'http:' || !onLoopback)
    throw new TypeError(`${resource.href} is not on loopback: configure where its guard listens`);
  return { host, port: Number(port || 80) };
}
