import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import pg from 'pg';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { logOrigin } from '#lib/audit/checkpoint.ts';
import { verifyLog } from '#lib/audit/verify.ts';
import { checkpointVerifiers } from '#lib/jobs/verify-history.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import { openDb } from '#lib/platform/db.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { reachDatabase } from '../../server/reach-database.ts';
import { type Product, startProduct } from '../../tests/product.ts';
import { buildRequestsWorld, purpose, type RequestsWorld } from '../../tests/requests-world.ts';

/** A keyed agent that was approved, as its holder knows it. */
export type KeyedAgent = { agentId: string; clientId: string; key: CryptoKey };
export type Filing = { name: string; body: object; key: CryptoKey };
export type MintedToken = { agent: KeyedAgent; token: string; jti: string; expiresAtMs: number };

/** The whole product with people who can file and approve, driven over HTTP, and a look into its database. */
export type CrashTown = {
  product: Product;
  world: Pick<RequestsWorld, 'serverId' | 'resource'>;
  /** Answers that said the product is broken, which a database that dies is no reason for. */
  failures: readonly string[];
  /** Calls REST as a person. Throws when no answer came. */
  call(
    who: 'olive' | 'ava',
    method: string,
    path: string,
    body?: object,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  register(name: string): Promise<string>;
  /** A request for a keyed agent, ready to be sent; the key stays with the caller. */
  prepareFiling(name: string): Promise<Filing>;
  /** Files and submits it. */
  file(filing: Filing, idempotencyKey: string): Promise<{ requestId: string; agentId: string }>;
  approve(requestId: string): Promise<void>;
  clientOf(agentId: string): Promise<string>;
  mint(agent: KeyedAgent): Promise<MintedToken>;
  giveUp(minted: MintedToken): Promise<void>;
  revoke(agentId: string): Promise<void>;
  /** Rows of a query against the product's own database, as its owner. */
  sql<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  /** What a reader of the whole log finds wrong with it; null when nothing is. */
  historyProblem(): Promise<string | null>;
  /** Kills the gate's process, or PostgreSQL, without a warning, and waits until all of it runs again. */
  crash(what: 'gate' | 'postgres'): Promise<void>;
  stop(): Promise<void>;
};

/** Thrown where an answer came and was not the one of success: the product said that nothing happened. */
export class Refused extends Error {}

const readyWithinMs = 60_000;

/** Budgets a crash loop never meets. */
const unlimited = {
  COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '1000000',
  COUNTERSIGN_REGISTRATIONS_PER_MINUTE: '1000000',
  COUNTERSIGN_UNCLAIMED_PER_SOURCE: '1000000',
  COUNTERSIGN_UNCLAIMED_CLIENTS: '1000000',
};

export async function openCrashTown(settings: Record<string, string> = unlimited): Promise<CrashTown> {
  const environment = { ...settings, LOG_LEVEL: 'error' };
  let product = await startProduct({ environment });
  const config = parseConfig(
    { ...environment, PORT: String(product.port), COUNTERSIGN_DATA: product.dataFolder },
    { workingFolder: '/' },
  );
  const log = createLogger({ level: 'fatal' });
  const site = {
    issuer: product.issuer,
    consoleOrigin: product.consoleOrigin,
    environment: 'sandbox' as const,
    demo: false,
  };

  const { world, tokens } = await (async () => {
    const database = await reachDatabase(config, log, { command: 'a test' });
    const db = openDb(database.databaseUrls.gate, { prisma: 4, hot: 2, emergency: 1 });
    try {
      const built = await buildRequestsWorld(db);
      const made: Record<string, string> = {};
      for (const who of ['olive', 'ava'] as const) {
        const ctx = built.as(built[who], { clock: systemClock });
        made[who] = (await createApiToken(ctx, { name: 'Crash loop', days: 1 })).token;
      }
      return { world: { serverId: built.serverId, resource: built.resource }, tokens: made };
    } finally {
      await db.close();
      await database.release();
    }
  })();

  const failures: { said: string; requestId: string }[] = [];
  /** What earlier processes printed. */
  let printed = '';

  async function answerOf(response: Response): Promise<{ status: number; body: Record<string, unknown> }> {
    const text = await response.text();
    return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
  }

  function succeeded(answer: { status: number; body: Record<string, unknown> }, what: string) {
    if (answer.status < 300) return answer.body;
    // Come back later: what happened may not be known there either. That is all a database that dies may lead to.
    const said = `${what}: ${answer.status} ${JSON.stringify(answer.body)}`;
    if (answer.status < 500) throw new Refused(said);
    if (answer.status !== 503) failures.push({ said, requestId: String(answer.body.requestId) });
    throw new Error(said);
  }

  /** What the product's log says of one request, once it has had time to arrive. */
  function loggedOf(requestId: string): string {
    return `${printed}${product.output()}`
      .split('\n')
      .filter((line) => line.includes(requestId))
      .join('\n');
  }

  const call: CrashTown['call'] = async (who, method, path, body, headers = {}) =>
    answerOf(
      await fetch(`${product.issuer}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${tokens[who]}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...headers,
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
      }),
    );

  async function post(path: string, form: Record<string, string>) {
    return answerOf(
      await fetch(`${product.issuer}${path}`, { method: 'POST', body: new URLSearchParams(form) }),
    );
  }

  async function authentication(agent: KeyedAgent): Promise<Record<string, string>> {
    const assertion = await new SignJWT({ jti: randomToken(12) })
      .setProtectedHeader({ alg: 'EdDSA' })
      .setIssuer(agent.clientId)
      .setSubject(agent.clientId)
      .setAudience(product.issuer)
      .setIssuedAt()
      .setExpirationTime('60s')
      .sign(agent.key);
    return {
      client_id: agent.clientId,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    };
  }

  async function withDatabase<T>(work: (client: pg.Client, url: string) => Promise<T>): Promise<T> {
    const database = await reachDatabase(config, log, { command: 'a test' });
    const client = new pg.Client({ connectionString: database.databaseUrls.owner });
    // PostgreSQL may be killed while it is asked: the query says so; without a listener the event would end the test.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client, database.databaseUrls.owner);
    } finally {
      await client.end();
      await database.release();
    }
  }

  async function until(holds: () => Promise<boolean>, otherwise: string): Promise<void> {
    const deadline = performance.now() + readyWithinMs;
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`${otherwise}:\n${product.output()}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  return {
    get product() {
      return product;
    },
    world,
    get failures() {
      return failures.map(({ said, requestId }) => `${said}\n${loggedOf(requestId)}`);
    },
    call,
    async register(name) {
      const answer = await answerOf(
        await fetch(`${product.issuer}/register`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ client_name: name, redirect_uris: ['http://127.0.0.1/callback'] }),
        }),
      );
      return String(succeeded(answer, 'register').client_id);
    },
    async prepareFiling(name) {
      const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
      const body = {
        kind: 'new',
        agentName: name,
        client: { kind: 'key', jwks: { keys: [{ ...(await exportJWK(pair.publicKey)), kid: name }] } },
        purpose,
        lifetimeSeconds: 8 * 3600,
        tools: ['list_notes', 'read_note'].map((tool) => ({ serverId: world.serverId, name: tool })),
        submit: true,
      };
      return { name, body, key: pair.privateKey };
    },
    async file({ body }, idempotencyKey) {
      const filed = succeeded(
        await call('olive', 'POST', '/requests', body, { 'idempotency-key': idempotencyKey }),
        'file',
      );
      return { requestId: String(filed.id), agentId: String(filed.agentId) };
    },
    async approve(requestId) {
      const review = succeeded(await call('ava', 'GET', `/requests/${requestId}/review`), 'review');
      const { snapshotDigest } = review;
      succeeded(await call('ava', 'POST', `/requests/${requestId}/approve`, { snapshotDigest }), 'approve');
    },
    async clientOf(agentId) {
      const [row] = await withDatabase(
        async (client) =>
          (
            await client.query<{ client_id: string }>('SELECT client_id FROM instance WHERE agent_id = $1', [
              agentId,
            ])
          ).rows,
      );
      return row?.client_id ?? '';
    },
    async mint(agent) {
      const form = {
        ...(await authentication(agent)),
        grant_type: 'client_credentials',
        resource: world.resource,
      };
      const token = String(succeeded(await post('/token', form), 'mint').access_token);
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
      return { agent, token, jti: claims.jti, expiresAtMs: claims.exp * 1000 };
    },
    async giveUp({ agent, token }) {
      succeeded(await post('/revoke', { ...(await authentication(agent)), token }), 'give up');
    },
    async revoke(agentId) {
      succeeded(await call('ava', 'POST', `/agents/${agentId}/revoke`, { reason: 'Crash loop' }), 'revoke');
    },
    sql: (text, values = []) => withDatabase(async (client) => (await client.query(text, values)).rows),
    historyProblem: () =>
      withDatabase(async (_client, url) => {
        const db = openDb(url, { prisma: 1, hot: 1, emergency: 1 });
        try {
          const found = await verifyLog({
            databaseUrl: url,
            origin: logOrigin(site),
            verifiers: await checkpointVerifiers({ db, site }),
            clock: systemClock,
          });
          return found.outcome === 'intact' ? null : `${found.firstBadPosition}: ${found.problem}`;
        } finally {
          await db.close();
        }
      }),
    async crash(what) {
      if (what === 'gate') {
        await product.kill();
        printed += product.output();
        product = await product.restart();
      } else {
        const killed = await product.postgresPid();
        process.kill(killed, 'SIGKILL');
        // Ready may still be said by who has not noticed yet: first another PostgreSQL must be there.
        await until(
          async () => (await product.postgresPid().catch(() => killed)) !== killed,
          'no new PostgreSQL',
        );
      }
      await until(
        async () => (await fetch(`${product.issuer}/readyz`).catch(() => null))?.status === 200,
        'not ready again',
      );
    },
    stop: () => product.stop(),
  };
}
