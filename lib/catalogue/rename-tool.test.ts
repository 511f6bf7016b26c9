import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { approveRequest, approveRequestInput } from '#lib/approvals/approve-request.ts';
import { readDraftOfAgent } from '#lib/approvals/read-composer.ts';
import { anonymous, systemActor } from '#lib/platform/actor.ts';
import { addTool, createServer } from '../../tests/credentials-world.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  fileRequest,
  type RequestsWorld,
} from '../../tests/requests-world.ts';
import { findSuccessors, listSuccessions, renameTool, renameToolInput } from './rename-tool.ts';

let database: TestDatabase;
let world: RequestsWorld;
const prisma = () => database.db.prisma;
const system = () => world.as(systemActor('test'));
const admin = () => world.as(world.adam);

beforeAll(async () => {
  database = await createTestDatabase();
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database.drop());

async function toolOf(serverId: string, name: string) {
  const tool = await prisma().tool.findFirstOrThrow({
    where: { serverId, name },
    include: { versions: { orderBy: { version: 'desc' }, take: 1 } },
  });
  return { id: tool.id, digest: tool.versions[0]?.definitionDigest ?? '' };
}

/** A server whose tool `from` went away and whose tool `to` appeared. */
async function renamed(from = 'find', to = 'search') {
  const server = await createServer(system(), [{ name: from }, { name: to }, { name: 'other' }]);
  await prisma().tool.updateMany({
    where: { serverId: server.serverId, name: from },
    data: { removedAt: world.clock.now() },
  });
  const [a, b] = [await toolOf(server.serverId, from), await toolOf(server.serverId, to)];
  const input = renameToolInput.parse({
    fromToolId: a.id,
    toToolId: b.id,
    fromDigest: a.digest,
    toDigest: b.digest,
    reason: 'Release notes of 3 March',
  });
  return { ...server, input };
}

describe('renameTool', () => {
  test.each(['olive', 'ava', 'audrey'] as const)('is not %s’s to say', async (name) => {
    const { input } = await renamed();
    await expect(renameTool(world.as(world[name]), input)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(renameTool(world.as(anonymous), input)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('a tool still offered was not renamed, one gone is no new name, and both are of one server', async () => {
    const { input, serverId } = await renamed();
    const other = await toolOf(serverId, 'other');
    const elsewhere = await renamed();
    await expect(
      renameTool(admin(), { ...input, fromToolId: other.id, fromDigest: other.digest }),
    ).rejects.toMatchObject({ code: 'conflict' });
    await expect(renameTool(admin(), { ...input, toToolId: input.fromToolId })).rejects.toMatchObject({
      code: 'invalid',
    });
    await expect(
      renameTool(admin(), {
        ...input,
        toToolId: elsewhere.input.toToolId,
        toDigest: elsewhere.input.toDigest,
      }),
    ).rejects.toMatchObject({ code: 'invalid' });
    await prisma().tool.update({ where: { id: input.toToolId }, data: { removedAt: world.clock.now() } });
    await expect(renameTool(admin(), input)).rejects.toMatchObject({ code: 'conflict' });
    await expect(renameTool(admin(), { ...input, fromToolId: 'tl_none' })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  test('a definition that changed since it was looked at is looked at again', async () => {
    const { input, serverId } = await renamed();
    await addTool(system(), serverId, { name: 'search' });
    await expect(renameTool(admin(), input)).rejects.toMatchObject({ code: 'precondition_failed' });
  });

  test('two at once: one is kept, the other is told', async () => {
    const { input, serverId } = await renamed();
    const both = await Promise.allSettled([renameTool(admin(), input), renameTool(admin(), input)]);
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((each) => each.status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
    expect(await listSuccessions(admin(), serverId)).toMatchObject([{ from: 'find', to: 'search' }]);
  });

  test('history says who said so, of which definitions', async () => {
    const { input } = await renamed();
    await renameTool(admin(), input);
    expect(
      await prisma().auditEvent.findFirst({ where: { kind: 'tool.rename', subjectId: input.fromToolId } }),
    ).toMatchObject({
      actorId: world.adam.personId,
      reason: 'Release notes of 3 March',
      before: { name: 'find', digest: input.fromDigest },
      after: { name: 'search', digest: input.toDigest },
    });
  });

  test('widens nothing: the binding stays as approved, and the owner’s next change request asks for the new name', async () => {
    const asked = await fileRequest(world, { tools: ['list_notes', 'read_note'], agentName: 'Reader' });
    await approveRequest(
      world.as(world.ava),
      approveRequestInput.parse({
        requestId: asked.id,
        snapshotDigest: await digestNow(world, asked.id),
      }),
    );
    const { agentId } = await prisma().registrationRequest.findUniqueOrThrow({ where: { id: asked.id } });
    const bindingsBefore = await prisma().toolBinding.findMany({ where: { agentId } });
    await addTool(system(), world.serverId, { name: 'fetch_note' });
    await prisma().tool.updateMany({
      where: { serverId: world.serverId, name: 'read_note' },
      data: { removedAt: world.clock.now() },
    });
    const [from, to] = [
      await toolOf(world.serverId, 'read_note'),
      await toolOf(world.serverId, 'fetch_note'),
    ];
    await renameTool(admin(), {
      fromToolId: from.id,
      toToolId: to.id,
      fromDigest: from.digest,
      toDigest: to.digest,
      reason: '',
    });
    expect(await prisma().toolBinding.findMany({ where: { agentId } })).toEqual(bindingsBefore);
    const { draft } = await readDraftOfAgent(world.as(world.olive), agentId);
    expect(draft.tools.map((tool) => tool.toolId)).toContain(to.id);
    expect(draft.tools.map((tool) => tool.toolId)).not.toContain(from.id);
    expect(
      await prisma().notification.findMany({
        where: { personId: world.olive.personId, kind: 'tool.rename' },
      }),
    ).toMatchObject([{ href: `/requests/new?agent=${agentId}` }]);
  });
});

test('names are followed to the one that is offered; circles and dead ends lead nowhere', async () => {
  const server = await createServer(
    system(),
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name })),
  );
  const id = Object.fromEntries(
    await Promise.all(
      ['a', 'b', 'c', 'd', 'e', 'f'].map(async (name) => [name, (await toolOf(server.serverId, name)).id]),
    ),
  );
  const pairs = [
    ['a', 'b'],
    ['b', 'c'],
    ['d', 'e'],
    ['e', 'd'],
  ];
  await prisma().toolSuccession.createMany({
    data: pairs.map(([from = '', to = ''], index) => ({
      id: `suc_${index}`,
      serverId: server.serverId,
      fromToolId: id[from] ?? '',
      toToolId: id[to] ?? '',
      fromDigest: '',
      toDigest: '',
      decidedAt: world.clock.now(),
    })),
  });
  await prisma().tool.updateMany({
    where: { id: { in: [id.a, id.b, id.d, id.e].map(String) } },
    data: { removedAt: world.clock.now() },
  });
  const successors = await findSuccessors(prisma(), Object.values(id).map(String));
  expect(Object.fromEntries(successors)).toEqual({ [String(id.a)]: id.c, [String(id.b)]: id.c });
});
