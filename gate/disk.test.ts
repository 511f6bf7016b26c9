import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { readDiskWarnings, reportDiskSpace } from '#lib/jobs/disk-space.ts';
import { type PersonActor, systemActor } from '#lib/platform/actor.ts';
import { addSeconds, systemClock } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { readFreeSpace } from '#lib/platform/free-space.ts';
import { revokeAgent, stopAgentInput } from '#lib/revocation/stop-agent.ts';
import { createApprovedAgent } from '#tests/credentials-world.ts';
import { personActor } from '#tests/ctx.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { addPerson } from '#tests/people.ts';
import { tokenClient } from '#tests/token-client.ts';
import { ctxOf } from './context.ts';
import { diskStateOf, watchDisk } from './disk.ts';

const mb = 2 ** 20;
const limits = { lowBytes: 2_000 * mb, stopBytes: 500 * mb };
const system = () => ctxOf(gate.running.gate, { actor: systemActor('gate') });
const as = (actor: PersonActor) => ctxOf(gate.running.gate, { actor });
const report = (state: 'ok' | 'low' | 'critical', host = 'alpha') =>
  reportDiskSpace(system(), { state, freeBytes: 100 * mb, folder: '/data', host });
const events = (host: string) =>
  gate.database.db.prisma.auditEvent.findMany({
    where: { kind: 'installation.disk_space', subjectId: host },
    orderBy: { arrival: 'asc' },
  });

let gate: TestGate;
let admin: PersonActor;
beforeAll(async () => {
  gate = await startTestGate(4841);
  admin = await addPerson(gate.database.db, 'adam', ['admin']);
});
afterAll(() => gate?.close());

describe('the state of a disk', () => {
  test.each([
    [3_000, 'ok', 'ok'],
    [1_999, 'ok', 'low'],
    [2_100, 'low', 'low'],
    [2_201, 'low', 'ok'],
    [499, 'ok', 'critical'],
    [540, 'critical', 'critical'],
    [560, 'critical', 'low'],
    [2_100, 'critical', 'low'],
    [0, 'low', 'critical'],
  ] as const)('with %i MB left, coming from %3$s', (freeMb, before, after) => {
    expect(diskStateOf(freeMb * mb, before, limits)).toBe(after);
  });

  test('with limits of zero is never anything but ok', () => {
    expect(diskStateOf(0, 'ok', { lowBytes: 0, stopBytes: 0 })).toBe('ok');
  });
});

describe('telling of it', () => {
  test('is for the installation alone, and seeing it for admins and auditors', async () => {
    await expect(
      reportDiskSpace(as(admin), { state: 'low', freeBytes: 1, folder: '/', host: 'x' }),
    ).rejects.toMatchObject({ code: 'forbidden' });
    for (const role of ['owner', 'approver'] as const)
      await expect(readDiskWarnings(as(personActor('per_x', [role])))).rejects.toMatchObject({
        code: 'forbidden',
      });
    expect(await events('x')).toEqual([]);
  });

  test('history has each change once, and admins are told of those for the worse', async () => {
    const told = () =>
      gate.database.db.prisma.notification.count({
        where: { personId: admin.personId, kind: 'installation.disk_space' },
      });
    expect(await report('ok')).toEqual({ changed: false });
    expect(await report('low')).toEqual({ changed: true });
    expect(await report('low')).toEqual({ changed: false });
    expect(await readDiskWarnings(as(admin))).toMatchObject([{ host: 'alpha', state: 'low', freeMb: 100 }]);
    await report('critical');
    expect(await told()).toBe(2);
    await report('low');
    await report('ok');
    expect(await told()).toBe(2);
    expect(await readDiskWarnings(as(admin))).toEqual([]);
    expect((await events('alpha')).map(({ before, after }) => [before, after])).toEqual(
      ['ok', 'low', 'critical', 'low', 'ok']
        .slice(1)
        .map((state, index) => [{ state: ['ok', 'low', 'critical', 'low'][index] }, { state }]),
    );
    expect((await events('alpha'))[0]).toMatchObject({ actorKind: 'system', actorId: 'gate' });
  });

  test('is renewed while it lasts, and a host that is gone is not warned of for good', async () => {
    const at = (seconds: number): Ctx => ({
      ...system(),
      clock: { ...systemClock, now: () => addSeconds(new Date(), seconds) },
    });
    const low = { state: 'low', freeBytes: 100 * mb, folder: '/data', host: 'gone' } as const;
    const warned = async (seconds: number) =>
      (await readDiskWarnings({ ...as(admin), clock: at(seconds).clock })).some(
        ({ host }) => host === 'gone',
      );
    expect(await reportDiskSpace(at(0), low)).toEqual({ changed: true });
    expect(await reportDiskSpace(at(1_700), low)).toEqual({ changed: false });
    expect(await reportDiskSpace(at(1_900), low)).toEqual({ changed: true });
    expect((await events('gone')).map(({ before }) => before)).toEqual([{ state: 'ok' }, { state: 'low' }]);
    expect([await warned(5_400), await warned(5_600)]).toEqual([true, false]);
    await reportDiskSpace(at(1_950), { ...low, state: 'ok' });
  });

  test('of two that tell at once one is in history', async () => {
    await Promise.all(Array.from({ length: 4 }, () => report('low', 'beta')));
    expect(await events('beta')).toHaveLength(1);
    await report('ok', 'beta');
  });
});

test('what cannot be told is told at the next look, and counts from the first', async () => {
  let freeBytes = 100 * mb;
  let fails = true;
  const ctx = () => {
    if (fails) throw new Error('the database is full');
    return system();
  };
  const errors: unknown[] = [];
  const watch = await watchDisk({
    folders: ['/data'],
    limits,
    ctx,
    log: { warn: () => undefined, error: (fact: unknown) => errors.push(fact) },
    read: async () => ({ folder: '/data', freeBytes }),
    everyMs: 10,
  });
  try {
    expect(watch.state()).toBe('critical');
    expect(errors).not.toEqual([]);
    fails = false;
    await expect.poll(async () => (await readDiskWarnings(as(admin))).length).toBe(1);
    freeBytes = 9_000 * mb;
    await expect.poll(watch.state).toBe('ok');
    await expect.poll(async () => (await readDiskWarnings(as(admin))).length).toBe(0);
  } finally {
    watch.stop();
  }
});

test('free space is that of the tightest disk', async () => {
  expect((await readFreeSpace(['/tmp', '/proc'])).folder).toBe('/proc');
  await expect(readFreeSpace(['/does/not/exist'])).rejects.toThrow('ENOENT');
});

describe('a gate whose disk is nearly full', () => {
  let full: TestGate;
  beforeAll(async () => {
    // /proc has no room at all, as far as a file system says.
    full = await startTestGate(4842, {}, { diskFolders: ['/proc'] });
    await ensureSigningKeys(ctxOf(full.running.gate, { actor: systemActor('test') }));
  });
  afterAll(() => full?.close());
  const registration = {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: 'https://any.example' },
    body: JSON.stringify({ client_name: 'New', redirect_uris: ['http://127.0.0.1/callback'] }),
  };
  beforeEach(async () => {
    expect(await full.database.db.prisma.client.count({ where: { kind: 'dynamic' } })).toBe(0);
  });

  test('takes no registration, and says when to come again', async () => {
    const answer = await full.ask('/register', registration);
    expect([answer.status, answer.json().error]).toEqual([503, 'temporarily_unavailable']);
    expect(answer.headers).toMatchObject({ 'retry-after': '300', 'access-control-allow-origin': '*' });
    expect(answer.text).not.toMatch(/disk/i);
    for (const path of ['/register?x=1', '/register'])
      expect(
        (
          await full.ask(path, {
            ...registration,
            headers: { ...registration.headers, authorization: 'Bearer x' },
          })
        ).status,
      ).toBe(503);
  });

  test('issues tokens, and stops agents', async () => {
    const ctx = ctxOf(full.running.gate, { actor: systemActor('test') });
    await full.database.db.prisma.installation.create({
      data: { id: 1, issuer: full.issuer, createdAt: new Date() },
    });
    const agent = await createApprovedAgent(ctx, { authMethod: 'private_key_jwt' });
    const client = tokenClient(full);
    expect((await client.credentials(agent, { resource: agent.resource })).status).toBe(200);
    await revokeAgent(ctx, stopAgentInput.parse({ agentId: agent.agentId }));
    expect((await client.credentials(agent, { resource: agent.resource })).status).not.toBe(200);
  });

  test('stays ready, because stops must get through, and says what is wrong beside', async () => {
    const answer = await full.ask('/readyz');
    expect(answer.json()).toMatchObject({ status: 'ready', disk: 'critical' });
    const metrics = (await full.ask('/metrics')).text;
    expect(metrics).toMatch(/^countersign_data_free_bytes 0$/m);
    expect(metrics).toMatch(/^countersign_registrations_stopped_total [1-9]/m);
  });
});
