import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '#lib/platform/ids.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { addPerson } from '#tests/people.ts';
import { buildRequestsWorld, fileRequest, type RequestsWorld } from '#tests/requests-world.ts';
import { listQueue } from './read-requests.ts';
import { reviewDueSeconds } from './states.ts';

let database: TestDatabase;
let world: RequestsWorld;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database.drop());

/** The client of this request waits in its owner's browser. */
async function waitInBrowser(requestId: string) {
  const request = await database.db.prisma.registrationRequest.findUniqueOrThrow({
    where: { id: requestId },
    include: { agent: { include: { instances: true } } },
  });
  const [instance] = request.agent.instances;
  const now = world.clock.now();
  await database.db.prisma.authorizationTransaction.create({
    data: {
      id: newId('transaction'),
      clientId: instance?.clientId as string,
      instanceId: instance?.id as string,
      requestId,
      personId: request.ownerId,
      sessionId: 'ses_waiting',
      redirectUri: 'http://127.0.0.1:4000/callback',
      codeChallenge: 'challenge',
      resource: world.resource,
      handleDigest: requestId,
      createdAt: now,
      deadlineAt: new Date(now.getTime() + 285_000),
    },
  });
}

describe('the review queue', () => {
  test('puts a waiting browser first, then what is overdue, then the riskier, then the older; a limit cuts off the rest', async () => {
    const overdue = await fileRequest(world, { agentName: 'Overdue', tools: ['list_notes'] });
    world.clock.advanceSeconds(reviewDueSeconds.low + 1);
    const older = await fileRequest(world, { agentName: 'Older', tools: ['list_notes'] });
    world.clock.advanceSeconds(1);
    const younger = await fileRequest(world, { agentName: 'Younger', tools: ['list_notes'] });
    const risky = await fileRequest(world, { agentName: 'Risky', tools: ['delete_note'] });
    const waiting = await fileRequest(world, { agentName: 'Waiting', tools: ['list_notes'] });
    await waitInBrowser(waiting.id);
    const ids = async (limit?: number) =>
      (await listQueue(world.as(world.ava), 'waiting', limit)).map((row) => row.id);
    const byUrgency = [waiting.id, overdue.id, risky.id, older.id, younger.id];
    expect(await ids()).toEqual(byUrgency);
    for (const limit of [1, 3]) expect(await ids(limit)).toEqual(byUrgency.slice(0, limit));
  });

  test('fills up with what its reader can decide when the most urgent are their own', async () => {
    const both = await addPerson(database.db, 'both', ['owner', 'approver']);
    world.clock.advanceSeconds(1);
    const own = await fileRequest(world, { owner: both, agentName: 'Own', tools: ['delete_note'] });
    await waitInBrowser(own.id);
    const plain = await fileRequest(world, { agentName: 'Plain', tools: ['list_notes'] });
    const all = await listQueue(world.as(both), 'all');
    expect(all.find((row) => row.id === own.id)?.conflict).toMatch(/^You wrote/);
    const waiting = await listQueue(world.as(both), 'waiting', 1);
    expect(waiting).toHaveLength(1);
    expect(waiting[0]).toMatchObject({ conflict: null });
    const everything = await listQueue(world.as(both), 'waiting');
    expect(everything.map((row) => row.id)).toContain(plain.id);
    expect(everything.map((row) => row.id)).not.toContain(own.id);
  });
});
