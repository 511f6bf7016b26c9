import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { openWakeUps } from './wake-ups.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const notify = (channel: string, payload: string) =>
  database.db.hot.query('SELECT pg_notify($1, $2)', [channel, payload]);
const listeningBackends = async () => {
  const { rows } = await database.db.hot.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'countersign wake-ups' AND datname = current_database()`,
  );
  return rows.map((row) => row.pid);
};

describe('wake-ups', () => {
  test('each listener hears its own channels, all of them over one connection', async () => {
    const wakeUps = await openWakeUps(database.db.url);
    try {
      const heard: string[] = [];
      await wakeUps.listen({
        channels: ['a'],
        onNotice: (channel, payload) => heard.push(`1 ${channel} ${payload}`),
      });
      const stop = await wakeUps.listen({
        channels: ['a', 'b'],
        onNotice: (channel, payload) => heard.push(`2 ${channel} ${payload}`),
      });
      expect(await listeningBackends()).toHaveLength(1);
      await notify('a', 'x');
      await notify('b', 'y');
      await expect.poll(() => heard).toEqual(['1 a x', '2 a x', '2 b y']);
      stop();
      await notify('b', 'z');
      await notify('a', 'last');
      await expect.poll(() => heard.slice(3)).toEqual(['1 a last']);
    } finally {
      await wakeUps.close();
    }
  });

  test('a lost connection is said, opened again, and said to be back before anything is heard', async () => {
    const wakeUps = await openWakeUps(database.db.url);
    try {
      const story: string[] = [];
      let refusals = 1;
      await wakeUps.listen({
        channels: ['a'],
        onNotice: (_channel, payload) => story.push(`heard ${payload}`),
        onLost: () => story.push('lost'),
        async onBack() {
          if (refusals-- > 0) throw new Error('not yet able to read what was missed');
          story.push('back');
        },
      });
      const [pid] = await listeningBackends();
      await database.db.hot.query('SELECT pg_terminate_backend($1)', [pid]);
      await expect.poll(() => story, { timeout: 5_000 }).toEqual(['lost', 'back']);
      await notify('a', 'x');
      await expect.poll(() => story).toEqual(['lost', 'back', 'heard x']);
      expect(await listeningBackends()).toHaveLength(1);
    } finally {
      await wakeUps.close();
    }
    expect(await listeningBackends()).toHaveLength(0);
  });

  test('a database that cannot be reached at the start is an error, not silence', async () => {
    const url = new URL(database.db.url);
    url.pathname = '/no_such_database';
    await expect(openWakeUps(url.href)).rejects.toThrow('no_such_database');
  });
});
