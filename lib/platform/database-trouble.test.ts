import pg from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase } from '#tests/database.ts';
import { WireProxy } from '#tests/wire-proxy.ts';
import { isDatabaseTrouble } from './database-trouble.ts';
import { openDb } from './db.ts';

test('a database that is away is trouble, for both doors; a wrong statement and a broken program are not', async () => {
  const db = openDb('postgresql://nobody:x@127.0.0.1:1/none', { prisma: 1, hot: 1, emergency: 1 });
  try {
    const failures = await Promise.allSettled([db.hot.query('SELECT 1'), db.prisma.person.count()]);
    for (const failure of failures) {
      expect(failure.status === 'rejected' && isDatabaseTrouble(failure.reason)).toBe(true);
    }
  } finally {
    await db.close();
  }
  expect(isDatabaseTrouble(Object.assign(new Error('cancelled'), { code: '57014' }))).toBe(true);
  expect(isDatabaseTrouble(Object.assign(new Error('no column'), { code: '42703' }))).toBe(false);
  expect(isDatabaseTrouble(new TypeError('undefined is not a function'))).toBe(false);
  expect(isDatabaseTrouble(undefined)).toBe(false);
});

test('a connection that ends in the middle of a transaction is trouble, for every statement that comes after', async () => {
  await using database = await createTestDatabase();
  const failures: unknown[] = [];
  await expect(
    database.db.prisma.$transaction(async (tx) => {
      const [row] = await tx.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
      await terminateBackend(database.superuserUrl, row?.pid);
      for (let n = 0; n < 3; n++) failures.push(await tx.$queryRaw`SELECT 1`.catch((error) => error));
      throw failures[0];
    }),
  ).rejects.toSatisfy(isDatabaseTrouble);
  expect(failures.map(isDatabaseTrouble)).toEqual([true, true, true]);
});

test('last words of PostgreSQL that are read together with an answer end no process: the connection had just gone to a transaction', async () => {
  await using database = await createTestDatabase();
  const { proxy, url } = await WireProxy.start(database.urls.gate);
  const db = openDb(url, { prisma: 1, hot: 1, emergency: 1 });
  try {
    const [row] = await db.prisma.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
    proxy.holdAnswers();
    const answer = db.prisma.$queryRaw`SELECT 1 AS one`;
    answer.catch(() => {});
    await proxy.heldMessage('Z');
    const waiting = db.prisma
      .$transaction((tx) => tx.$queryRaw`SELECT 2 AS two`)
      .catch((error: unknown) => error);
    await terminateBackend(database.superuserUrl, row?.pid);
    await proxy.heldMessage('E');
    proxy.passAnswers();
    expect(await answer).toEqual([{ one: 1 }]);
    expect(await waiting).toSatisfy(isDatabaseTrouble);
    expect(await db.prisma.$queryRaw`SELECT 3 AS three`).toEqual([{ three: 3 }]);
  } finally {
    await db.close();
    await proxy.close();
  }
});

test('a PostgreSQL that falls silent in the middle of an exchange is given up within seconds, and used again later', async () => {
  await using database = await createTestDatabase();
  const { proxy, url } = await WireProxy.start(database.urls.gate);
  const db = openDb(url, { prisma: 1, hot: 1, emergency: 1 });
  try {
    await db.hot.query('SELECT 1');
    proxy.fallSilent();
    const failure = await db.hot.query('SELECT 1').catch((error: unknown) => error);
    expect(isDatabaseTrouble(failure)).toBe(true);
    proxy.speakAgain();
    expect((await db.hot.query('SELECT 2 AS two')).rows).toEqual([{ two: 2 }]);
  } finally {
    await db.close();
    await proxy.close();
  }
});

async function terminateBackend(superuserUrl: string, pid: number | undefined): Promise<void> {
  const superuser = new pg.Client({ connectionString: superuserUrl });
  await superuser.connect();
  await superuser.query('SELECT pg_terminate_backend($1, 5000)', [pid]);
  await superuser.end();
}
