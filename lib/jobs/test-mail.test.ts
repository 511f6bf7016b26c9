import { afterAll, beforeAll, expect, test } from 'vitest';
import { anonymous } from '#lib/platform/actor.ts';
import { personActor, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { testMail } from './test-mail.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('goes to the admin who asks, in the browser, and to nobody else; not many wait at once', async () => {
  const adam = await addPerson(database.db, 'adam', ['admin']);
  await addPerson(database.db, 'ada', ['admin']);
  for (const role of ['owner', 'approver', 'auditor'] as const)
    await expect(testMail(testCtx(database.db, personActor('per_x', [role])))).rejects.toMatchObject({
      code: 'forbidden',
    });
  await expect(testMail(testCtx(database.db, anonymous))).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(
    testMail(testCtx(database.db, { ...adam, via: 'api token', sessionId: null } as never)),
  ).rejects.toMatchObject({ code: 'forbidden' });
  const ctx = testCtx(database.db, adam);
  const { messageId, to } = await testMail(ctx);
  expect(to).toBe(adam.email);
  expect(await database.db.prisma.outboxMessage.findMany()).toMatchObject([
    { id: messageId, channel: 'mail', destination: adam.email, kind: 'mail.test' },
  ]);
  expect(await database.db.prisma.auditEvent.findMany()).toMatchObject([
    { kind: 'message.test', actorId: adam.personId, subjectId: messageId },
  ]);
  const more = await Promise.allSettled(Array.from({ length: 5 }, () => testMail(ctx)));
  expect(more.filter((each) => each.status === 'fulfilled').length).toBeLessThanOrEqual(2);
  await expect(testMail(ctx)).rejects.toMatchObject({ code: 'limit_exceeded' });
});
