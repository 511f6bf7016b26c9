import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anonymous, type PersonActor } from '#lib/platform/actor.ts';
import { newId } from '#lib/platform/ids.ts';
import { createServer } from '../../tests/credentials-world.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { buildRequestsWorld, type RequestsWorld } from '../../tests/requests-world.ts';
import { listAgents, listAgentsQuery } from './read-agents.ts';
import { type Expiry, expiryDays, expiryQuery, readExpiry } from './read-expiry.ts';

let database: TestDatabase;
let world: RequestsWorld;
let otherServerId: string;
let mate: PersonActor;
let deputy: PersonActor;

const dayMs = 24 * 3_600_000;
/** The world's clock stands at nine in the morning of this day. */
const today = Date.parse('2026-03-02T00:00:00Z');
const read = (actor: PersonActor, query: object = {}) =>
  readExpiry(world.as(actor), expiryQuery.parse(query));
const namesOf = (expiry: Expiry) => expiry.list.items.map(({ agent }) => agent.name);

type Wish = {
  name: string;
  owner: PersonActor;
  endsAt: Date;
  neverUsed?: boolean;
  state?: string;
  serverId?: string;
  deputyId?: string;
  tool?: string;
};

async function approval(wish: Wish): Promise<string> {
  const at = world.clock.now();
  const db = database.db.prisma;
  const serverId = wish.serverId ?? world.serverId;
  const known = await db.agent.findFirst({ where: { name: wish.name } });
  const agentId = known?.id ?? newId('agent');
  if (!known) {
    await db.agent.create({
      data: {
        id: agentId,
        name: wish.name,
        ownerId: wish.owner.personId,
        deputyId: wish.deputyId ?? null,
        softwareIdentity: 'x',
        softwareIdentityKind: 'self-asserted',
        clientClass: 'interactive',
        state: wish.state ?? 'active',
        stateSince: at,
        createdAt: at,
      },
    });
  }
  const tool = await db.toolVersion.findFirst({
    where: { tool: { serverId, name: wish.tool ?? 'list_notes' } },
  });
  await db.toolBinding.create({
    data: {
      id: newId('binding'),
      agentId,
      serverId,
      version: known ? 2 : 1,
      requestId: 'req_x',
      revisionId: 'rev_x',
      grantedDigest: 'x',
      toolNames: [wish.tool ?? 'list_notes'],
      toolVersionIds: tool ? [tool.id] : [],
      lifetimeSeconds: 3600,
      validFrom: at,
      firstIssuedAt: wish.neverUsed ? null : at,
      expiresAt: wish.neverUsed ? null : wish.endsAt,
      unusedEndsAt: wish.neverUsed ? wish.endsAt : new Date(today - dayMs),
    },
  });
  return agentId;
}

const onDay = (day: number, hour = 12) => new Date(today + day * dayMs + hour * 3_600_000);

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 1 });
  world = await buildRequestsWorld(database.db);
  mate = await addPerson(database.db, 'maud', ['owner']);
  deputy = await addPerson(database.db, 'dora', ['owner']);
  otherServerId = (await createServer(world.as({ kind: 'system', name: 'test' }), [{ name: 'list_notes' }]))
    .serverId;
  const group = newId('group');
  const at = world.clock.now();
  await database.db.prisma.group.create({
    data: { id: group, name: 'team', kind: 'owner team', createdAt: at },
  });
  await database.db.prisma.groupMember.createMany({
    data: [world.olive, mate].map(({ personId }) => ({
      id: newId('groupMember'),
      groupId: group,
      personId,
      addedAt: at,
    })),
  });
  const { olive, oscar } = world;
  await approval({ name: 'Today', owner: olive, endsAt: onDay(0, 23) });
  await approval({ name: 'Two servers', owner: olive, endsAt: onDay(3) });
  await approval({ name: 'Two servers', owner: olive, endsAt: onDay(5), serverId: otherServerId });
  await approval({
    name: 'Never used',
    owner: oscar,
    endsAt: onDay(3),
    neverUsed: true,
    deputyId: deputy.personId,
  });
  await approval({ name: 'Destroyer', owner: oscar, endsAt: onDay(90, 23), tool: 'delete_note' });
  await approval({ name: 'Suspended', owner: oscar, endsAt: onDay(7), state: 'suspended' });
  // What is not on it: over already, ended by force, later than the timeline.
  await approval({ name: 'Over', owner: oscar, endsAt: onDay(0, 8) });
  await approval({ name: 'Revoked', owner: oscar, endsAt: onDay(4), state: 'revoked' });
  await approval({ name: 'Later', owner: oscar, endsAt: onDay(expiryDays) });
});
afterAll(() => database.drop());

describe('the timeline', () => {
  test('counts what ends on each day, by owner, server or risk, and says what lies beyond it', async () => {
    const byOwner = await read(world.ava);
    expect(byOwner).toMatchObject({ today: '2026-03-02T00:00:00.000Z', days: 91, total: 6, later: 1 });
    expect(byOwner.lanes).toEqual(
      [
        {
          value: world.olive.personId,
          label: 'olive',
          total: 3,
          days: [
            { day: 0, count: 1 },
            { day: 3, count: 1 },
            { day: 5, count: 1 },
          ],
        },
        {
          value: world.oscar.personId,
          label: 'oscar',
          total: 3,
          days: [
            { day: 3, count: 1 },
            { day: 7, count: 1 },
            { day: 90, count: 1 },
          ],
        },
      ].sort((a, b) => (a.value < b.value ? -1 : 1)),
    );
    const byServer = await read(world.ava, { by: 'server' });
    expect(byServer.lanes.map(({ value, total }) => [value, total])).toEqual([
      [world.serverId, 5],
      [otherServerId, 1],
    ]);
    const byRisk = await read(world.ava, { by: 'risk' });
    expect(byRisk.lanes.map(({ label, total }) => [label, total])).toContainEqual([
      'low',
      expect.any(Number),
    ]);
    expect(byRisk.lanes[0]).toMatchObject({ value: 'high' });
    expect(byRisk.lanes.reduce((sum, { total }) => sum + total, 0)).toBe(6);
  });

  test('has twelve lanes, and one for all others', async () => {
    const names = Array.from({ length: 15 }, (_, index) => `owner${index}`);
    for (const [index, name] of names.entries()) {
      const owner = await addPerson(database.db, name, ['owner']);
      for (let each = 0; each <= index; each++) {
        await approval({ name: `${name} ${each}`, owner, endsAt: onDay(40) });
      }
    }
    const { lanes, total } = await read(world.ava);
    expect(lanes).toHaveLength(13);
    expect(lanes[0]).toMatchObject({ label: 'owner14', total: 15 });
    expect(lanes.at(-1)).toMatchObject({ value: null, label: 'Others' });
    expect(lanes.reduce((sum, lane) => sum + lane.total, 0)).toBe(total);
    await database.db.prisma.toolBinding.deleteMany({ where: { expiresAt: onDay(40) } });
    await database.db.prisma.agent.deleteMany({ where: { name: { startsWith: 'owner' } } });
  });
});

describe('the list', () => {
  test('tells the same approvals, sorted either way', async () => {
    const soonest = await read(world.ava);
    expect(namesOf(soonest).sort()).toEqual(namesOf(await read(world.ava, { sort: 'agent' })));
    expect(soonest.list).toMatchObject({ total: 6, agents: 5 });
    const ends = soonest.list.items.map(({ endsAt }) => endsAt);
    expect(ends).toEqual([...ends].sort());
    expect(namesOf(await read(world.ava, { sort: '-ends' }))[0]).toBe('Destroyer');
    const byName = namesOf(await read(world.ava, { sort: 'agent' }));
    expect(byName).toEqual(['Destroyer', 'Never used', 'Suspended', 'Today', 'Two servers', 'Two servers']);
  });

  test.each(['ends', '-ends', 'agent', '-agent'])(
    'is paged by key in the order %s: nothing twice, nothing left out',
    async (sort) => {
      const whole = (await read(world.ava, { sort })).list.items.map(({ bindingId }) => bindingId);
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const { list }: Expiry = await read(world.ava, { sort, limit: 1, ...(cursor ? { cursor } : {}) });
        expect(list.total).toBe(6);
        seen.push(...list.items.map(({ bindingId }) => bindingId));
        cursor = list.nextCursor;
      } while (cursor);
      expect(seen).toEqual(whole);
    },
  );

  test('is narrowed by days, which both belong to it, by owner, server and risk', async () => {
    expect(namesOf(await read(world.ava, { from: '2026-03-05', to: '2026-03-05' })).sort()).toEqual([
      'Never used',
      'Two servers',
    ]);
    expect(namesOf(await read(world.ava, { from: '2026-06-01', to: '2026-12-31' }))).toEqual(['Later']);
    expect(namesOf(await read(world.ava, { serverId: otherServerId }))).toEqual(['Two servers']);
    expect(namesOf(await read(world.ava, { ownerId: world.oscar.personId, risk: 'low' }))).toEqual([
      'Never used',
      'Suspended',
    ]);
    const destroyer = await read(world.ava, { risk: 'high', serverId: world.serverId });
    expect(destroyer.list.items).toEqual([
      expect.objectContaining({ agent: expect.objectContaining({ name: 'Destroyer' }), risk: 'high' }),
    ]);
    expect(destroyer.total).toBe(1);
  });

  test('says what ends because nobody used it, and who may ask for more time', async () => {
    const { list } = await read(deputy);
    expect(list.items).toEqual([
      expect.objectContaining({
        agent: expect.objectContaining({ name: 'Never used' }),
        neverUsed: true,
        mayAsk: true,
        endsAt: onDay(3).toISOString(),
      }),
    ]);
    expect((await read(world.ava)).list.items.every(({ mayAsk }) => !mayAsk)).toBe(true);
    const mates = (await read(mate)).list.items;
    expect(mates.length).toBe(3);
    expect(mates.every(({ mayAsk }) => !mayAsk)).toBe(true);
  });

  test('what ends within a fortnight is held by the agents the list of agents shows for it', async () => {
    const { items } = await listAgents(world.as(world.ava), listAgentsQuery.parse({ ends: 'fortnight' }));
    const { list } = await read(world.ava, { to: '2026-03-15' });
    expect(new Set(list.items.map(({ agent }) => agent.id))).toEqual(new Set(items.map(({ id }) => id)));
  });
});

describe('who sees what', () => {
  test('an owner sees their own and their team’s, others’ neither listed nor counted', async () => {
    for (const actor of [world.olive, mate]) {
      const expiry = await read(actor);
      expect(new Set(namesOf(expiry))).toEqual(new Set(['Today', 'Two servers']));
      expect(expiry).toMatchObject({ total: 3, later: 0 });
      expect(expiry.lanes.map(({ label }) => label)).toEqual(['olive']);
      expect(await read(actor, { ownerId: world.oscar.personId })).toMatchObject({
        total: 0,
        later: 0,
        lanes: [],
        list: { items: [], total: 0, agents: 0 },
      });
    }
  });

  test('approvers, auditors and admins see all; nobody without a role may ask', async () => {
    for (const actor of [world.ava, world.audrey, world.adam]) expect((await read(actor)).total).toBe(6);
    const nobody = await addPerson(database.db, 'norman', []);
    await expect(read(nobody)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(readExpiry(world.as(anonymous), expiryQuery.parse({}))).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });
});

test.each([
  { from: '2026-02-30T00:00:00Z' },
  { from: 'yesterday' },
  { from: '2026-13-01' },
  { by: 'a.owner_id' },
  { sort: 'ends; DROP TABLE agent' },
  { limit: 101 },
  { risk: 'none' },
])('%j is refused', (query) => {
  expect(expiryQuery.safeParse(query).success).toBe(false);
});

test.each(['x', 'WyJ4IiwieSJd'])('a cursor of nobody’s (%s) is refused', async (cursor) => {
  await expect(read(world.ava, { cursor })).rejects.toMatchObject({ code: 'invalid' });
});
