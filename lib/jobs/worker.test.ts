import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { notify } from '#lib/audit/notify.ts';
import { insertEvents, recordEvent, toEventRow } from '#lib/audit/record.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createLogger } from '#lib/platform/log.ts';
import { createApprovedAgent } from '../../tests/credentials-world.ts';
import { testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { compareState, findUnaccounted } from './compare-state.ts';
import { verifyHistory } from './verify-history.ts';
import { type RunningWork, startWork } from './worker.ts';

const log = createLogger({ level: 'silent' });
let database: TestDatabase;
let work: RunningWork | null = null;
const vault = openVault(randomBytes(32));
const newCtx = (name = 'test'): Ctx =>
  testCtx(database.db, systemActor(`job ${name}`), { clock: systemClock, vault });

beforeEach(async () => {
  database = await createTestDatabase({ prisma: 5, hot: 4, emergency: 2 });
});
afterEach(async () => {
  await work?.close();
  work = null;
  await database.drop();
});

const start = (environment: Record<string, string> = {}) =>
  startWork({
    config: parseConfig({ LOG_LEVEL: 'silent', ...environment }, { workingFolder: '/' }),
    databaseUrls: database.urls,
    newCtx,
    log,
  });

/** The events with which the product would have made this agent. */
async function account(agent: { agentId: string; bindingId: string; serverId: string }): Promise<void> {
  const ctx = newCtx();
  await withTransaction(ctx, async (tx) => {
    for (const [kind, subjectId] of [
      ['agent.create', agent.agentId],
      ['agent.activate', agent.agentId],
      ['binding.create', agent.bindingId],
    ] as const) {
      await recordEvent(tx, ctx, { kind, subjectId, agentId: agent.agentId, serverId: agent.serverId });
    }
  });
}

test('a worker orders history, verifies it, delivers messages and looks again after a stop', async () => {
  const mails: string[] = [];
  const mailServer = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.write('220 hi\r\n');
    let data = false;
    socket.on('data', (chunk) => {
      const text = chunk.toString();
      if (data || /\r\n\.\r\n$/.test(text)) {
        mails.push(text);
        data = false;
        socket.write('250 taken\r\n');
      } else if (/^DATA/i.test(text)) {
        data = true;
        socket.write('354 go\r\n');
      } else socket.write(/^QUIT/i.test(text) ? '221 bye\r\n' : '250 fine\r\n');
    });
  });
  await new Promise<void>((resolve) => mailServer.listen(0, '127.0.0.1', resolve));
  const olive = await addPerson(database.db, 'olive', ['owner']);
  await ensureSigningKeys(newCtx());
  const sound = await createApprovedAgent(newCtx());
  await account(sound);
  const forged = await createApprovedAgent(newCtx());
  const ctx = newCtx();
  await withTransaction(ctx, (tx) =>
    notify(tx, ctx, {
      personIds: [olive.personId],
      kind: 'request.approve',
      title: 'Approved',
      body: 'Go on.',
      href: '/requests/req_1',
    }),
  );

  work = await start({
    COUNTERSIGN_SMTP_URL: `smtp://127.0.0.1:${(mailServer.address() as AddressInfo).port}`,
  });
  const { prisma } = database.db;
  await expect.poll(() => mails.length, { timeout: 15_000 }).toBe(1);
  await expect
    .poll(async () => (await prisma.agent.findUniqueOrThrow({ where: { id: forged.agentId } })).state, {
      timeout: 15_000,
    })
    .toBe('suspended');
  expect((await prisma.agent.findUniqueOrThrow({ where: { id: sound.agentId } })).state).toBe('active');
  await expect
    .poll(
      async () =>
        (await prisma.revocation.findFirst({ where: { targetId: forged.agentId } }))?.sweptAt ?? null,
      {
        timeout: 15_000,
      },
    )
    .not.toBeNull();
  await expect
    .poll(async () => (await prisma.auditVerification.findFirst())?.outcome, { timeout: 15_000 })
    .toBe('intact');
  await expect
    .poll(async () => (await prisma.auditLeaf.count()) - (await prisma.auditEvent.count()), {
      timeout: 15_000,
    })
    .toBe(0);
  await new Promise<void>((resolve) => mailServer.close(() => resolve()));
});

describe('state is what history says', () => {
  test('whatever has no event is found, by what it is', async () => {
    const ctx = newCtx();
    const agent = await createApprovedAgent(ctx);
    expect((await findUnaccounted(ctx)).map((row) => row.what).sort()).toEqual([
      'agent',
      'state of the agent',
      'tool binding',
    ]);
    await account(agent);
    expect(await findUnaccounted(ctx)).toEqual([]);
    await database.db.prisma.credential.create({
      data: {
        id: 'crd_forged',
        kind: 'access token',
        agentId: agent.agentId,
        instanceId: agent.instanceId,
        clientId: agent.clientId,
        serverId: agent.serverId,
        bindingId: agent.bindingId,
        bindingVersion: 1,
        epoch: 1,
        grantKind: 'code',
        tokenDigest: 'x',
        audience: agent.resource,
        kid: 'x',
        issuedAt: new Date(),
        expiresAt: new Date(Date.now() + 60_000),
      },
    });
    expect(await findUnaccounted(ctx)).toEqual([
      { agentId: agent.agentId, what: 'credential', id: 'crd_forged' },
    ]);
    await compareState(ctx, null, { log } as never);
    const after = await database.db.prisma.agent.findUniqueOrThrow({ where: { id: agent.agentId } });
    expect(after).toMatchObject({ state: 'suspended', epoch: 2 });
    const event = await database.db.prisma.auditEvent.findFirst({ where: { kind: 'agent.suspend' } });
    expect(event?.reason).toContain('crd_forged');
    // A second run finds it stopped already and changes nothing.
    await compareState(ctx, null, { log } as never);
    expect(await database.db.prisma.revocation.count()).toBe(1);
  });

  test('an agent set back to work around the product is stopped again', async () => {
    const ctx = newCtx();
    const agent = await createApprovedAgent(ctx);
    await account(agent);
    await withTransaction(ctx, (tx) =>
      recordEvent(tx, ctx, { kind: 'agent.suspend', subjectId: agent.agentId, agentId: agent.agentId }),
    );
    expect((await findUnaccounted(ctx)).map((row) => row.what)).toEqual(['state of the agent']);
  });
});

test('a history that does not verify is shown and told once, and so is its mending', async () => {
  const ctx = newCtx();
  await ensureSigningKeys(ctx);
  const audrey = await addPerson(database.db, 'audrey', ['auditor']);
  await addPerson(database.db, 'olive', ['owner']);
  const row = toEventRow(ctx, { kind: 'agent.create', subjectId: 'agt_1' });
  await database.db.hot.query(insertEvents('$1'), [JSON.stringify([row])]);
  work = await start();
  await expect.poll(() => database.db.prisma.auditCheckpoint.count(), { timeout: 10_000 }).toBeGreaterThan(0);
  await work.close();
  work = null;
  const run = () => verifyHistory(ctx, null, { historyUrl: database.urls.gate, log });
  expect(await run()).toMatchObject({ outcome: 'intact' });
  const superuser = new pg.Client({ connectionString: database.superuserUrl });
  await superuser.connect();
  await superuser.query('SET session_replication_role = replica');
  await superuser.query(`UPDATE audit_event SET reason = 'altered' WHERE id = $1`, [row.id]);
  expect((await run()).outcome).toBe('broken');
  await run();
  const told = () => database.db.prisma.notification.findMany({ orderBy: { id: 'asc' } });
  expect((await told()).map((each) => [each.personId, each.title])).toEqual([
    [audrey.personId, 'History does not verify'],
  ]);
  await superuser.query(`UPDATE audit_event SET reason = '' WHERE id = $1`, [row.id]);
  await superuser.end();
  expect((await run()).outcome).toBe('intact');
  expect((await told()).map((each) => each.title)).toEqual([
    'History does not verify',
    'History verifies again',
  ]);
});
