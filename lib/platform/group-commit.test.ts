import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { groupCommit, isConnectionLoss } from './group-commit.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** Divides a hundred by each row, in one statement; the lock of a negative row is waited for first. */
function divider(options: { patienceMs?: number } = {}) {
  const batches: number[][] = [];
  const divide = groupCommit<number, number>({
    maxRows: 4,
    maxInFlight: 1,
    ...options,
    isOutcomeUnknown: isConnectionLoss,
    async run(rows) {
      batches.push([...rows]);
      const { rows: found } = await database.db.hot.query<{ q: number }>({
        text: `SELECT 100 / n AS q, CASE WHEN n < 0 THEN pg_advisory_xact_lock(-n)::text END AS waited
                 FROM unnest($1::int[]) WITH ORDINALITY AS t(n, place) ORDER BY place`,
        values: [rows],
      });
      return found.map((row) => row.q);
    },
  });
  return { divide, batches };
}

describe('group commit', () => {
  test('what comes at one moment shares statements, and each caller gets its own outcome', async () => {
    const { divide, batches } = divider();
    expect(await Promise.all([1, 2, 4, 5, 10, 20].map(divide))).toEqual([100, 50, 25, 20, 10, 5]);
    expect(batches).toEqual([
      [1, 2, 4, 5],
      [10, 20],
    ]);
  });

  test('one bad row fails alone', async () => {
    const { divide } = divider();
    const [five, failed, fifty] = await Promise.allSettled([20, 0, 2].map(divide));
    expect(five).toEqual({ status: 'fulfilled', value: 5 });
    expect(failed).toMatchObject({ status: 'rejected', reason: { code: '22012' } });
    expect(fifty).toEqual({ status: 'fulfilled', value: 50 });
  });

  test('a statement that waits for a lock holds nobody else up, and is answered when it gets it', async () => {
    const { divide } = divider({ patienceMs: 10 });
    const holder = await database.db.hot.connect();
    try {
      await holder.query('SELECT pg_advisory_lock(50)');
      let isAnswered = false;
      const waiting = divide(-50).then((outcome) => {
        isAnswered = true;
        return outcome;
      });
      const isWaiting = async () =>
        (await holder.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
          .rowCount === 1;
      while (!(await isWaiting()));
      expect(await divide(4)).toBe(25);
      expect(isAnswered).toBe(false);
      await holder.query('SELECT pg_advisory_unlock(50)');
      expect(await waiting).toBe(-2);
      expect(await divide(2)).toBe(50);
    } finally {
      holder.release();
    }
  });
});
