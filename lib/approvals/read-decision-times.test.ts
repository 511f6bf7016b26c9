import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAgentFacets } from '#lib/agents/agent-filter.ts';
import { listAgents, listAgentsQuery } from '#lib/agents/read-agents.ts';
import { readHome } from '#lib/agents/read-home.ts';
import { readLifeline } from '#lib/agents/read-lifeline.ts';
import { eventQuerySchema } from '#lib/audit/event-query.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { summariseEvents } from '#lib/audit/search-events.ts';
import { listCredentials, listCredentialsQuery } from '#lib/credentials/read-credentials.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { addPerson } from '#tests/people.ts';
import { buildRequestsWorld, digestNow, fileRequest, type RequestsWorld } from '#tests/requests-world.ts';
import { approveRequest, approveRequestInput } from './approve-request.ts';
import { readDecisionTimes } from './read-decision-times.ts';
import { listQueue, listRequests, listRequestsQuery } from './read-requests.ts';
import { rejectRequest, rejectRequestInput } from './reject-request.ts';
import { withdrawRequest } from './withdraw-request.ts';

let database: TestDatabase;
let world: RequestsWorld;
let deputy: PersonActor;
let suspendedId: string;

const hour = 3_600;
const list = (actor: PersonActor, query: object) =>
  listRequests(world.as(actor), listRequestsQuery.parse(query)).then(({ items }) => items);
const agents = (actor: PersonActor, query: object) =>
  listAgents(world.as(actor), listAgentsQuery.parse({ limit: 100, ...query })).then(({ items }) => items);

async function decide(how: 'approve' | 'narrow' | 'reject', afterSeconds: number) {
  const request = await fileRequest(world, { tools: ['list_notes', 'read_note'] });
  world.clock.advanceSeconds(afterSeconds);
  const ctx = world.as(world.ava);
  const snapshotDigest = await digestNow(world, request.id);
  if (how === 'reject') {
    await rejectRequest(
      ctx,
      rejectRequestInput.parse({ requestId: request.id, snapshotDigest, reason: 'Not needed' }),
    );
    return request;
  }
  const tool = await database.db.prisma.tool.findFirstOrThrow({ where: { name: 'list_notes' } });
  await approveRequest(
    ctx,
    approveRequestInput.parse({
      requestId: request.id,
      snapshotDigest,
      comment: how === 'narrow' ? 'Reading the list is enough' : '',
      ...(how === 'narrow' ? { toolLines: [tool.id] } : {}),
    }),
  );
  return request;
}

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 2 });
  world = await buildRequestsWorld(database.db);
  deputy = await addPerson(database.db, 'dora', ['owner']);
  // Decided long before what the numbers are about.
  await decide('approve', 20 * hour);
  world.clock.advanceSeconds(35 * 24 * hour);
  const first = await decide('approve', 1 * hour);
  await decide('narrow', 2 * hour);
  await decide('reject', 9 * hour);
  suspendedId = first.agentId;
  await database.db.prisma.agent.update({ where: { id: suspendedId }, data: { state: 'suspended' } });
  await database.db.prisma.agent.updateMany({
    where: { ownerId: world.olive.personId },
    data: { deputyId: deputy.personId },
  });
  const withdrawn = await fileRequest(world);
  await withdrawRequest(world.as(world.olive), { requestId: withdrawn.id, reason: '' });
  await fileRequest(world, { owner: world.oscar, agentName: 'Waits' });
  await database.db.prisma.$transaction((tx) =>
    recordEvent(tx, world.as(world.olive), { kind: 'client.link', subjectId: 'ins_x', agentId: suspendedId }),
  );
});
afterAll(() => database.drop());

describe('the numbers about decisions', () => {
  test('are about four weeks; what was withdrawn is no decision', async () => {
    const times = await readDecisionTimes(world.as(world.ava));
    expect(times).toMatchObject({ decided: 3, approved: 2, narrowed: 1, linked: 1, medianSeconds: 2 * hour });
    expect(times.trend).toHaveLength(8);
    expect(times.trend.at(-1)).toEqual({ decided: 3, medianSeconds: 2 * hour });
    expect(times.trend.at(2)).toEqual({ decided: 1, medianSeconds: 20 * hour });
  });

  test('equal the lists they open', async () => {
    const times = await readDecisionTimes(world.as(world.ava));
    const decided = await list(world.ava, { decided: 'recently' });
    expect(decided).toHaveLength(times.decided);
    expect(new Set(decided.map(({ state }) => state))).toEqual(new Set(['approved', 'rejected']));
    const narrowed = await list(world.ava, { decided: 'narrowed' });
    expect(narrowed).toHaveLength(times.narrowed);
    expect(narrowed.every((row) => row.narrowed)).toBe(true);
    expect(decided.filter((row) => row.narrowed)).toEqual(narrowed);
    const events = await summariseEvents(
      world.as(world.ava),
      eventQuerySchema.parse({ kind: ['client.link'], from: times.since }),
    );
    expect(events.total).toBe(times.linked);
  });

  test('are told to those who see every decision', async () => {
    for (const actor of [world.audrey, world.adam]) {
      await expect(readDecisionTimes(world.as(actor))).resolves.toMatchObject({ decided: 3 });
    }
    await expect(readDecisionTimes(world.as(world.olive))).rejects.toMatchObject({ code: 'forbidden' });
    // Another owner's decisions do not show by the same filter.
    expect(await list(world.oscar, { decided: 'recently' })).toEqual([]);
    expect(await list(world.oscar, { decided: 'narrowed' })).toEqual([]);
  });

  test('before anything was decided there is no median', async () => {
    await using empty = await createTestDatabase();
    const other = await buildRequestsWorld(empty.db);
    await expect(readDecisionTimes(other.as(other.ava))).resolves.toMatchObject({
      decided: 0,
      medianSeconds: null,
    });
  });
});

test.each(['olive', 'oscar', 'dora', 'ava', 'audrey', 'adam'] as const)(
  'every number on the home page of %s is what the list behind it shows',
  async (name) => {
    const actor = name === 'dora' ? deputy : world[name];
    const home = await readHome(world.as(actor));
    expect(home.agents.active).toBe((await agents(actor, { state: 'active' })).length);
    expect(home.agents.suspended).toBe((await agents(actor, { state: 'suspended' })).length);
    expect(home.agents.mine).toBe((await agents(actor, { scope: 'mine', state: 'active' })).length);
    const fortnight = await agents(actor, { ends: 'fortnight' });
    expect(home.endingWithinFortnight).toBe(fortnight.length);
    expect(new Set(home.ending.map(({ id }) => id))).toEqual(new Set(fortnight.map(({ id }) => id)));
    expect(home.endingWithinDay).toBe((await agents(actor, { ends: 'day' })).length);
    const { ends } = await readAgentFacets(world.as(actor));
    expect(ends).toEqual([
      { value: 'day', count: home.endingWithinDay },
      { value: 'fortnight', count: home.endingWithinFortnight },
    ]);
    const sees = name !== 'oscar';
    expect(home.agents.suspended).toBe(sees ? 1 : 0);
    expect(home.platform === null).toBe(['olive', 'oscar', 'dora'].includes(name));
    expect(home.platform?.failedMessages ?? null).toBe(['audrey', 'adam'].includes(name) ? 0 : null);
  },
);

test('who stands in for an owner opens the whole page of the agent', async () => {
  const ctx = world.as(deputy);
  await expect(readLifeline(ctx, suspendedId)).resolves.toBeDefined();
  await expect(
    listCredentials(ctx, suspendedId, listCredentialsQuery.parse({ state: 'all' })),
  ).resolves.toMatchObject({ items: expect.any(Array) });
  await expect(readLifeline(world.as(world.oscar), suspendedId)).rejects.toMatchObject({ code: 'not_found' });
});

test('the queue waits with what can be decided, the oldest known', async () => {
  const queue = await listQueue(world.as(world.ava), 'waiting');
  expect(queue.map(({ agentName }) => agentName)).toEqual(['Waits']);
  expect(queue[0]?.submittedAt).not.toBeNull();
});
