import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addServer, addServerInput, editServer } from '#lib/catalogue/servers.ts';
import { nextSyncAfter } from '#lib/catalogue/sync-schedule.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { createLogger } from '#lib/platform/log.ts';
import { startNotesServer } from '../../examples/notes-server.ts';
import { personActor, TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { startRawMcpServer } from '../../tests/raw-mcp-server.ts';
import { syncServers } from './sync-servers.ts';

let database: TestDatabase;
const clock = new TestClock();
const admin = () => testCtx(database.db, personActor('per_admin', ['admin']), { clock });
const run = () =>
  syncServers(testCtx(database.db, systemActor('job sync-servers'), { clock }), null, {
    log: createLogger({ level: 'silent' }),
  });
const rowOf = (id: string) => database.db.prisma.mcpServer.findUniqueOrThrow({ where: { id } });

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function add(upstreamUrl: string, port: number) {
  const { id } = await addServer(
    admin(),
    addServerInput.parse({ name: `S${port}`, resource: `http://127.0.0.1:${port}/mcp`, upstreamUrl }),
  );
  return id;
}

describe('the schedule of readings', () => {
  test('is the installation’s own', async () => {
    await expect(
      syncServers(admin(), null, { log: createLogger({ level: 'silent' }) }),
    ).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('reads what is due, sets the next time, and leaves what nobody reads by itself', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'sync-'));
    const notes = await startNotesServer({ folder, port: 0 });
    const serverId = await add(notes.url, 4301);
    await run();
    expect(await rowOf(serverId)).toMatchObject({ lastSyncedAt: null, nextSyncAt: null });
    await editServer(admin(), { serverId, syncEverySeconds: 3_600 });
    const { nextSyncAt } = await rowOf(serverId);
    expect(nextSyncAt?.getTime()).toBeGreaterThan(clock.now().getTime() + 3_000_000);
    clock.advanceSeconds(4_000);
    await run();
    expect(await rowOf(serverId)).toMatchObject({ lastSyncedAt: clock.now(), syncFailures: 0 });
    const events = await database.db.prisma.auditEvent.findMany({
      where: { subjectId: serverId, kind: { in: ['server.edit', 'server.sync'] } },
      orderBy: { arrival: 'asc' },
    });
    expect(events).toMatchObject([
      { actorId: 'per_admin', before: { syncEverySeconds: 86_400 }, after: { syncEverySeconds: 3_600 } },
      { actorKind: 'system' },
    ]);
    await editServer(admin(), { serverId, syncEverySeconds: null });
    expect((await rowOf(serverId)).nextSyncAt).toBeNull();
    await notes.close();
    await rm(folder, { recursive: true, force: true });
  });

  test('a malformed server and one that cannot be stored keep no other from being read', async () => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'sync-'));
    const notes = await startNotesServer({ folder, port: 0 });
    const raw = await startRawMcpServer({
      list: () => '{"tools":[{"name":"a\\u0000","inputSchema":{"type":"object"}}]}',
    });
    const malformed = await add(raw.url, 4311);
    const unstorable = await add(notes.url, 4312);
    const good = await add(notes.url, 4313);
    for (const [n, id] of [malformed, unstorable, good].entries()) {
      await database.db.prisma.mcpServer.update({
        where: { id },
        data: { syncEverySeconds: 3_600, nextSyncAt: new Date(clock.now().getTime() - 10_000 + n) },
      });
    }
    const superuser = new pg.Client({ connectionString: database.superuserUrl });
    await superuser.connect();
    await superuser.query(`CREATE FUNCTION refuse_tool() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'secret of the database'; END $$`);
    await superuser.query(`CREATE TRIGGER refuse_tool BEFORE INSERT ON tool FOR EACH ROW
      WHEN (NEW.server_id = '${unstorable}') EXECUTE FUNCTION refuse_tool()`);
    await run();
    expect((await rowOf(good)).lastSyncedAt).toEqual(clock.now());
    for (const id of [malformed, unstorable]) {
      const row = await rowOf(id);
      expect(row).toMatchObject({ lastSyncedAt: null, syncFailures: 1 });
      expect(row.nextSyncAt?.getTime()).toBeGreaterThan(clock.now().getTime());
      expect(row.lastSyncError).not.toContain('secret');
    }
    const [event] = await database.db.prisma.auditEvent.findMany({
      where: { subjectId: malformed, kind: 'server.sync' },
    });
    expect(event).toMatchObject({ outcome: 'refused', reason: expect.stringContaining('a⟨U+0000⟩') });
    await superuser.query('DROP FUNCTION refuse_tool CASCADE');
    await superuser.end();
    // Nobody reads these three again by themselves.
    await database.db.prisma.mcpServer.updateMany({
      where: { id: { in: [malformed, unstorable, good] } },
      data: { syncEverySeconds: null, nextSyncAt: null },
    });
    await Promise.all([raw.close(), notes.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  test('a server’s time is moved on before it is asked, and two workers ask it once', async () => {
    const asked: string[] = [];
    const ids: Record<string, string> = {};
    const serve = (name: string, meanwhile: () => Promise<void>) =>
      startRawMcpServer({
        list: async () => {
          asked.push(name);
          const { nextSyncAt } = await rowOf(ids[name] as string);
          expect(nextSyncAt?.getTime()).toBeGreaterThan(clock.now().getTime());
          await meanwhile();
          return '{"tools":[]}';
        },
      });
    // While one worker asks the first, another looks what is due.
    const servers = {
      first: await serve('first', run),
      second: await serve('second', async () => undefined),
    };
    for (const [n, name] of (['first', 'second'] as const).entries()) {
      const id = await add(servers[name].url, 4314 + n);
      ids[name] = id;
      await database.db.prisma.mcpServer.update({
        where: { id },
        data: { syncEverySeconds: 3_600, nextSyncAt: new Date(clock.now().getTime() - 10_000 + n) },
      });
    }
    await run();
    expect(asked).toEqual(['first', 'second']);
    for (const name of ['first', 'second'] as const) {
      expect(await rowOf(ids[name] as string)).toMatchObject({ syncFailures: 0, lastSyncedAt: clock.now() });
      await editServer(admin(), { serverId: ids[name] as string, syncEverySeconds: null });
      await servers[name].close();
    }
  });

  test('tries a failing server again with growing pauses and tells the admins once a streak', async () => {
    const adam = await addPerson(database.db, 'adam', ['admin']);
    const serverId = await add('http://127.0.0.1:9/mcp', 4302);
    await editServer(admin(), { serverId, syncEverySeconds: 3_600 });
    clock.advanceSeconds(4_000);
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await run();
      const row = await rowOf(serverId);
      expect(row.syncFailures).toBe(attempt);
      expect(row.lastSyncError).toMatch(/did not list its tools/);
      const pause = ((row.nextSyncAt?.getTime() ?? 0) - clock.now().getTime()) / 1000;
      pauses.push(pause);
      clock.advanceSeconds(pause + 1);
    }
    expect(pauses[0]).toBeLessThan(1_000);
    expect(pauses[1]).toBeGreaterThan(1_500);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(3_960);
    const told = await database.db.prisma.notification.findMany({ where: { personId: adam.personId } });
    expect(told).toHaveLength(1);
  });
});

test('the next reading lies within a tenth of its interval, however often it failed', () => {
  for (let failures = 0; failures < 60; failures += 1) {
    const now = clock.now();
    const next = nextSyncAfter(now, 86_400, failures);
    const pause = ((next?.getTime() ?? 0) - now.getTime()) / 1000;
    expect(pause).toBeGreaterThanOrEqual(Math.min(86_400, 900) * 0.9);
    expect(pause).toBeLessThanOrEqual(86_400 * 1.1);
  }
  expect(nextSyncAfter(clock.now(), null, 3)).toBeNull();
});
