import { expect, test } from 'vitest';
import { personActor, TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { readStaffing } from './read-staffing.ts';

test('who is missing is counted among people who can act now, and owners without an approver are named', async () => {
  await using database = await createTestDatabase();
  const clock = new TestClock();
  const ctx = testCtx(database.db, personActor('per_a', ['auditor']), { clock });
  for (const role of ['owner', 'approver'] as const)
    await expect(readStaffing(testCtx(database.db, personActor('per_x', [role])))).rejects.toMatchObject({
      code: 'forbidden',
    });
  const olive = await addPerson(database.db, 'olive', ['owner']);
  expect(await readStaffing(ctx)).toEqual({
    admins: 0,
    approvers: 0,
    undecidable: [{ personId: olive.personId, displayName: 'olive' }],
  });
  const both = await addPerson(database.db, 'bo', ['owner', 'approver', 'admin']);
  expect(await readStaffing(ctx)).toMatchObject({
    admins: 1,
    approvers: 1,
    undecidable: [{ personId: both.personId }],
  });
  const ava = await addPerson(database.db, 'ava', ['approver', 'admin']);
  expect(await readStaffing(ctx)).toEqual({ admins: 2, approvers: 2, undecidable: [] });
  // A group's grant that sleeps, and a leaver's, are nobody's.
  await database.db.prisma.roleGrant.updateMany({
    where: { personId: ava.personId, role: 'admin' },
    data: { lapsesAt: new Date(clock.now().getTime() - 1) },
  });
  await database.db.prisma.person.update({ where: { id: both.personId }, data: { state: 'deactivated' } });
  expect(await readStaffing(ctx)).toEqual({ admins: 0, approvers: 1, undecidable: [] });
});
