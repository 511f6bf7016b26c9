import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addServer, addServerInput } from '#lib/catalogue/servers.ts';
import { introspectToken } from '#lib/credentials/introspect-token.ts';
import { mint } from '#lib/credentials/mint.ts';
import { createResourceToken } from '#lib/credentials/resource-tokens.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { judgeStanding, readStanding } from '#lib/credentials/standing.ts';
import { anonymous, systemActor } from '#lib/platform/actor.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import { newId } from '#lib/platform/ids.ts';
import { readyToApprove } from '../../tests/approvals.ts';
import { type ApprovedAgent, createApprovedAgent, createServer } from '../../tests/credentials-world.ts';
import { personActor } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  fileRequest,
  type RequestsWorld,
  stateOf,
} from '../../tests/requests-world.ts';
import { listRevocations } from './list-revocations.ts';
import { readReceipt, sweepAfterSeconds, sweepDue, sweepRevocation } from './receipt.ts';
import { readServerReach, retireServer } from './retire-server.ts';
import { revokeAgent } from './stop-agent.ts';

let database: TestDatabase;
let world: RequestsWorld;
let agent: ApprovedAgent;
let guardId: string;
const system = () => world.as(systemActor('test'));
const admin = () => world.as(world.adam);
const prisma = () => database.db.prisma;
const retire = (ctx = admin()) =>
  retireServer(ctx, { serverId: agent.serverId, reason: 'Replaced by another' });

/** What the token endpoint mints by, read while the server is in service. */
async function mintOrder() {
  const standing = await readStanding(system(), agent.clientId, agent.instanceId);
  const verdict = standing ? judgeStanding(standing, world.clock.now()) : null;
  const binding = standing?.bindings[0];
  if (!standing || verdict?.kind !== 'live' || !binding) throw new TypeError('not live');
  return () => ({
    standing: { ...standing, agent: verdict.agent, instance: verdict.instance },
    binding,
    tools: binding.tools.map((tool) => tool.name),
    subject: agent.clientId,
    familyId: null,
    grantKind: 'client_credentials' as const,
    spend: {
      kind: 'assertion' as const,
      key: randomToken(),
      expiresAt: new Date(world.clock.now().getTime() + 60_000),
    },
  });
}

/** A token as the mint leaves it behind that began before the stop. */
async function issue({ lifetimeSeconds = 300 } = {}): Promise<string> {
  const id = newId('credential');
  await prisma().credential.create({
    data: {
      id,
      kind: 'access token',
      agentId: agent.agentId,
      instanceId: agent.instanceId,
      clientId: agent.clientId,
      serverId: agent.serverId,
      bindingId: agent.bindingId,
      bindingVersion: 1,
      epoch: 1,
      grantKind: 'client_credentials',
      tokenDigest: id,
      audience: agent.resource,
      tools: agent.tools,
      kid: 'k',
      issuedAt: world.clock.now(),
      expiresAt: new Date(world.clock.now().getTime() + lifetimeSeconds * 1000),
    },
  });
  return id;
}

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 4 });
  world = await buildRequestsWorld(database.db);
  await ensureSigningKeys(system());
});
afterAll(() => database.drop());
beforeEach(async () => {
  agent = await createApprovedAgent(system(), { authMethod: 'client_secret_basic' });
  guardId = newId('guard');
  await prisma().guard.create({
    data: {
      id: guardId,
      name: guardId,
      signingKey: {},
      encryptionKey: {},
      thumbprint: guardId,
      serverIds: [agent.serverId],
      version: '0.1.0',
      enrolledAt: world.clock.now(),
    },
  });
});

describe('retireServer', () => {
  test.each([
    ['an owner', 'olive', 'forbidden'],
    ['an approver', 'ava', 'forbidden'],
    ['an auditor', 'audrey', 'forbidden'],
  ] as const)('is not %s’s to do, nor to measure', async (_who, name, code) => {
    await expect(retire(world.as(world[name]))).rejects.toMatchObject({ code });
    await expect(readServerReach(world.as(world[name]), agent.serverId)).rejects.toMatchObject({ code });
    expect((await prisma().mcpServer.findUniqueOrThrow({ where: { id: agent.serverId } })).state).toBe(
      'active',
    );
  });

  test('nobody unknown retires one, and an unknown one is not found', async () => {
    await expect(retire(world.as(anonymous))).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(retireServer(admin(), { serverId: 'srv_none', reason: 'x' })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(readServerReach(admin(), 'srv_none')).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a retired one is not retired again, and two at once retire it once', async () => {
    const both = await Promise.allSettled([retire(), retire()]);
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((each) => each.status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
    await expect(retire()).rejects.toMatchObject({ code: 'conflict' });
    expect(
      await prisma().auditEvent.count({ where: { kind: 'server.retire', subjectId: agent.serverId } }),
    ).toBe(1);
  });

  test('ends what was granted there and nothing elsewhere; each end follows from the retirement', async () => {
    const elsewhere = await createApprovedAgent(system());
    const { id: tokenId } = await createResourceToken(admin(), {
      serverId: agent.serverId,
      name: 'gateway',
      lifetimeDays: 30,
    });
    const reach = await readServerReach(admin(), agent.serverId);
    expect(reach).toMatchObject({
      agents: [{ id: agent.agentId, tools: 2, losesEverything: true }],
      resourceTokens: 1,
      guards: [{ id: guardId, reachable: false }],
    });
    const { revocationId } = await retire();
    const binding = await prisma().toolBinding.findUniqueOrThrow({ where: { id: agent.bindingId } });
    expect(binding).toMatchObject({ endCause: 'server retired', endedAt: world.clock.now() });
    expect(
      (await prisma().toolBinding.findUniqueOrThrow({ where: { id: elsewhere.bindingId } })).endedAt,
    ).toBeNull();
    expect((await prisma().resourceToken.findUniqueOrThrow({ where: { id: tokenId } })).endedAt).toEqual(
      world.clock.now(),
    );
    expect((await prisma().agent.findUniqueOrThrow({ where: { id: agent.agentId } })).state).toBe('active');
    const [retired] = await prisma().auditEvent.findMany({
      where: { kind: 'server.retire', subjectId: agent.serverId },
    });
    expect(retired).toMatchObject({ actorId: world.adam.personId, reason: 'Replaced by another' });
    const ends = await prisma().auditEvent.findMany({
      where: { kind: { in: ['binding.end', 'resource_token.end'] }, serverId: agent.serverId },
    });
    expect(ends.map((event) => [event.kind, event.parentIds])).toEqual(
      expect.arrayContaining([
        ['binding.end', [retired?.id]],
        ['resource_token.end', [retired?.id]],
      ]),
    );
    expect(await readReceipt(admin(), revocationId)).toMatchObject({
      target: { kind: 'server', id: agent.serverId },
      cascade: { bindings: 1, resourceTokens: 1 },
      guards: [{ guardId }],
    });
    const listed = await listRevocations(admin(), { limit: 10 } as never);
    expect(listed.items[0]).toMatchObject({ id: revocationId, targetKind: 'server' });
    const owners = await listRevocations(world.as(world.olive), { limit: 50 } as never);
    expect(owners.items.filter((row) => row.targetKind === 'server')).toEqual([]);
    await expect(readReceipt(world.as(world.olive), revocationId)).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  test('its guards are told in order, last with the receipt’s number', async () => {
    const { revocationId } = await retire();
    const entries = await prisma().feedEntry.findMany({
      where: { serverId: agent.serverId },
      orderBy: { sequence: 'asc' },
    });
    expect(entries.slice(-2)).toMatchObject([
      { kind: 'binding.ended', subject: agent.bindingId },
      { kind: 'server.changed', revocationId, value: { tools: [] } },
    ]);
  });

  test('the second look ends a token minted in the same instant', async () => {
    const { revocationId } = await retire();
    const id = await issue();
    await sweepRevocation(system(), revocationId);
    expect((await prisma().credential.findUniqueOrThrow({ where: { id } })).endCause).toBe('revoked');
  });

  test('the second look leaves what expired to its expiry, and records each end once', async () => {
    const { revocationId } = await retire();
    const expired = await issue({ lifetimeSeconds: 0 });
    const late = await Promise.all([issue(), issue(), issue()]);
    await sweepRevocation(system(), revocationId);
    await sweepRevocation(system(), revocationId);
    expect((await prisma().credential.findUniqueOrThrow({ where: { id: expired } })).endedAt).toBeNull();
    const events = await prisma().auditEvent.findMany({
      where: { kind: 'credential.end', serverId: agent.serverId },
    });
    expect(events.map((event) => event.subjectId).sort()).toEqual(late.sort());
    expect(events[0]).toMatchObject({
      actorKind: 'system',
      agentId: agent.agentId,
      reason: 'revoked',
      data: { revocationId, foundBySweep: true },
    });
  });

  test('the second look of an agent leaves what expired to its expiry as well', async () => {
    const { revocationId } = await revokeAgent(admin(), {
      agentId: agent.agentId,
      cause: 'administrative',
      reason: 'Gone',
    });
    const expired = await issue({ lifetimeSeconds: 0 });
    const late = await issue();
    await sweepRevocation(system(), revocationId);
    const causes = await prisma().credential.findMany({
      where: { id: { in: [expired, late] } },
      select: { id: true, endCause: true },
    });
    expect(new Map(causes.map((row) => [row.id, row.endCause]))).toEqual(
      new Map([
        [expired, null],
        [late, 'revoked'],
      ]),
    );
  });

  test('a second look that fails keeps none of the later ones waiting', async () => {
    const { revocationId: failing } = await retire();
    await prisma().revocation.update({
      where: { id: failing },
      data: { committedAt: new Date(world.clock.now().getTime() - 60_000) },
    });
    agent = await createApprovedAgent(system());
    const { revocationId: later } = await retire();
    const superuser = new pg.Client({ connectionString: database.superuserUrl });
    await superuser.connect();
    await superuser.query(`CREATE FUNCTION refuse_sweep() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'this row cannot be written'; END $$`);
    await superuser.query(`CREATE TRIGGER refuse_sweep BEFORE UPDATE ON revocation FOR EACH ROW
      WHEN (NEW.id = '${failing}') EXECUTE FUNCTION refuse_sweep()`);
    world.clock.advanceSeconds(sweepAfterSeconds + 1);
    const failed: string[] = [];
    const sweep = () => sweepDue(system(), (_error, id) => failed.push(id));
    await sweep();
    expect(failed).toEqual([failing]);
    expect((await prisma().revocation.findUniqueOrThrow({ where: { id: later } })).sweptAt).not.toBeNull();
    await superuser.query('DROP FUNCTION refuse_sweep CASCADE');
    await superuser.end();
    await sweep();
    expect((await prisma().revocation.findUniqueOrThrow({ where: { id: failing } })).sweptAt).not.toBeNull();
    await expect(sweepDue(admin(), () => undefined)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('a token issued before is dead, and one whose minting was under way is not issued', async () => {
    const order = await mintOrder();
    const minted = await mint(system(), order());
    if (typeof minted === 'string') throw new TypeError(minted);
    const { token: resourceToken } = await createResourceToken(admin(), {
      serverId: agent.serverId,
      name: 'gateway',
      lifetimeDays: 30,
    });
    const asked = { kind: 'server', token: resourceToken } as const;
    expect(await introspectToken(system(), asked, minted.token)).toMatchObject({ active: true });
    const underWay = order();
    await retire();
    expect(await mint(system(), underWay)).toBe('refused');
    expect(
      await introspectToken(system(), { kind: 'guard', guardId, serverIds: [agent.serverId] }, minted.token),
    ).toEqual({ active: false });
    await expect(introspectToken(system(), asked, minted.token)).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });

  test('its owners are told, once each', async () => {
    await retire();
    const told = await prisma().notification.findMany({ where: { personId: agent.ownerId } });
    expect(told).toMatchObject([{ kind: 'server.retire', body: expect.stringContaining('revoke it') }]);
  });

  test('its public URL is not given to another', async () => {
    await retire();
    await expect(
      addServer(admin(), addServerInput.parse({ name: 'Again', resource: agent.resource })),
    ).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('retired server') });
  });

  test('a request that asks for its tools is counted before, and cannot be approved after', async () => {
    const { id: requestId } = await fileRequest(world);
    expect((await readServerReach(admin(), world.serverId)).openRequests).toBe(1);
    const approve = await readyToApprove(world.as(world.ava), {
      requestId,
      snapshotDigest: await digestNow(world, requestId),
    });
    agent = { ...agent, serverId: world.serverId };
    await retire();
    await expect(approve()).rejects.toMatchObject({ code: 'precondition_failed' });
    const after = await stateOf(world, requestId);
    expect([after.state, after.agent.bindings]).toEqual(['submitted', []]);
  });

  test('an approval at the same time leaves no binding behind', async () => {
    const tools = ['delete_note', 'list_notes', 'read_note', 'write_note'].map((name) => ({ name }));
    const other = { ...world, ...(await createServer(system(), tools)) };
    const { id: requestId } = await fileRequest(other);
    const approve = await readyToApprove(other.as(other.ava), {
      requestId,
      snapshotDigest: await digestNow(other, requestId),
    });
    const [retired, approved] = await Promise.allSettled([
      retireServer(other.as(other.adam), { serverId: other.serverId, reason: 'Replaced by another' }),
      approve(),
    ]);
    expect(retired.status).toBe('fulfilled');
    if (approved.status === 'rejected') {
      expect(approved.reason).toMatchObject({
        code: expect.stringMatching(/^(?:precondition_failed|conflict|unavailable)$/),
      });
    }
    expect(await prisma().toolBinding.count({ where: { serverId: other.serverId, endedAt: null } })).toBe(0);
  });
});

test('a person with another role beside admin may retire one', async () => {
  const both = personActor(world.adam.personId, ['owner', 'admin']);
  await expect(retire(world.as(both))).resolves.toMatchObject({ revocationId: expect.any(String) });
});
