import { z } from 'zod';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { requireRole } from './require.ts';

export const groupKindInput = z.enum(['approver group', 'owner team']);
export type GroupKind = z.output<typeof groupKindInput>;

export const createGroupInput = z.strictObject({
  name: z.string().trim().min(1, 'Enter a name.').max(80),
  kind: groupKindInput,
});

/** Makes a group: an owner team sees its members' requests and agents, an approver group can be asked to decide. */
export async function createGroup(
  ctx: Ctx,
  input: z.output<typeof createGroupInput>,
): Promise<{ groupId: string }> {
  requireRole(ctx, 'admin');
  return withTransaction(ctx, async (tx) => {
    const known = await tx.group.findUnique({ where: { name: input.name }, select: { id: true } });
    if (known) {
      throw new Conflict('A group of this name exists.', {
        issues: [{ path: 'name', message: 'A group of this name exists.' }],
      });
    }
    const id = newId('group');
    await tx.group.create({ data: { id, name: input.name, kind: input.kind, createdAt: ctx.clock.now() } });
    await recordEvent(tx, ctx, {
      kind: 'group.change',
      subjectId: id,
      reason: 'created',
      after: { name: input.name, kind: input.kind },
    });
    await notifyChange(tx, 'people', id);
    return { groupId: id };
  });
}

export const groupMemberInput = z.strictObject({ groupId: z.string(), personId: z.string() });

/** Adds somebody to a group; what the group sees they see from now on. */
export async function addGroupMember(ctx: Ctx, input: z.output<typeof groupMemberInput>): Promise<void> {
  const admin = requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const { group, person, membership } = await loadMembership(tx, input);
    if (membership) throw new Conflict('This person is in the group already.');
    if (person.state !== 'active') throw new Conflict('This person is deactivated.', { state: person.state });
    await tx.groupMember.create({
      data: {
        id: newId('groupMember'),
        groupId: group.id,
        personId: person.id,
        addedById: admin.personId,
        addedAt: ctx.clock.now(),
      },
    });
    await recordEvent(tx, ctx, {
      kind: 'group.change',
      subjectId: group.id,
      reason: 'member added',
      data: { personId: person.id },
    });
    await notifyChange(tx, 'people', person.id);
  });
}

/** Takes somebody out of a group. The membership's row stays as history. */
export async function removeGroupMember(ctx: Ctx, input: z.output<typeof groupMemberInput>): Promise<void> {
  requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const { group, person, membership } = await loadMembership(tx, input);
    if (!membership) throw new Conflict('This person is not in the group.');
    const { count } = await tx.groupMember.updateMany({
      where: { id: membership.id, endedAt: null },
      data: { endedAt: ctx.clock.now() },
    });
    if (count === 0) throw new Conflict('This person is not in the group.');
    await recordEvent(tx, ctx, {
      kind: 'group.change',
      subjectId: group.id,
      reason: 'member removed',
      data: { personId: person.id },
    });
    await notifyChange(tx, 'people', person.id);
  });
}

async function loadMembership(tx: Tx, input: z.output<typeof groupMemberInput>) {
  const [group, person] = await Promise.all([
    tx.group.findUnique({ where: { id: input.groupId } }),
    tx.person.findUnique({ where: { id: input.personId } }),
  ]);
  if (!group || !person) throw new NotFound();
  const membership = await tx.groupMember.findFirst({
    where: { groupId: group.id, personId: person.id, endedAt: null },
  });
  return { group, person, membership };
}
