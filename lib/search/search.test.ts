import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listPeople, listPeopleQuery } from '#lib/access/read-people.ts';
import { listAgents, listAgentsQuery } from '#lib/agents/read-agents.ts';
import { listRequests, listRequestsQuery } from '#lib/approvals/read-requests.ts';
import { leafHashOf } from '#lib/audit/merkle.ts';
import { splitWords } from '#lib/audit/words.ts';
import { anonymous, type PersonActor } from '#lib/platform/actor.ts';
import { newId } from '#lib/platform/ids.ts';
import { clientsQuery, listClients } from '#lib/registration/read-clients.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { buildRequestsWorld, fileRequest, type RequestsWorld } from '../../tests/requests-world.ts';
import { type Found, type FoundKind, foundKinds, search, searchQuery } from './search.ts';

let database: TestDatabase;
let world: RequestsWorld;
let mate: PersonActor;
let deputy: PersonActor;
let nobody: PersonActor;
/** Olive's agent with its request and client, and Oscar's. */
let olives: { agent: string; request: string; client: string; event: string; digest: string; number: number };
let oscars: typeof olives;
const hidden = 'Cla\u200bude helper';

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 1 });
  world = await buildRequestsWorld(database.db);
  const { db } = database;
  mate = await addPerson(db, 'maud', ['owner']);
  deputy = await addPerson(db, 'dora', ['owner']);
  nobody = await addPerson(db, 'norman', []);
  const group = newId('group');
  const at = world.clock.now();
  await db.prisma.group.create({ data: { id: group, name: 'team', kind: 'owner team', createdAt: at } });
  await db.prisma.groupMember.createMany({
    data: [world.olive, mate].map(({ personId }) => ({
      id: newId('groupMember'),
      groupId: group,
      personId,
      addedAt: at,
    })),
  });
  olives = await file(world.olive, hidden);
  oscars = await file(world.oscar, 'Ledger 100%_bot');
  await db.prisma.agent.update({ where: { id: olives.agent }, data: { deputyId: deputy.personId } });
});
afterAll(() => database.drop());

async function file(owner: PersonActor, agentName: string): Promise<typeof olives> {
  const { db } = database;
  const created = await fileRequest(world, { owner, agentName });
  const instance = await db.prisma.instance.findFirstOrThrow({ where: { agentId: created.agentId } });
  const event = await db.prisma.auditEvent.findFirstOrThrow({ where: { agentId: created.agentId } });
  return {
    agent: created.agentId,
    request: created.id,
    client: instance.clientId,
    event: event.id,
    digest: event.digest,
    number: created.number,
  };
}

/** A search half a minute after the one before: how fast somebody types is looked at in a case of its own. */
async function find(actor: PersonActor, q: string, id: string[] = []): Promise<Found[]> {
  world.clock.advanceSeconds(30);
  return (await search(world.as(actor), searchQuery.parse({ q, id }))).items;
}
const idsOf = (items: Found[], kind: FoundKind) =>
  items.filter((item) => item.kind === kind).map((item) => item.id);

describe('who sees what', () => {
  const people = () => ({
    olive: world.olive,
    oscar: world.oscar,
    maud: mate,
    dora: deputy,
    ava: world.ava,
    audrey: world.audrey,
    adam: world.adam,
  });
  const names = ['olive', 'oscar', 'maud', 'dora', 'ava', 'audrey', 'adam'] as const;

  test.each(names)('%s finds by id exactly what their lists show', async (name) => {
    const actor = people()[name];
    const ctx = world.as(actor);
    const listed = {
      agent: (await listAgents(ctx, listAgentsQuery.parse({}))).items.map(({ id }) => id),
      client: (await listClients(ctx, clientsQuery.parse({}))).items.map(({ id }) => id),
      request: (await listRequests(ctx, listRequestsQuery.parse({}))).items.map(({ id }) => id),
      person: await listPeople(ctx, listPeopleQuery.parse({})).then(
        ({ items }) => items.map(({ personId }) => personId),
        () => [],
      ),
    };
    const everything = [olives, oscars].flatMap((each) => [each.agent, each.client, each.request]);
    const persons = [world.olive.personId, world.adam.personId];
    const items = await find(actor, '', [...everything, ...persons]);
    for (const kind of ['agent', 'client', 'request'] as const) {
      expect(idsOf(items, kind).sort(), kind).toEqual([...listed[kind]].sort());
    }
    expect(idsOf(items, 'person').sort()).toEqual(listed.person.filter((id) => persons.includes(id)).sort());
  });

  test.each([
    ['by its name', (): string => 'ledger', ['agent', 'request']],
    ['by the number of its request', () => `CS-${oscars.number}`, ['request']],
    ['by its client_id', () => oscars.client, ['client']],
    ['by an event of it', () => oscars.event, ['event']],
    ['by the digest of an event', () => oscars.digest, []],
  ] as const)('what is not theirs is not found %s', async (_, q, kinds) => {
    for (const stranger of [world.olive, mate, deputy]) {
      expect(await find(stranger, q())).toEqual([]);
    }
    for (const reader of [world.oscar, world.ava, world.audrey, world.adam]) {
      const items = await find(reader, q());
      for (const kind of kinds) expect(idsOf(items, kind).length, kind).toBeGreaterThan(0);
    }
  });

  test('people are found by admins and auditors alone; servers and tools by everybody with a role', async () => {
    for (const actor of [world.adam, world.audrey]) {
      expect(idsOf(await find(actor, 'ava'), 'person')).toEqual([world.ava.personId]);
      expect(idsOf(await find(actor, 'ava@example.test'), 'person')).toEqual([world.ava.personId]);
    }
    for (const actor of [world.olive, world.ava]) {
      expect(idsOf(await find(actor, 'ava'), 'person')).toEqual([]);
      expect(idsOf(await find(actor, world.resource), 'server')).toEqual([world.serverId]);
      expect(await find(actor, 'note')).toContainEqual(
        expect.objectContaining({ kind: 'tool', label: 'read_note', parentId: world.serverId }),
      );
    }
  });

  test('nobody without a role, and nobody unknown, may ask', async () => {
    await expect(find(nobody, 'ledger')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(search(world.as(anonymous), searchQuery.parse({ q: 'x' }))).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });

  test('many things of others never crowd out one’s own', async () => {
    const { db } = database;
    const at = world.clock.now();
    await db.prisma.agent.createMany({
      data: Array.from({ length: 400 }, () => ({
        id: newId('agent'),
        name: 'Crowd of claudes',
        ownerId: world.oscar.personId,
        softwareIdentity: 'x',
        softwareIdentityKind: 'self-asserted',
        clientClass: 'interactive',
        stateSince: at,
        createdAt: at,
      })),
    });
    expect(idsOf(await find(world.olive, 'c'), 'agent')).toEqual([olives.agent]);
    const all = await find(world.adam, 'c');
    for (const kind of foundKinds) expect(idsOf(all, kind).length).toBeLessThanOrEqual(8);
    await db.prisma.agent.deleteMany({ where: { name: 'Crowd of claudes' } });
  });
});

describe('what a text can mean', () => {
  test('names are found by the beginnings of their words, in any order and case', async () => {
    for (const q of ['Ledger', 'LEDG', 'bot ledger', '100', 'ledger 100%_bot']) {
      expect(idsOf(await find(world.oscar, q), 'agent'), q).toEqual([oscars.agent]);
    }
    for (const q of ['edger', 'ledger nobody', 'zzz']) expect(await find(world.oscar, q), q).toEqual([]);
  });

  test('a name with a character nobody sees is found by what it looks like, and told as it is', async () => {
    expect(await find(world.olive, 'claude')).toContainEqual(
      expect.objectContaining({ kind: 'agent', id: olives.agent, label: hidden }),
    );
  });

  test('an event is found by its id, its digest and the hash of its leaf', async () => {
    const leaf = leafHashOf(Buffer.from(olives.digest, 'base64url'));
    const client = new pg.Client({ connectionString: database.urls.sequencer });
    await client.connect();
    await client.query(
      'INSERT INTO audit_leaf (sequence, event_id, leaf_hash, sequenced_at) VALUES (0, $1, $2, now())',
      [olives.event, leaf],
    );
    await client.end();
    const texts = [
      olives.event,
      olives.digest,
      Buffer.from(olives.digest, 'base64url').toString('hex'),
      leaf.toString('base64url'),
      `sha256:${leaf.toString('hex')}`,
    ];
    for (const q of texts) {
      expect(idsOf(await find(world.olive, q), 'event'), q).toEqual([olives.event]);
      expect(idsOf(await find(world.oscar, q), 'event'), q).toEqual([]);
    }
  });

  test('an exact name comes before others that begin with it', async () => {
    await fileRequest(world, { owner: world.oscar, agentName: 'Ledger' });
    const [first] = await find(world.oscar, 'ledger');
    expect(first).toMatchObject({ kind: 'agent', label: 'Ledger' });
  });

  test.each(
    [
      "' OR 1=1 --",
      "'); DROP TABLE agent; --",
      '%',
      '_',
      '%%%%',
      '\\',
      "a' & !b | (",
      ':*',
      "'':* <-> ''",
      '<script>alert(1)</script>',
      '$1',
      '\u200b',
      '\u202etxt',
      '🦊',
      '-1',
      'CS-0',
      'CS-999999999999',
      'evt_',
      `evt_${'z'.repeat(32)}`,
      'a'.repeat(1_000),
      'a '.repeat(400),
      `https://example.test/${'a'.repeat(900)}`,
      'x'.repeat(43),
    ].map((q) => ({ title: JSON.stringify(q.slice(0, 60)), q })),
  )('$title means nothing else than itself: no error, and nothing that is not named so', async ({ q }) => {
    const items = await find(world.oscar, q);
    for (const { label } of items.filter(({ kind }) => kind === 'agent')) {
      const named = splitWords(label);
      expect(splitWords(q).every((word) => named.some((each) => each.startsWith(word)))).toBe(true);
    }
    if (splitWords(q).length === 0) expect(items).toEqual([]);
  });

  test.each([
    ['U+0000', 'a\u0000b'],
    ['half a character', '\ud800'],
    ['a text longer than any id', 'a'.repeat(1_001)],
  ])('%s is refused', (_, q) => {
    expect(searchQuery.safeParse({ q }).success).toBe(false);
  });

  test('at most twelve ids are asked for at once', () => {
    expect(searchQuery.safeParse({ id: Array.from({ length: 13 }, () => 'agt_x') }).success).toBe(false);
  });
});

test('whoever asks faster than anybody types is told when to come back, and others are not kept', async () => {
  const ask = (actor: PersonActor) => search(world.as(actor), searchQuery.parse({ q: 'note' }));
  const answers = await Promise.allSettled(Array.from({ length: 80 }, () => ask(world.abel)));
  const refused = answers.filter((answer) => answer.status === 'rejected');
  expect(refused).toHaveLength(20);
  expect(refused[0]).toMatchObject({
    reason: { code: 'limit_exceeded', detail: { retryAfterSeconds: expect.any(Number) } },
  });
  await expect(ask(world.ava)).resolves.toMatchObject({ items: expect.any(Array) });
});
