import { afterAll, beforeAll, expect, test } from 'vitest';
import { approveRequestInput } from '#lib/approvals/approve-request.ts';
import { revokeAgent, stopAgentInput, suspendAgent } from '#lib/revocation/stop-agent.ts';
import { approveSigned } from '../../tests/approvals.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  fileRequest,
  type RequestsWorld,
} from '../../tests/requests-world.ts';
import { readTimeline, timelineQuery } from './read-timeline.ts';

let database: TestDatabase;
let world: RequestsWorld;
let agentId: string;
const day = 24 * 3_600;
const read = (actor: RequestsWorld['olive'], query: object = {}) =>
  readTimeline(world.as(actor), agentId, timelineQuery.parse(query));

// Asked for on 2 March, approved the same day, suspended on the 12th, revoked on the 22nd.
beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 4 });
  world = await buildRequestsWorld(database.db);
  const filed = await fileRequest(world, { lifetimeSeconds: 30 * day });
  agentId = filed.agentId;
  world.clock.advanceSeconds(3_600);
  await approveSigned(
    world.as(world.ava),
    approveRequestInput.parse({
      requestId: filed.id,
      snapshotDigest: await digestNow(world, filed.id),
      comment: '',
    }),
  );
  world.clock.advanceSeconds(10 * day);
  await suspendAgent(
    world.as(world.abel),
    stopAgentInput.parse({ agentId, cause: 'administrative', reason: 'Looked at' }),
  );
  world.clock.advanceSeconds(10 * day);
  await revokeAgent(
    world.as(world.abel),
    stopAgentInput.parse({ agentId, cause: 'compromise', reason: 'It was stolen' }),
  );
  world.clock.advanceSeconds(40 * day);
});
afterAll(() => database.drop());

test('a life ends where its agent did, and every state has its event', async () => {
  const timeline = await read(world.audrey);
  expect(timeline.life).toEqual({
    from: '2026-03-02T09:00:00.000Z',
    to: '2026-03-22T10:00:00.000Z',
    over: true,
  });
  expect(timeline.states).toEqual([
    { state: 'pending', from: '2026-03-02T09:00:00.000Z', to: '2026-03-02T10:00:00.000Z', eventId: null },
    {
      state: 'active',
      from: '2026-03-02T10:00:00.000Z',
      to: '2026-03-12T10:00:00.000Z',
      eventId: expect.stringMatching(/^evt_/),
    },
    {
      state: 'suspended',
      from: '2026-03-12T10:00:00.000Z',
      to: '2026-03-22T10:00:00.000Z',
      eventId: expect.stringMatching(/^evt_/),
    },
    { state: 'revoked', from: '2026-03-22T10:00:00.000Z', to: null, eventId: expect.stringMatching(/^evt_/) },
  ]);
  expect(timeline.requests).toEqual([expect.objectContaining({ kind: 'new', state: 'approved' })]);
  expect(timeline.bindings).toEqual([
    expect.objectContaining({
      tools: ['list_notes', 'read_note', 'write_note'],
      from: '2026-03-02T10:00:00.000Z',
      to: '2026-03-22T10:00:00.000Z',
      endCause: expect.any(String),
    }),
  ]);
  const said = timeline.entries.map(({ says }) => says);
  expect(said).toContain('An agent was revoked');
  expect(said).toContain('A request was approved');
  expect(timeline.more).toBe(false);
});

test('days narrow what is told and counted, both ends belonging to it', async () => {
  const { serverId } = world;
  const issued = ['2026-03-05T00:00:00Z', '2026-03-05T23:59:59Z', '2026-03-06T00:00:00Z'];
  await database.db.prisma.credential.createMany({
    data: issued.map((at, index) => ({
      id: `crd_${index}`,
      kind: 'access token',
      agentId,
      instanceId: 'ins_x',
      clientId: 'client_x',
      serverId,
      bindingId: 'bnd_x',
      bindingVersion: 1,
      epoch: 1,
      grantKind: 'x',
      tokenDigest: `digest ${index}`,
      audience: 'x',
      tools: [],
      kid: 'x',
      issuedAt: new Date(at),
      expiresAt: new Date(at),
    })),
  });
  expect((await read(world.audrey)).minted).toEqual([
    { date: '2026-03-05', count: 2 },
    { date: '2026-03-06', count: 1 },
  ]);
  const narrow = await read(world.audrey, { from: '2026-03-05', to: '2026-03-05' });
  expect(narrow.minted).toEqual([{ date: '2026-03-05', count: 2 }]);
  expect(narrow.entries).toEqual([]);
  const stop = await read(world.audrey, { from: '2026-03-12', to: '2026-03-12' });
  expect(stop.entries.map(({ says }) => says)).toContain('An agent was suspended');
  expect(stop.entries.map(({ says }) => says)).not.toContain('An agent was revoked');
});

test('its owner sees it, another owner is told there is nothing', async () => {
  await expect(read(world.olive)).resolves.toMatchObject({ agent: { id: agentId } });
  await expect(read(world.oscar)).rejects.toMatchObject({ code: 'not_found' });
});

test.each([{ from: '2026-02-30x' }, { to: 'x' }, { from: '2026-13-40' }])('%j is refused', (query) => {
  expect(timelineQuery.safeParse(query).success).toBe(false);
});
