import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { forgetStandings } from '#lib/credentials/standing.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault, randomToken } from '#lib/platform/crypto.ts';
import { type Db, openDb } from '#lib/platform/db.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { type ApprovedAgent, createApprovedAgent, deliveredCode } from '../../tests/credentials-world.ts';
import { testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { type Form, type TokenBody, tokenClient } from '../../tests/token-client.ts';
import { WireProxy } from '../../tests/wire-proxy.ts';
import { type RunningGate, startGate } from '../main.ts';

/**
 * The connection to PostgreSQL is cut at every message of the exchange that answers a token request (T66). Whatever is
 * cut: what was acknowledged is stored, every stored token has its event, and what was not stored used nothing up.
 */

const config = parseConfig({ PORT: '27020', LOG_LEVEL: 'silent' }, { workingFolder: '/' });
let database: TestDatabase;
let proxy: WireProxy;
let db: Db;
let running: RunningGate;

beforeAll(async () => {
  database = await createTestDatabase();
  const through = await WireProxy.start(database.urls.gate);
  proxy = through.proxy;
  db = openDb(through.url, { prisma: 2, hot: 2, emergency: 1 });
  await database.db.prisma.installation.create({
    data: { id: 1, issuer: config.issuer, createdAt: new Date() },
  });
  running = await startGate({
    config,
    db,
    vault,
    log: createLogger({ level: 'silent' }),
    startSecret: randomToken(),
    console: null,
    verbSocket: null,
  });
  await ensureSigningKeys(direct());
});
afterAll(async () => {
  await running?.close();
  await db?.close();
  await proxy?.close();
  await database?.drop();
});

const vault = openVault(Buffer.from(randomToken(), 'base64url'));
/** Past the proxy: what the test itself sets up and looks at. */
const direct = () => testCtx(database.db, systemActor('test'), { clock: systemClock, vault });

type Reply = { status: number; headers: Record<string, string>; text: string; json(): TokenBody };
async function ask(
  at: string,
  options: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
): Promise<Reply> {
  const answer = await fetch(`${config.issuer}${at}`, { ...options, body: options.body as string });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    text,
    json: () => JSON.parse(text),
  };
}
const client = () => tokenClient({ ask, issuer: config.issuer, running } as never);
const post = (form: Form) => client().post('/token', form) as unknown as Promise<Reply>;

async function byAssertion(): Promise<{ agent: ApprovedAgent; form: Form }> {
  const agent = await createApprovedAgent(direct(), { authMethod: 'private_key_jwt' });
  const form = {
    grant_type: 'client_credentials',
    client_id: agent.clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await client().assertion(agent),
  };
  return { agent, form };
}

async function byCode(): Promise<{ agent: ApprovedAgent; form: Form }> {
  const agent = await createApprovedAgent(direct());
  const { code, verifier } = await deliveredCode(direct(), agent);
  const form = {
    grant_type: 'authorization_code',
    client_id: agent.clientId,
    code,
    code_verifier: verifier,
    redirect_uri: agent.redirectUri,
  };
  return { agent, form };
}

async function byRefresh(): Promise<{ agent: ApprovedAgent; form: Form }> {
  const { agent, form } = await byCode();
  const { refresh_token } = (await post(form)).json();
  return { agent, form: { grant_type: 'refresh_token', client_id: agent.clientId, refresh_token } };
}

/** Ids of the stored tokens of an agent and of their issuance events; equal, or history is not what happened. */
async function stored(agent: ApprovedAgent): Promise<string[]> {
  const { prisma } = database.db;
  const [rows, events] = await Promise.all([
    prisma.credential.findMany({ where: { agentId: agent.agentId }, select: { id: true } }),
    prisma.auditEvent.findMany({
      where: { agentId: agent.agentId, kind: 'credential.issue' },
      select: { subjectId: true },
    }),
  ]);
  const ids = rows.map(({ id }) => id).sort();
  expect(events.map(({ subjectId }) => subjectId).sort()).toEqual(ids);
  return ids;
}

function idOf(answer: Reply): string {
  const [, payload = ''] = answer.json().access_token.split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()).jti;
}

describe.each([
  // What the same request gets a second time when the first, which nobody heard the answer of, was carried out.
  { grant: 'client credentials', prepare: byAssertion, repeated: [401] },
  { grant: 'an authorization code', prepare: byCode, repeated: [400] },
  { grant: 'a refresh token', prepare: byRefresh, repeated: [200] },
])('$grant', ({ prepare, repeated }) => {
  test.each(['before', 'within', 'with last words'] as const)(
    'is redeemed whole or not at all, cut %s any message',
    { timeout: 180_000 },
    async (where) => {
      const seen = { acknowledged: 0, stored: 0, nothing: 0 };
      const cuts = new Set<string>();
      for (let message = 1; ; message++) {
        const { agent, form } = await prepare();
        const before = await stored(agent);
        forgetStandings(db);
        proxy.arm({ message, where });
        const answer = await post(form);
        proxy.disarm();
        const after = await stored(agent);
        const at = [message, where, proxy.cutAt];
        if (answer.status === 200)
          expect([...at, after]).toEqual([...at, expect.arrayContaining([idOf(answer)])]);
        else {
          expect([...at, answer.status, answer.json().error]).toEqual([
            ...at,
            503,
            'temporarily_unavailable',
          ]);
          expect(answer.headers['retry-after']).toBeDefined();
        }
        if (proxy.cutAt === null) {
          expect(answer.status).toBe(200);
          break;
        }
        cuts.add(proxy.cutAt);
        const wasStored = after.length > before.length;
        if (answer.status === 200) seen.acknowledged++;
        else if (wasStored) seen.stored++;
        else seen.nothing++;
        const again = await post(form);
        expect([...at, again.status]).toEqual([...at, wasStored ? expect.toBeOneOf(repeated) : 200]);
        await stored(agent);
      }
      // Cuts that all fell on the same side of the commit would prove nothing.
      expect(seen.nothing).toBeGreaterThan(3);
      expect(seen.stored + seen.acknowledged).toBeGreaterThan(0);
      // Which messages an exchange has differs with what else the connections carry; both sides' must be among them.
      expect(new Set([...cuts].map((cut) => cut[0]))).toEqual(new Set(['>', '<']));
    },
  );
});
