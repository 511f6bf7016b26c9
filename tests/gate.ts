import { type IncomingHttpHeaders, request } from 'node:http';
import { type Clock, systemClock } from '#lib/platform/clock.ts';
import { openVault, randomToken, type Vault } from '#lib/platform/crypto.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { type RunningGate, startGate } from '../gate/main.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

export type Answer = {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json(): Record<string, unknown>;
};
export type Ask = {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** The Host header; the issuer's unless given. */
  host?: string;
};

export type TestGate = {
  running: RunningGate;
  database: TestDatabase;
  vault: Vault;
  issuer: string;
  consoleOrigin: string;
  /** One request over a socket of its own. */
  ask(path: string, options?: Ask): Promise<Answer>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

/** A gate on its own port over its own database, without console: the protocol face as clients meet it. */
export async function startTestGate(
  port: number,
  environment: Record<string, string> = {},
  options: { clock?: Clock; verbSocket?: string; startSecret?: string; diskFolders?: string[] } = {},
): Promise<TestGate> {
  const database = await createTestDatabase({ prisma: 4, hot: 4, emergency: 2 });
  const config = parseConfig(
    { PORT: String(port), LOG_LEVEL: 'silent', ...environment },
    { workingFolder: '/' },
  );
  const vault = openVault(Buffer.from(randomToken(), 'base64url'));
  const running = await startGate({
    config,
    db: database.db,
    vault,
    log: createLogger({ level: 'silent' }),
    clock: options.clock ?? systemClock,
    startSecret: options.startSecret ?? randomToken(),
    console: null,
    verbSocket: options.verbSocket ?? null,
    diskFolders: options.diskFolders ?? [],
  });
  const issuerHost = new URL(config.issuer).host;
  const ask = (path: string, { method = 'GET', headers = {}, body, host = issuerHost }: Ask = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const outgoing = request(
        { host: '127.0.0.1', port: running.port, path, method, headers: { host, ...headers }, agent: false },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              text,
              json: () => JSON.parse(text),
            });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  const close = async () => {
    await running.close();
    await database.drop();
  };
  return {
    running,
    database,
    vault,
    issuer: config.issuer,
    consoleOrigin: config.consoleOrigin,
    ask,
    close,
    [Symbol.asyncDispose]: close,
  };
}
