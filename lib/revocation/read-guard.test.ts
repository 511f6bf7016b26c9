import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addServer, addServerInput } from '#lib/catalogue/servers.ts';
import { anonymous } from '#lib/platform/actor.ts';
import { newId } from '#lib/platform/ids.ts';
import { personActor, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { getGuard, listUnguarded } from './read-guard.ts';
import { acceptReport } from './testimony.ts';

let database: TestDatabase;
let guarded: string;
let bare: string;
let guardId: string;
const admin = personActor('per_admin', ['admin']);
const ctx = (actor: Parameters<typeof testCtx>[1] = admin) => testCtx(database.db, actor);

beforeAll(async () => {
  database = await createTestDatabase();
  const adam = await addPerson(database.db, 'adam', ['admin']);
  const add = async (name: string, port: number) =>
    (await addServer(ctx(), addServerInput.parse({ name, resource: `http://127.0.0.1:${port}/mcp` }))).id;
  [guarded, bare] = [await add('Guarded', 4101), await add('Bare', 4102)];
  guardId = newId('guard');
  await database.db.prisma.guard.create({
    data: {
      id: guardId,
      name: 'front',
      signingKey: {},
      encryptionKey: {},
      thumbprint: 'thumb',
      serverIds: [guarded],
      version: '0.0.1',
      enrolledById: adam.personId,
      enrolledAt: new Date('2026-03-01T09:00:00Z'),
      lastAcks: { [guarded]: 3 },
    },
  });
  await database.db.prisma.feedHead.update({ where: { serverId: guarded }, data: { sequence: 5n } });
});
afterAll(() => database.drop());

const report = (records: object[]) =>
  acceptReport(ctx(anonymous), { id: guardId, name: 'front', serverIds: [guarded] }, {
    iss: guardId,
    aud: 'x',
    iat: 0,
    jti: 'j',
    records,
  } as never);

describe('getGuard', () => {
  test('is not for owners and strangers, and an unknown id is not found', async () => {
    await expect(getGuard(ctx(personActor('per_o', ['owner'])), guardId)).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(getGuard(ctx(anonymous), guardId)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(getGuard(ctx(), 'grd_none')).rejects.toMatchObject({ code: 'not_found' });
  });

  test('tells who enrolled it, how far it is and what it covers', async () => {
    expect(await getGuard(ctx(personActor('per_a', ['approver'])), guardId)).toMatchObject({
      enrolledBy: 'adam',
      servers: [{ id: guarded, acknowledged: 3, head: 5, hasUpstream: false, probe: { outcome: null } }],
      reports: { gaps: 0, lastGap: null },
    });
  });

  test('a break in its reports is counted, and the version it says at its start is believed', async () => {
    await report([
      { kind: 'condition', number: 1, previous: '', atMs: 0, condition: 'started', detail: '0.1.0' },
    ]);
    await report([{ kind: 'condition', number: 4, previous: 'x', atMs: 0, condition: 'spool_full' }]);
    const guard = await getGuard(ctx(), guardId);
    expect(guard).toMatchObject({
      version: '0.1.0',
      reports: { lastNumber: 4, lastGap: { after: 1, next: 4 } },
    });
    expect(guard.reports.gaps).toBeGreaterThan(0);
    expect(guard.conditions.map(({ condition }) => condition)).toEqual(
      expect.arrayContaining(['spool_full', 'started']),
    );
  });
});

test('a server without a guard is listed until a guard that is enrolled stands in front of it', async () => {
  expect((await listUnguarded(ctx())).map(({ id }) => id)).toEqual([bare]);
  await database.db.prisma.guard.update({ where: { id: guardId }, data: { state: 'revoked' } });
  expect((await listUnguarded(ctx())).map(({ id }) => id).sort()).toEqual([bare, guarded].sort());
  await expect(listUnguarded(ctx(personActor('per_o', ['owner'])))).rejects.toMatchObject({
    code: 'forbidden',
  });
});
