import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHandle } from '#lib/registration/open-handle.ts';
import {
  approve,
  type ClaimWorld,
  claim,
  claimContent,
  createClaimWorld,
  loopbackClient,
  openInBrowser,
  registerClient,
  signIn,
} from '#tests/claim-world.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { linkInstance } from './link-instance.ts';
import { submitClaim } from './submit-claim.ts';

let gate: TestGate;
let world: ClaimWorld;

beforeAll(async () => {
  gate = await startTestGate(4611);
  world = await createClaimWorld(gate);
});
afterAll(() => gate.close());

const prisma = () => gate.database.db.prisma;

/** A client that just registered and opened a browser. */
async function waitingClient(metadata: object = loopbackClient) {
  const clientId = await registerClient(gate, metadata);
  return { clientId, handle: await openInBrowser(gate, signIn(clientId, world.server.resource).path) };
}

let counter = 0;
/** Metadata of a program nobody has seen before. */
const anotherClient = () => ({ ...loopbackClient, client_name: `Program ${++counter}` });

async function submitAs(person: ClaimWorld['olive'], handle: string, claimKey: string) {
  return submitClaim(world.as(person), { handle, claimKey, ...(await claimContent(world)) });
}

describe('claiming a waiting client', () => {
  test('creates request, instance and wait together, submitted, with its events', async () => {
    const { clientId, handle } = await waitingClient(anotherClient());
    const claimed = await claim(world, world.olive, handle);
    expect(claimed.state).toBe('submitted');
    const instance = await prisma().instance.findFirstOrThrow({ where: { clientId } });
    expect(instance).toMatchObject({
      state: 'quarantined',
      ownerId: world.olive.personId,
      agentId: claimed.agentId,
    });
    const wait = await prisma().authorizationTransaction.findUniqueOrThrow({
      where: { id: claimed.transactionId },
    });
    expect(wait).toMatchObject({
      status: 'waiting',
      requestId: claimed.id,
      sessionId: world.olive.sessionId,
    });
    const events = await prisma().auditEvent.findMany({
      where: { requestRef: claimed.id },
      orderBy: { id: 'asc' },
    });
    expect(events.map((event) => event.kind)).toEqual([
      'agent.create',
      'request.create',
      'client.claim',
      'request.submit',
    ]);
    expect(events.every((event) => event.actorId === world.olive.personId)).toBe(true);
    const evidence = await prisma().evidence.count({ where: { revision: { requestId: claimed.id } } });
    expect(evidence).toBeGreaterThan(0);
  });

  test('takes an owner in their own browser: no approver, no API token', async () => {
    const { handle } = await waitingClient(anotherClient());
    const { claimKey } = await openHandle(world.as(world.olive), { handle });
    await expect(submitAs(world.ava, handle, claimKey)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(submitAs({ ...world.olive, via: 'token' } as never, handle, claimKey)).rejects.toMatchObject(
      { code: 'forbidden' },
    );
  });

  test('a link and key seen by somebody else are worth nothing to them (T38)', async () => {
    const { clientId, handle } = await waitingClient(anotherClient());
    const { claimKey } = await openHandle(world.as(world.olive), { handle });
    await expect(submitAs(world.oscar, handle, claimKey)).rejects.toMatchObject({ code: 'invalid' });
    await expect(
      submitAs({ ...world.olive, sessionId: 'ses_another_browser' }, handle, claimKey),
    ).rejects.toMatchObject({ code: 'invalid' });
    await expect(submitAs(world.olive, `${handle.slice(0, -2)}xx`, claimKey)).rejects.toMatchObject({
      code: 'invalid',
    });
    const other = await waitingClient(anotherClient());
    await expect(submitAs(world.olive, other.handle, claimKey)).rejects.toMatchObject({ code: 'invalid' });
    expect(await prisma().instance.count({ where: { clientId } })).toBe(0);
  });

  test('of many claims of one link one commits, whoever makes them', { timeout: 60_000 }, async () => {
    const { clientId, handle } = await waitingClient(anotherClient());
    const keys = {
      olive: (await openHandle(world.as(world.olive), { handle })).claimKey,
      oscar: (await openHandle(world.as(world.oscar), { handle })).claimKey,
    };
    const settled = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) =>
        index % 2 ? submitAs(world.olive, handle, keys.olive) : submitAs(world.oscar, handle, keys.oscar),
      ),
    );
    expect(settled.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
    for (const each of settled) {
      if (each.status === 'rejected') expect(['conflict', 'unavailable']).toContain(each.reason.code);
    }
    expect(await prisma().instance.count({ where: { clientId } })).toBe(1);
    expect(await prisma().authorizationTransaction.count({ where: { clientId } })).toBe(1);
  });

  test('what is asked for already is not asked for twice', async () => {
    const metadata = anotherClient();
    const { clientId, handle } = await waitingClient(metadata);
    await claim(world, world.olive, handle);
    const again = await openInBrowser(gate, signIn(clientId, world.server.resource).path);
    const { claimKey } = await openHandle(world.as(world.olive), { handle: again });
    await expect(submitAs(world.olive, again, claimKey)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('the approval prepares the code of the browser that waits, and only that one', async () => {
    const { handle } = await waitingClient(anotherClient());
    const claimed = await claim(world, world.olive, handle);
    await approve(world, claimed);
    const wait = await prisma().authorizationTransaction.findUniqueOrThrow({
      where: { id: claimed.transactionId },
    });
    expect(wait.status).toBe('ready');
    const codes = await prisma().authorizationCode.findMany({
      where: { transactionId: claimed.transactionId },
    });
    expect(codes).toHaveLength(1);
    expect(codes[0]).toMatchObject({
      agentId: claimed.agentId,
      agentEpoch: 1,
      deliveredAt: null,
      usedAt: null,
    });
    const event = await prisma().auditEvent.findFirst({
      where: { requestRef: claimed.id, kind: 'code.issue' },
    });
    const decision = await prisma().auditEvent.findFirst({
      where: { requestRef: claimed.id, kind: 'request.approve' },
    });
    expect(event?.parentIds).toEqual([decision?.id]);
  });
});

describe('linking the same program, registered again, to an approved agent', () => {
  async function approvedAgent(metadata: object) {
    const { handle } = await waitingClient(metadata);
    const claimed = await claim(world, world.olive, handle);
    await approve(world, claimed);
    return claimed;
  }
  async function link(person: ClaimWorld['olive'], handle: string, agentId: string) {
    const { claimKey } = await openHandle(world.as(person), { handle });
    return linkInstance(world.as(person), { handle, claimKey, agentId });
  }

  test('adds an active client, prepares its code, and is a decision of its own in history', async () => {
    const metadata = anotherClient();
    const { agentId } = await approvedAgent(metadata);
    const { clientId, handle } = await waitingClient(metadata);
    const before = await prisma().registrationRequest.count();
    const done = await link(world.olive, handle, agentId);
    const instance = await prisma().instance.findUniqueOrThrow({ where: { id: done.instanceId } });
    expect(instance).toMatchObject({ clientId, state: 'active', agentId });
    const wait = await prisma().authorizationTransaction.findUniqueOrThrow({
      where: { id: done.transactionId },
    });
    expect(wait.status).toBe('ready');
    const event = await prisma().auditEvent.findFirst({
      where: { subjectId: done.instanceId, kind: 'client.link' },
    });
    expect(event).toMatchObject({ actorId: world.olive.personId, agentId });
    expect(event?.data).toMatchObject({
      sourceId: 'src_intake',
      redirectUri: 'http://127.0.0.1:50123/callback',
    });
    expect(await prisma().registrationRequest.count()).toBe(before);
  });

  test('is refused for other metadata, for somebody else, and for a link used before', async () => {
    const metadata = anotherClient();
    const { agentId } = await approvedAgent(metadata);
    const wider = await waitingClient({
      ...metadata,
      redirect_uris: [...loopbackClient.redirect_uris, 'https://elsewhere.example/callback'],
    });
    await expect(link(world.olive, wider.handle, agentId)).rejects.toMatchObject({ code: 'conflict' });
    const same = await waitingClient(metadata);
    await expect(link(world.oscar, same.handle, agentId)).rejects.toMatchObject({ code: 'conflict' });
    await link(world.olive, same.handle, agentId);
    await expect(link(world.olive, same.handle, agentId)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('is no way around a suspension', async () => {
    const metadata = anotherClient();
    const { agentId } = await approvedAgent(metadata);
    await prisma().agent.update({ where: { id: agentId }, data: { state: 'suspended' } });
    const { clientId, handle } = await waitingClient(metadata);
    await expect(link(world.olive, handle, agentId)).rejects.toMatchObject({ code: 'conflict' });
    expect(await prisma().instance.count({ where: { clientId } })).toBe(0);
  });
});
