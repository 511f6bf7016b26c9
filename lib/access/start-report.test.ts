import { afterAll, beforeAll, expect, test } from 'vitest';
import { anonymous, systemActor } from '#lib/platform/actor.ts';
import { personActor, TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { readStartReports, recordStart } from './start-report.ts';
import { testProvider } from './test-provider.ts';

let database: TestDatabase;
const clock = new TestClock();
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const report = { role: 'all', version: '0.1.0', notes: ['Brought up to date.'], settings: [] };

test('only the start itself writes it, and the next start of its kind takes its place', async () => {
  const system = testCtx(database.db, systemActor('start'), { clock });
  await expect(
    recordStart(testCtx(database.db, personActor('per_a', ['admin'])), report),
  ).rejects.toMatchObject({ code: 'forbidden' });
  await recordStart(system, report);
  clock.advanceSeconds(60);
  await recordStart(system, { ...report, version: '0.2.0', notes: [] });
  const rows = await readStartReports(testCtx(database.db, personActor('per_a', ['auditor'])));
  expect(rows).toMatchObject([{ role: 'all', version: '0.2.0', startedAt: clock.now(), notes: [] }]);
});

test('owners, approvers and strangers read nothing of the configuration and test no provider', async () => {
  for (const role of ['owner', 'approver'] as const) {
    const ctx = testCtx(database.db, personActor('per_o', [role]));
    await expect(readStartReports(ctx)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(testProvider(ctx)).rejects.toMatchObject({ code: 'forbidden' });
  }
  const nobody = testCtx(database.db, anonymous);
  await expect(readStartReports(nobody)).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(testProvider(nobody)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('a provider that is not there is said to be so in a sentence; none configured is a conflict', async () => {
  const admin = testCtx(database.db, personActor('per_a', ['admin']), { clock });
  await expect(testProvider(admin)).rejects.toMatchObject({ code: 'conflict' });
  const provider = { issuer: 'http://127.0.0.1:9' } as never;
  await expect(
    testProvider({ ...admin, site: { ...admin.site, identityProvider: provider } }),
  ).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('could not be read') });
});
