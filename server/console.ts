import { timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import path from 'node:path';
import next from 'next';

/**
 * The console process: Next behind one loopback port that answers nobody without this start's secret, static files
 * included. Started as a child by server.ts, which gives it only what pages need: no signing key, no key-encryption
 * key, a database role that reads. It ends with its parent.
 */

const startSecretHeader = 'x-countersign-start';
const root = path.dirname(import.meta.dirname);

export type ConsoleOptions = { host: string; port: number; startSecret: string };

/** Resolves when pages can be served; the returned function stops taking requests and finishes those under way. */
export async function startConsole(options: ConsoleOptions): Promise<() => Promise<void>> {
  const secret = Buffer.from(options.startSecret);
  const application = next({
    dev: false,
    dir: root,
    hostname: options.host,
    port: options.port,
    quiet: true,
  });
  await application.prepare();
  const handle = application.getRequestHandler();

  const server = createServer((request, response) => {
    const given = Buffer.from(String(request.headers[startSecretHeader] ?? ''));
    if (given.length !== secret.length || !timingSafeEqual(given, secret)) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('Not here.\n');
      return;
    }
    handle(request, response).catch((error: unknown) => {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  // The gate keeps connections for 30 s; a console that closed them earlier would race its next request.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return async () => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeIdleConnections();
    });
    await application.close();
  };
}
