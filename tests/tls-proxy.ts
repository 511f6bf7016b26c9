import { request as plainRequest } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { selfSignedCertificate } from './certificate.ts';

export type TlsProxy = {
  port: number;
  /** A request through the proxy, whose names only it knows. */
  ask(
    url: string,
    options?: { method?: string; headers?: Record<string, string>; body?: string },
  ): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; text: string }>;
  close(): Promise<void>;
};

/**
 * What the guide asks of a TLS proxy and nothing more: it ends TLS for both names, keeps Host, sets X-Forwarded-For
 * to the client it saw (one from a documentation network here), and passes bytes on as they come.
 */
export async function startTlsProxy(options: {
  port: number;
  names: readonly string[];
  upstreamPort: number;
  clientAddress: string;
}): Promise<TlsProxy> {
  const { key, cert } = selfSignedCertificate(options.names);
  const server = createServer({ key, cert }, (incoming, outgoing) => {
    const upstream = plainRequest(
      {
        host: '127.0.0.1',
        port: options.upstreamPort,
        method: incoming.method,
        path: incoming.url,
        headers: { ...incoming.headers, 'x-forwarded-for': options.clientAddress },
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(outgoing);
      },
    );
    upstream.on('error', () => outgoing.destroy());
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  });
  await new Promise<void>((resolve) => server.listen(options.port, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    ask: (url, { method = 'GET', headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const { hostname, host, pathname, search } = new URL(url);
        const outgoing = request(
          {
            host: '127.0.0.1',
            port,
            servername: hostname,
            ca: cert,
            method,
            path: `${pathname}${search}`,
            headers: { host, ...headers },
            agent: false,
          },
          (answer) => {
            let text = '';
            answer.setEncoding('utf8').on('data', (piece: string) => {
              text += piece;
            });
            answer.on('end', () =>
              resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }),
            );
          },
        );
        outgoing.on('error', reject);
        outgoing.end(body);
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
