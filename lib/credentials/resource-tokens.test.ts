import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { anonymous, systemActor } from '#lib/platform/actor.ts';
import { createServer } from '../../tests/credentials-world.ts';
import { personActor, TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { introspectToken } from './introspect-token.ts';
import {
  createResourceToken,
  endResourceToken,
  findResourceServer,
  listResourceTokens,
  rotateResourceToken,
} from './resource-tokens.ts';

let database: TestDatabase;
let serverId: string;
let former: Awaited<ReturnType<typeof createResourceToken>>;
let clock: TestClock;
const admin = personActor('per_admin', ['admin']);
const ctx = (actor: Parameters<typeof testCtx>[1] = admin) => testCtx(database.db, actor, { clock });
const rotate = (overlapSeconds = 3_600) => rotateResourceToken(ctx(), { id: former.id, overlapSeconds });
const answersFor = async (token: string) => (await findResourceServer(ctx(), token))?.serverId ?? null;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  clock = new TestClock();
  ({ serverId } = await createServer(ctx(systemActor('test')), []));
  former = await createResourceToken(ctx(), { serverId, name: 'gateway', lifetimeDays: 30 });
});

describe('rotateResourceToken', () => {
  test('is an admin’s', async () => {
    for (const role of ['owner', 'approver', 'auditor'] as const) {
      await expect(
        rotateResourceToken(ctx(personActor('per_x', [role])), { id: former.id, overlapSeconds: 0 }),
      ).rejects.toMatchObject({ code: 'forbidden' });
    }
    await expect(
      rotateResourceToken(ctx(anonymous), { id: former.id, overlapSeconds: 0 }),
    ).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('one that has ended, one with a successor and one of a retired server get none', async () => {
    await expect(rotateResourceToken(ctx(), { id: 'rst_none', overlapSeconds: 0 })).rejects.toMatchObject({
      code: 'not_found',
    });
    await rotate();
    await expect(rotate()).rejects.toMatchObject({ code: 'conflict' });
    const ended = await createResourceToken(ctx(), { serverId, name: 'other', lifetimeDays: 30 });
    await endResourceToken(ctx(), { id: ended.id });
    await expect(rotateResourceToken(ctx(), { id: ended.id, overlapSeconds: 0 })).rejects.toMatchObject({
      code: 'conflict',
    });
    const last = await createResourceToken(ctx(), { serverId, name: 'last', lifetimeDays: 30 });
    await database.db.prisma.mcpServer.update({ where: { id: serverId }, data: { state: 'retired' } });
    await expect(rotateResourceToken(ctx(), { id: last.id, overlapSeconds: 0 })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('two at once make one successor', async () => {
    const both = await Promise.allSettled([rotate(), rotate()]);
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((each) => each.status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
    expect(await listResourceTokens(ctx(), serverId)).toHaveLength(2);
  });

  test('both answer until the overlap ends, then the new one alone; neither is stored or told of', async () => {
    const successor = await rotate();
    expect(await answersFor(former.token)).toBe(serverId);
    expect(await answersFor(successor.token)).toBe(serverId);
    clock.advanceSeconds(3_601);
    expect(await answersFor(former.token)).toBeNull();
    expect(await answersFor(successor.token)).toBe(serverId);
    const events = await database.db.prisma.auditEvent.findMany({ where: { serverId } });
    expect(events.at(-1)).toMatchObject({
      kind: 'resource_token.rotate',
      actorId: 'per_admin',
      data: { formerId: former.id },
    });
    expect(
      JSON.stringify(events.map(({ data, before, after, reason }) => [data, before, after, reason])),
    ).not.toContain(successor.token);
  });

  test('an overlap never makes the former one live longer than it would have', async () => {
    clock.advanceSeconds(30 * 86_400 - 60);
    expect((await rotate(7 * 86_400)).formerEndsAt).toEqual(former.expiresAt);
  });
});

test('asking about a token is noted with the token that asked', async () => {
  expect(await listResourceTokens(ctx(), serverId)).toMatchObject([{ lastUsedAt: null }]);
  await introspectToken(ctx(systemActor('test')), { kind: 'server', token: former.token }, 'no token');
  await expect
    .poll(async () => (await listResourceTokens(ctx(), serverId))[0]?.lastUsedAt)
    .toEqual(clock.now());
});
