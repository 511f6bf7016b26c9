import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { requireToken, takeToken } from './rate-limit.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database?.drop());

test('a bucket gives its capacity, then one token each refill time', async () => {
  const clock = new TestClock();
  const ctx = testCtx(database.db, undefined, { clock });
  const take = () => takeToken(ctx, 'a:1', { capacity: 3, refillSeconds: 10 });
  for (let n = 0; n < 3; n++) expect(await take()).toEqual({ allowed: true });
  expect(await take()).toEqual({ allowed: false, retryAfterSeconds: 10 });
  clock.advanceSeconds(4);
  expect(await take()).toEqual({ allowed: false, retryAfterSeconds: 6 });
  clock.advanceSeconds(6);
  expect(await take()).toEqual({ allowed: true });
  expect(await take()).toMatchObject({ allowed: false });
  clock.advanceSeconds(3600);
  for (let n = 0; n < 3; n++) expect(await take()).toEqual({ allowed: true });
  expect(await take()).toMatchObject({ allowed: false });
});

test('fifty at once take exactly what there is', async () => {
  const ctx = testCtx(database.db);
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, () => takeToken(ctx, 'b:1', { capacity: 7, refillSeconds: 60 })),
  );
  expect(outcomes.filter((outcome) => outcome.allowed)).toHaveLength(7);
});

test('a clock that jumps back neither refills nor drains', async () => {
  const clock = new TestClock();
  const ctx = testCtx(database.db, undefined, { clock });
  await takeToken(ctx, 'c:1', { capacity: 1, refillSeconds: 60 });
  clock.advanceSeconds(-3600);
  expect(await takeToken(ctx, 'c:1', { capacity: 1, refillSeconds: 60 })).toMatchObject({ allowed: false });
  clock.advanceSeconds(3600 + 60);
  expect(await takeToken(ctx, 'c:1', { capacity: 1, refillSeconds: 60 })).toEqual({ allowed: true });
});

test('the refusal names the wait, and what a stranger sent is stored as a digest only', async () => {
  const ctx = testCtx(database.db);
  const key = `sign-in:${'x'.repeat(300)}@example.test`;
  await requireToken(ctx, key, { capacity: 1, refillSeconds: 9 });
  await expect(requireToken(ctx, key, { capacity: 1, refillSeconds: 9 })).rejects.toMatchObject({
    code: 'limit_exceeded',
    detail: { retryAfterSeconds: 9 },
  });
  const rows = await database.db.prisma.rateBucket.findMany();
  expect(Math.max(...rows.map((row) => row.key.length))).toBeLessThan(100);
});
