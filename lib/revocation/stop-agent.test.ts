import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemActor } from '#lib/platform/actor.ts';
import type { Db } from '#lib/platform/db.ts';
import { personActor, TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { listDueSweeps, readReceipt, sweepRevocation } from './receipt.ts';
import { revokeAgent, stopAgentInput, suspendAgent } from './stop-agent.ts';

let database: TestDatabase;
let agentId: string;
let count = 0;
const owner = personActor('per_owner', ['owner']);
const stranger = personActor('per_stranger', ['owner']);
const approver = personActor('per_approver', ['approver']);
const auditor = personActor('per_auditor', ['auditor']);
const clock = new TestClock();

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 4 });
  for (const person of [owner, stranger, approver, auditor]) {
    await database.db.prisma.person.create({
      data: {
        id: person.personId,
        subject: person.subject,
        email: `${person.personId}@example.com`,
        displayName: person.displayName,
        createdAt: clock.now(),
      },
    });
  }
});
afterAll(() => database.drop());
beforeEach(async () => {
  count += 1;
  agentId = `agt_${count}`;
  await liveAgent(database.db, agentId);
});

const ctx = (actor: Parameters<typeof testCtx>[1] = approver) => testCtx(database.db, actor, { clock });
const stop = (changes: Partial<typeof stopAgentInput._input> = {}) =>
  stopAgentInput.parse({ agentId, ...changes });
const agent = () => database.db.prisma.agent.findUniqueOrThrow({ where: { id: agentId } });
const familyState = async () =>
  (await database.db.prisma.refreshFamily.findFirstOrThrow({ where: { agentId } })).state;

/** An active agent with a binding, a refresh family, a live token and a guard in front of its server. */
async function liveAgent(db: Db, id: string): Promise<void> {
  const now = clock.now();
  const later = new Date(now.getTime() + 600_000);
  const server = `srv_${id}`;
  await db.prisma.mcpServer.create({
    data: { id: server, resource: `http://127.0.0.1/${id}`, name: id, createdAt: now },
  });
  await db.prisma.agent.create({
    data: {
      id,
      name: `Agent ${id}`,
      ownerId: owner.personId,
      softwareIdentity: id,
      softwareIdentityKind: 'self-asserted',
      clientClass: 'interactive',
      state: 'active',
      stateSince: now,
      createdAt: now,
    },
  });
  await db.prisma.client.create({
    data: {
      id: `client_${id}`,
      kind: 'dynamic',
      metadata: {},
      metadataDigest: id,
      fingerprint: id,
      redirectUris: [],
      tokenEndpointAuthMethod: 'none',
      grantTypes: [],
      sourceId: 'src_intake',
      custodian: 'intake',
      quarantineEndsAt: later,
      revocationHandle: id,
      registeredAt: now,
    },
  });
  await db.prisma.instance.create({
    data: {
      id: `ins_${id}`,
      clientId: `client_${id}`,
      ownerId: owner.personId,
      agentId: id,
      state: 'active',
      createdAt: now,
      stateSince: now,
    },
  });
  await db.prisma.toolBinding.create({
    data: {
      id: `bnd_${id}`,
      agentId: id,
      serverId: server,
      version: 1,
      requestId: 'req_x',
      revisionId: 'rev_x',
      grantedDigest: 'x',
      toolNames: ['read_note'],
      toolVersionIds: [],
      lifetimeSeconds: 600,
      validFrom: now,
      unusedEndsAt: later,
    },
  });
  await db.prisma.refreshFamily.create({
    data: {
      id: `fam_${id}`,
      instanceId: `ins_${id}`,
      clientId: `client_${id}`,
      agentId: id,
      serverId: server,
      resource: '',
      createdAt: now,
    },
  });
  await issueToken(db, id, `crd_${id}`, 1);
  await db.prisma.guard.create({
    data: {
      id: `grd_${id}`,
      name: `guard ${id}`,
      signingKey: {},
      encryptionKey: {},
      thumbprint: id,
      serverIds: [server],
      version: '1',
      enrolledAt: now,
      lastSeenAt: now,
    },
  });
}

async function issueToken(db: Db, id: string, jti: string, epoch: number): Promise<void> {
  const now = clock.now();
  await db.prisma.credential.create({
    data: {
      id: jti,
      kind: 'access token',
      agentId: id,
      instanceId: `ins_${id}`,
      clientId: `client_${id}`,
      serverId: `srv_${id}`,
      bindingId: `bnd_${id}`,
      bindingVersion: 1,
      epoch,
      grantKind: 'authorization_code',
      tokenDigest: jti,
      audience: '',
      tools: ['read_note'],
      kid: 'k',
      issuedAt: now,
      expiresAt: new Date(now.getTime() + 600_000),
    },
  });
}

describe('who may stop an agent', () => {
  test('its owner may', async () => {
    await suspendAgent(ctx(owner), stop());
    expect((await agent()).state).toBe('suspended');
  });

  test('another owner is told nothing about it', async () => {
    await expect(suspendAgent(ctx(stranger), stop())).rejects.toMatchObject({ code: 'not_found' });
    await expect(suspendAgent(ctx(stranger), stop({ agentId: 'agt_none' }))).rejects.toMatchObject({
      code: 'not_found',
    });
    expect((await agent()).state).toBe('active');
  });

  test('an auditor sees it and may not', async () => {
    await expect(revokeAgent(ctx(auditor), stop())).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('suspending', () => {
  test('raises the epoch, ends tokens and freezes families that an administrative cause may bring back', async () => {
    const { revocationId } = await suspendAgent(ctx(), stop({ reason: 'Under review' }));
    expect(await agent()).toMatchObject({ state: 'suspended', epoch: 2, stateCause: 'administrative' });
    expect(await familyState()).toBe('frozen');
    const receipt = await readReceipt(ctx(), revocationId);
    expect(receipt).toMatchObject({
      effect: 'suspend',
      reason: 'Under review',
      cascade: { tokens: 1, families: 1, familiesKept: true },
    });
    expect(receipt.blastRadius).toMatchObject({ liveTokens: 1, refreshFamilies: 1 });
  });

  test('kills families when the cause is a compromise', async () => {
    await suspendAgent(ctx(), stop({ cause: 'compromise' }));
    expect(await familyState()).toBe('ended');
  });

  test('tells the guards of its servers and nobody else, in sequence', async () => {
    await suspendAgent(ctx(), stop());
    const entries = await database.db.prisma.feedEntry.findMany({ where: { subject: agentId } });
    expect(entries).toEqual([
      expect.objectContaining({ kind: 'agent.changed', serverId: `srv_${agentId}`, sequence: 1n }),
    ]);
    expect(entries[0]?.value).toMatchObject({ agent: { state: 'suspended', epoch: 2 } });
  });

  test('leaves one event for the agent and one for each token, linked', async () => {
    await suspendAgent(ctx(), stop({ reason: 'Because' }));
    const events = await database.db.prisma.auditEvent.findMany({
      where: { agentId },
      orderBy: { id: 'asc' },
    });
    expect(events.map((event) => event.kind)).toEqual(['agent.suspend', 'credential.end']);
    expect(events[0]).toMatchObject({
      actorId: 'per_approver',
      reason: 'Because',
      after: { state: 'suspended', epoch: 2 },
    });
    expect(events[1]?.parentIds).toEqual([events[0]?.id]);
  });

  test('is refused for an agent that is not active', async () => {
    await revokeAgent(ctx(), stop());
    await expect(suspendAgent(ctx(), stop())).rejects.toMatchObject({
      code: 'conflict',
      detail: { state: 'revoked' },
    });
  });
});

describe('revoking', () => {
  test('ends bindings, instances and families for good', async () => {
    await revokeAgent(ctx(), stop());
    expect(await familyState()).toBe('ended');
    const binding = await database.db.prisma.toolBinding.findUniqueOrThrow({
      where: { id: `bnd_${agentId}` },
    });
    expect(binding).toMatchObject({ endCause: 'revoked' });
    const instance = await database.db.prisma.instance.findUniqueOrThrow({ where: { id: `ins_${agentId}` } });
    expect(instance.state).toBe('revoked');
  });

  test('wins once when twenty ask at the same time; the others are told so', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => revokeAgent(ctx(), stop())));
    expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' });
    }
    expect(await database.db.prisma.auditEvent.count({ where: { agentId, kind: 'agent.revoke' } })).toBe(1);
    expect((await agent()).epoch).toBe(2);
  });

  test('is found by the second look when a token was minted in the same instant', async () => {
    const { revocationId } = await revokeAgent(ctx(), stop());
    await issueToken(database.db, agentId, `late_${agentId}`, 1);
    expect(await listDueSweeps(ctx())).not.toContain(revocationId);
    clock.advanceSeconds(4);
    expect(await listDueSweeps(ctx())).toContain(revocationId);
    await sweepRevocation(ctx(systemActor('sweep')), revocationId);
    const late = await database.db.prisma.credential.findUniqueOrThrow({ where: { id: `late_${agentId}` } });
    expect(late.endCause).toBe('revoked');
    // Swept, but its guard has not answered: the receipt stays open and names it.
    const receipt = await readReceipt(ctx(), revocationId);
    expect(receipt.closedAt).toBeNull();
    expect(receipt.guards).toEqual([
      expect.objectContaining({ guardId: `grd_${agentId}`, acknowledgedAt: null }),
    ]);
  });
});

describe('a stop that meets a writer who holds the feed', () => {
  async function holding(work: (release: () => Promise<unknown>) => Promise<void>): Promise<void> {
    const holder = new pg.Client({ connectionString: database.urls.gate });
    await holder.connect();
    try {
      await database.db.hot.query(
        'INSERT INTO feed_head (server_id, sequence) VALUES ($1, 1) ON CONFLICT DO NOTHING',
        [`srv_${agentId}`],
      );
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM feed_head WHERE server_id = $1 FOR UPDATE', [`srv_${agentId}`]);
      await work(() => holder.query('ROLLBACK'));
    } finally {
      await holder.end();
    }
  }
  const waitsForLock = async () => {
    const { rows } = await database.db.hot.query(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows[0].waiting;
  };

  test('waits for it once more than the lock’s own limit, and happens', { timeout: 20_000 }, async () => {
    await holding(async (release) => {
      const stopping = revokeAgent(ctx(), stop());
      await expect.poll(waitsForLock, { timeout: 5_000 }).toBe(1);
      await expect.poll(waitsForLock, { timeout: 5_000, interval: 5 }).toBe(0);
      await release();
      expect(await stopping).toMatchObject({ revocationId: expect.any(String) });
      expect((await agent()).state).toBe('revoked');
    });
  });

  test('held for long, it says that it is to be tried again, and nothing happened', {
    timeout: 30_000,
  }, async () => {
    await holding(async () => {
      await expect(revokeAgent(ctx(), stop())).rejects.toMatchObject({ code: 'unavailable' });
      expect(await agent()).toMatchObject({ state: 'active', epoch: 1 });
    });
  });
});
