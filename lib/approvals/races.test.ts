import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openHandle } from '#lib/registration/open-handle.ts';
import {
  approve as approveClaim,
  type ClaimWorld,
  claim,
  createClaimWorld,
  loopbackClient,
  openInBrowser,
  registerClient,
  signIn,
} from '#tests/claim-world.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import {
  buildRequestsWorld,
  digestNow,
  eventsOf,
  fileRequest,
  type RequestsWorld,
  stateOf,
} from '#tests/requests-world.ts';
import { readyToApprove as prepareApproval } from '../../tests/approvals.ts';
import { commentRequest } from './comment-request.ts';
import { expireRequests } from './expire-requests.ts';
import { linkInstance, maxInstances } from './link-instance.ts';
import { previewRequest, previewRequestInput } from './preview-request.ts';

/** What happens when several people or workers do these at the same moment (T05). */

let database: TestDatabase;
let world: RequestsWorld;

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 10, hot: 2, emergency: 1 });
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database?.drop());

const tools = ['list_notes'];
const system = () => world.as({ kind: 'system', name: 'jobs' });
const fulfilled = (settled: readonly PromiseSettledResult<unknown>[]) =>
  settled.filter(({ status }) => status === 'fulfilled').length;

/** Losing is a conflict, or a database too busy to say who won; never anything else. */
function expectCleanLosses(settled: readonly PromiseSettledResult<unknown>[]): void {
  for (const each of settled)
    if (each.status === 'rejected') expect(each.reason.code).toBeOneOf(['conflict', 'unavailable']);
}

/** An approval with everything read that it names: what is left is to decide. */
async function readyToApprove(requestId: string): Promise<() => Promise<unknown>> {
  const snapshotDigest = await digestNow(world, requestId);
  return prepareApproval(world.as(world.ava), { requestId, snapshotDigest });
}

async function kindsOf(requestId: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const kind of await eventsOf(world, requestId)) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

describe('commenting', () => {
  test('of many at once each is kept with its event, and no decision is lost to them', async () => {
    const { id } = await fileRequest(world, { tools });
    const approve = await readyToApprove(id);
    const people = [world.olive, world.ava, world.abel];
    const comments = Array.from({ length: 6 }, (_, index) =>
      commentRequest(world.as(people[index % 3] ?? world.olive), { requestId: id, text: `Remark ${index}` }),
    );
    const settled = await Promise.allSettled([...comments, approve()]);
    expectCleanLosses(settled);
    expect(settled.at(-1)?.status).toBe('fulfilled');
    expect((await stateOf(world, id)).state).toBe('approved');
    const kept = await database.db.prisma.requestComment.findMany({ where: { requestId: id } });
    expect(kept).toHaveLength(fulfilled(settled) - 1);
    expect(kept.length).toBeGreaterThan(0);
    expect(await kindsOf(id)).toMatchObject({ 'request.comment': kept.length, 'request.approve': 1 });
  });
});

describe('expiring', () => {
  test('by several workers at once ends each request once, and says so once', async () => {
    const ids = [];
    for (let index = 0; index < 4; index++) ids.push((await fileRequest(world, { tools })).id);
    world.clock.advanceSeconds(24 * 3600 + 1);
    const settled = await Promise.allSettled(Array.from({ length: 4 }, () => expireRequests(system())));
    expectCleanLosses(settled);
    const counted = settled.reduce((sum, each) => sum + (each.status === 'fulfilled' ? each.value : 0), 0);
    // What a worker that gave up had ended before is in no sum; the next run finds the rest.
    expect(counted).toBeLessThanOrEqual(ids.length);
    await expireRequests(system());
    for (const id of ids) {
      expect((await stateOf(world, id)).state).toBe('expired');
      expect((await kindsOf(id))['request.expire']).toBe(1);
      const told = await database.db.prisma.notification.count({
        where: { href: `/requests/${id}`, kind: 'request.expire' },
      });
      expect(told).toBe(1);
    }
  });

  test('and approving at the same moment have one outcome, and the authority is that of the outcome', async () => {
    for (let round = 0; round < 8; round++) {
      const { id } = await fileRequest(world, { tools });
      world.clock.advanceSeconds(24 * 3600 + 1);
      const acts = [await readyToApprove(id), () => expireRequests(system())];
      const settled = await Promise.allSettled((round % 2 ? acts : acts.reverse()).map((act) => act()));
      expectCleanLosses(settled);
      const { state, agent } = await stateOf(world, id);
      const { 'request.approve': approved = 0, 'request.expire': expired = 0 } = await kindsOf(id);
      expect([state, approved, expired]).toEqual(
        state === 'approved' ? ['approved', 1, 0] : ['expired', 0, 1],
      );
      expect(agent.bindings.length).toBe(state === 'approved' ? 1 : 0);
      expect(agent.state === 'active').toBe(state === 'approved');
    }
  });
});

describe('previewing', () => {
  test('by many at once says the same to all and writes nothing', async () => {
    const before = await everything();
    const input = previewRequestInput.parse({
      clientClass: 'headless service',
      attended: true,
      dataClass: 'internal',
      tools: [{ serverId: world.serverId, name: 'list_notes' }],
    });
    const previews = await Promise.all(
      Array.from({ length: 12 }, () => previewRequest(world.as(world.olive), input)),
    );
    for (const preview of previews) expect(preview).toEqual(previews[0]);
    expect(await everything()).toEqual(before);
  });

  async function everything(): Promise<object[]> {
    return database.db.prisma.$queryRaw`
      SELECT relname, n FROM (VALUES
        ('audit_event', (SELECT count(*)::int FROM audit_event)),
        ('registration_request', (SELECT count(*)::int FROM registration_request)),
        ('agent', (SELECT count(*)::int FROM agent)),
        ('client', (SELECT count(*)::int FROM client)),
        ('notification', (SELECT count(*)::int FROM notification)),
        ('outbox_message', (SELECT count(*)::int FROM outbox_message))) AS t(relname, n)`;
  }
});

describe('linking', () => {
  let gate: TestGate;
  let claims: ClaimWorld;
  const metadata = { ...loopbackClient, client_name: 'Linked program' };
  beforeAll(async () => {
    gate = await startTestGate(27050);
    claims = await createClaimWorld(gate);
  });
  afterAll(() => gate?.close());

  async function waiting(): Promise<{ clientId: string; handle: string; claimKey: string }> {
    const clientId = await registerClient(gate, metadata);
    const handle = await openInBrowser(gate, signIn(clientId, claims.server.resource).path);
    const { claimKey } = await openHandle(claims.as(claims.olive), { handle });
    return { clientId, handle, claimKey };
  }

  test('of many clicks on one link one counts; of many clients no more than the cap get in', async () => {
    const { prisma } = gate.database.db;
    const first = await claim(claims, claims.olive, (await waiting()).handle);
    await approveClaim(claims, first);
    const { agentId } = first;
    const link = ({ handle, claimKey }: { handle: string; claimKey: string }) =>
      linkInstance(claims.as(claims.olive), { handle, claimKey, agentId });

    const one = await waiting();
    const clicks = await Promise.allSettled(Array.from({ length: 6 }, () => link(one)));
    expectCleanLosses(clicks);
    expect(fulfilled(clicks)).toBe(1);
    expect(await prisma.instance.count({ where: { clientId: one.clientId } })).toBe(1);

    const living = () => prisma.instance.count({ where: { agentId, state: 'active' } });
    while ((await living()) < maxInstances - 1) await link(await waiting());
    const late = [await waiting(), await waiting(), await waiting(), await waiting()];
    const settled = await Promise.allSettled(late.map(link));
    expectCleanLosses(settled);
    expect(fulfilled(settled)).toBe(1);
    expect(await living()).toBe(maxInstances);
    expect(await prisma.auditEvent.count({ where: { agentId, kind: 'client.link' } })).toBe(maxInstances - 1);
  });
});
