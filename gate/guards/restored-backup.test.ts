import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningGuard, startGuard } from '#guard/guard.ts';
import { RecordingUpstream } from '#guard/testing/upstreams.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault, randomToken } from '#lib/platform/crypto.ts';
import { type Db, openDb } from '#lib/platform/db.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { inviteGuard } from '#lib/revocation/guards.ts';
import { resumeIssuance } from '#lib/revocation/resume-issuance.ts';
import { revokeAgent, stopAgentInput } from '#lib/revocation/stop-agent.ts';
import { type ApprovedAgent, createApprovedAgent, createServer } from '../../tests/credentials-world.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { type TokenBody, tokenClient } from '../../tests/token-client.ts';
import { ctxOf } from '../context.ts';
import { type RunningGate, startGate } from '../main.ts';

/**
 * A backup is restored over a database in which somebody has been revoked since: what the guards do, what the gate
 * does, and how an admin puts it back to work (T32).
 */

const port = 27010;
const config = parseConfig({ PORT: String(port), LOG_LEVEL: 'silent' }, { workingFolder: '/' });
const vault = openVault(Buffer.from(randomToken(), 'base64url'));
const folder = mkdtempSync(path.join(tmpdir(), 'restored-'));
const upstream = new RecordingUpstream();
const sizes = { prisma: 4, hot: 4, emergency: 2 };
const copies: string[] = [];
let database: TestDatabase;
let gate: (RunningGate & { db: Db }) | null = null;
let guard: RunningGuard;

async function openGate(url: string): Promise<void> {
  const db = openDb(url, sizes);
  const running = await startGate({
    config,
    db,
    vault,
    log: createLogger({ level: 'silent' }),
    clock: systemClock,
    startSecret: randomToken(),
    console: null,
    verbSocket: null,
  });
  gate = { ...running, db };
}

async function closeGate(): Promise<void> {
  await gate?.close();
  await gate?.db.close();
  gate = null;
}

const open = () => {
  if (!gate) throw new TypeError('no gate runs');
  return gate;
};
const ctx = () => ctxOf(open().gate, { actor: systemActor('test') });

/** A copy of a database nobody is connected to: the backup, and later what is restored from it. */
async function copyOf(name: string): Promise<string> {
  const copy = `${name}_${copies.length}`;
  copies.push(copy);
  await asSuperuser(`CREATE DATABASE ${copy} TEMPLATE ${name} OWNER countersign_owner`);
  return copy;
}

async function asSuperuser(statement: string): Promise<void> {
  const url = new URL(database.superuserUrl);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query(statement).finally(() => client.end());
}

function urlOf(name: string): string {
  const url = new URL(database.urls.gate);
  url.pathname = `/${name}`;
  return url.href;
}

function client() {
  const { gate: inner } = open();
  const ask = async (
    at: string,
    options: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
  ) => {
    const answer = await fetch(`${config.issuer}${at}`, { ...options, body: options.body as string });
    const text = await answer.text();
    return { status: answer.status, headers: {}, text, json: () => JSON.parse(text) };
  };
  return tokenClient({ ask, issuer: config.issuer, running: { gate: inner } } as never);
}

const token = async (agent: ApprovedAgent) => client().credentials(agent, { resource: agent.resource });

async function call(agent: ApprovedAgent, accessToken: string): Promise<{ status: number; error?: number }> {
  const answer = await fetch(agent.resource, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${accessToken}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'read_note', arguments: {} },
    }),
  });
  const body = (await answer.json().catch(() => ({}))) as { error?: { code: number } };
  return { status: answer.status, ...(body.error ? { error: body.error.code } : {}) };
}

const stopped = async () =>
  (await open().db.prisma.installation.findUniqueOrThrow({ where: { id: 1 } })).issuanceStoppedAt;

beforeAll(async () => {
  database = await createTestDatabase(sizes);
  await database.db.prisma.installation.create({
    data: { id: 1, issuer: config.issuer, createdAt: new Date() },
  });
});
afterAll(async () => {
  await guard?.stop();
  await closeGate();
  await upstream.close();
  for (const copy of copies) await asSuperuser(`DROP DATABASE IF EXISTS ${copy} WITH (FORCE)`);
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

test('a restored backup gives nothing back, and an admin puts it to work again', {
  timeout: 90_000,
}, async () => {
  await openGate(database.urls.gate);
  await ensureSigningKeys(ctx());
  const admin = await addPerson(open().db, 'adam', ['admin']);
  const server = await createServer(ctx(), [{ name: 'read_note' }]);
  await open().db.prisma.mcpServer.update({
    where: { id: server.serverId },
    data: { upstreamUrl: await upstream.start() },
  });
  const [kept, ended] = [
    await createApprovedAgent(ctx(), { authMethod: 'private_key_jwt', server }),
    await createApprovedAgent(ctx(), { authMethod: 'private_key_jwt', server }),
  ];
  const { joinToken } = await inviteGuard(
    { ...ctx(), actor: admin },
    { name: 'one', serverIds: [server.serverId] },
  );
  guard = await startGuard({ stateDir: folder, joinToken });
  await guard.ready();
  const issued = await token(ended);
  expect([issued.status, issued.text]).toEqual([200, expect.anything()]);
  const before = issued.json() as TokenBody;
  expect((await call(ended, before.access_token)).status).toBe(200);

  // The backup is taken here; what follows is not in it.
  await closeGate();
  await database.db.close();
  const backup = await copyOf(database.name);
  await openGate(database.urls.gate);
  await expect.poll(() => guard.feed.lease.live(), { timeout: 15_000 }).toBe(true);
  await revokeAgent(ctx(), stopAgentInput.parse({ agentId: ended.agentId }));
  await expect.poll(async () => (await call(ended, before.access_token)).status).toBe(401);
  await closeGate();

  // Restored: the guard refuses, and by its word issuance stops.
  let restored = await copyOf(backup);
  await openGate(urlOf(restored));
  await expect.poll(stopped, { timeout: 20_000 }).not.toBeNull();
  expect(await call(ended, before.access_token)).not.toEqual({ status: 200 });
  expect(guard.feed.lease.live()).toBe(false);
  const refused = await token(kept);
  expect([refused.status, refused.json().error]).toEqual([503, 'temporarily_unavailable']);

  // An admin resumes. Nothing has ended `ended` again, and still the guard refuses what it once refused.
  const reason = 'Compared with the checkpoint of Monday.';
  await resumeIssuance({ ...ctx(), actor: { ...admin, elevatedAt: ctx().clock.now() } }, { reason });
  await expect.poll(() => guard.feed.lease.live(), { timeout: 20_000 }).toBe(true);
  const good = await token(kept);
  expect(good.status).toBe(200);
  expect(await call(kept, (good.json() as TokenBody).access_token)).toEqual({ status: 200 });
  expect((await call(ended, before.access_token)).status).toBe(401);
  const revived = await token(ended);
  expect(revived.status).toBe(200);
  expect((await call(ended, (revived.json() as TokenBody).access_token)).status).toBe(401);
  expect(await stopped()).toBeNull();

  // The same backup a second time is older than the resumption: told as well, and resumed above both.
  await closeGate();
  restored = await copyOf(backup);
  await openGate(urlOf(restored));
  await expect.poll(stopped, { timeout: 20_000 }).not.toBeNull();
  await resumeIssuance({ ...ctx(), actor: { ...admin, elevatedAt: ctx().clock.now() } }, { reason });
  await expect.poll(() => guard.feed.lease.live(), { timeout: 20_000 }).toBe(true);
  const { feedGeneration } = await open().db.prisma.installation.findUniqueOrThrow({ where: { id: 1 } });
  expect(feedGeneration).toBe(3);
  expect(await stopped()).toBeNull();
  expect((await call(ended, before.access_token)).status).toBe(401);
});
