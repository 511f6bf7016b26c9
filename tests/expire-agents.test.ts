import { afterAll, beforeAll, expect, test } from 'vitest';
import { expireAgents } from '#lib/agents/expire-agents.ts';
import { getAgent } from '#lib/agents/read-agents.ts';
import { approveRequest, approveRequestInput } from '#lib/approvals/approve-request.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { buildRequestsWorld, digestNow, fileRequest, type RequestsWorld, stateOf } from './requests-world.ts';

let database: TestDatabase;
let world: RequestsWorld;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database.drop());

const system = () => world.as({ kind: 'system', name: 'jobs' });

async function approvedAgent() {
  const request = await fileRequest(world, { tools: ['list_notes'], lifetimeSeconds: 3600 });
  await approveRequest(
    world.as(world.ava),
    approveRequestInput.parse({ requestId: request.id, snapshotDigest: await digestNow(world, request.id) }),
  );
  return request;
}

test('an approval nobody used within a week ends, and the agent with it', async () => {
  const request = await approvedAgent();
  world.clock.advanceSeconds(7 * 24 * 3600 - 1);
  expect(await expireAgents(system())).toEqual({ bindings: 0, agents: 0 });
  world.clock.advanceSeconds(2);
  expect(await expireAgents(system())).toEqual({ bindings: 1, agents: 1 });
  const { agent } = await stateOf(world, request.id);
  expect(agent).toMatchObject({ state: 'expired', stateCause: 'approval ended' });
  expect(agent.instances.map((each) => each.state)).toEqual(['expired']);
  expect(agent.bindings[0]?.endCause).toBe('never used');
  const entries = await database.db.prisma.feedEntry.findMany({
    where: { subject: { in: [agent.id, agent.bindings[0]?.id ?? ''] } },
    orderBy: { sequence: 'desc' },
    take: 2,
  });
  expect(entries.map((entry) => entry.kind).sort()).toEqual(['agent.changed', 'binding.ended']);
  const events = await database.db.prisma.auditEvent.findMany({
    where: { agentId: agent.id, kind: { in: ['binding.end', 'agent.expire'] } },
  });
  expect(events).toHaveLength(2);
  expect(await expireAgents(system())).toEqual({ bindings: 0, agents: 0 });
});

test('a used approval ends with its time, counted from the first token, and shows as ended before any job ran', async () => {
  const request = await approvedAgent();
  const [binding] = (await stateOf(world, request.id)).agent.bindings;
  const firstIssuedAt = addSeconds(world.clock.now(), 24 * 3600);
  await database.db.prisma.toolBinding.update({
    where: { id: binding?.id ?? '' },
    data: { firstIssuedAt, expiresAt: addSeconds(firstIssuedAt, 3600) },
  });
  world.clock.advanceSeconds(25 * 3600 - 1);
  expect((await getAgent(world.as(world.olive), request.agentId)).bindings[0]?.state).toBe('active');
  world.clock.advanceSeconds(2);
  const seen = await getAgent(world.as(world.olive), request.agentId);
  expect(seen).toMatchObject({ toolCount: 0, bindings: [{ state: 'ended' }] });
  expect(await expireAgents(system())).toEqual({ bindings: 1, agents: 1 });
  expect((await stateOf(world, request.id)).agent.bindings[0]?.endCause).toBe('expired');
});

test('is the installation’s own work', async () => {
  await expect(expireAgents(world.as(world.adam))).rejects.toMatchObject({ code: 'forbidden' });
});
