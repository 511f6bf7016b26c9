import http from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { UpstreamRequest, UpstreamResponse, UpstreamServer } from './exchange.ts';

/** How long a server may take until it starts to answer; calls that work for longer should stream. */
const answerTimeoutMs = 300_000;

/**
 * A server reached over HTTP. Its own credential comes from the gate, opened
 * only here; redirects are not followed, so it goes nowhere else.
 */
export function httpUpstream(url: string, credential: Readonly<Record<string, string>>): UpstreamServer {
  const target = new URL(url);
  const client = target.protocol === 'https:' ? https : http;
  const agent = new client.Agent({ keepAlive: true, maxSockets: 512 });
  return {
    send: (request) =>
      new Promise<UpstreamResponse>((resolve, reject) => {
        const outgoing = client.request(
          target,
          {
            agent,
            method: request.method,
            headers: {
              ...request.headers,
              ...credential,
              ...(request.body === null ? {} : { 'content-length': String(Buffer.byteLength(request.body)) }),
            },
            signal: request.signal,
          },
          (answer) => {
            outgoing.setTimeout(0);
            resolve({ status: answer.statusCode ?? 502, headers: firstValues(answer), body: answer });
          },
        );
        outgoing.setTimeout(answerTimeoutMs, () => outgoing.destroy(new Error('the server does not answer')));
        outgoing.on('error', reject);
        outgoing.end(request.body ?? undefined);
      }),
    close: async () => agent.destroy(),
  };
}

function firstValues(answer: http.IncomingMessage): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(answer.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
}

/** For the library: the guarded handler is in the same process. */
export function handlerUpstream(
  handler: (request: Request) => Promise<Response>,
  resource: string,
): UpstreamServer {
  return {
    async send({ method, headers, body, signal }: UpstreamRequest) {
      const response = await handler(
        new Request(resource, { method, headers, signal, ...(body === null ? {} : { body }) }),
      );
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: response.body ? Readable.fromWeb(response.body as NodeReadableStream) : Readable.from([]),
      };
    },
    close: async () => {},
  };
}
