import { recordEvent } from '#lib/audit/record.ts';
import type { Role } from '#lib/platform/actor.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx } from '#lib/platform/db.ts';
import type { GroupRoles } from '#lib/platform/identity-provider.ts';
import { newId } from '#lib/platform/ids.ts';
import { providerSessionMaxSeconds } from './read-actor.ts';
import { endSessionsBefore, hasAnotherAdmin } from './roles.ts';

/**
 * Makes the roles somebody has through groups equal to the groups they are in now. The operator's mapping is the
 * grant, so it takes effect without a second admin; what an admin granted is the admin's to end and is left alone, and
 * the last admin stays one, as everywhere. A role of a group gives rights for as long as a session of the provider
 * lasts, however its holder signs in, and sleeps until the provider names the group again: an API token or a password
 * must not keep what the group has taken away.
 */
export async function followGroups(
  tx: Tx,
  ctx: Ctx,
  personId: string,
  groups: readonly string[],
  mapping: readonly GroupRoles[],
): Promise<void> {
  const wanted = rolesOf(groups, mapping);
  const grants = await tx.roleGrant.findMany({ where: { personId, endedAt: null } });
  const now = ctx.clock.now();
  const lapsesAt = addSeconds(now, providerSessionMaxSeconds);
  for (const grant of grants) {
    if (grant.providerGroup === null || wanted.has(grant.role as Role)) continue;
    if (grant.role === 'admin' && !(await hasAnotherAdmin(tx, ctx, personId))) {
      await tx.roleGrant.update({ where: { id: grant.id }, data: { lapsesAt } });
      continue;
    }
    await endGroupGrant(tx, ctx, grant, 'left the group');
  }
  for (const [role, group] of wanted) {
    const grant = grants.find((held) => held.role === role);
    if (!grant) {
      await grantByGroup(tx, ctx, { personId, role, group, lapsesAt });
    } else if (grant.providerGroup !== null) {
      await tx.roleGrant.update({ where: { id: grant.id }, data: { providerGroup: group, lapsesAt } });
    } else if (grant.effectiveAt === null) {
      await confirmByGroup(tx, ctx, grant, { role, group, lapsesAt });
    }
  }
}

/** Ends what groups gave, for somebody who no longer signs in through the provider. */
export async function endGroupRoles(tx: Tx, ctx: Ctx, personId: string, reason: string): Promise<void> {
  const grants = await tx.roleGrant.findMany({
    where: { personId, endedAt: null, NOT: { providerGroup: null } },
  });
  for (const grant of grants) await endGroupGrant(tx, ctx, grant, reason);
}

type Grant = { id: string; personId: string; role: string; providerGroup: string | null };
type ByGroup = { role: Role; group: string; lapsesAt: Date };

async function grantByGroup(tx: Tx, ctx: Ctx, given: ByGroup & { personId: string }): Promise<void> {
  const { personId, role, group, lapsesAt } = given;
  const id = newId('roleGrant');
  const now = ctx.clock.now();
  await tx.roleGrant.create({
    data: { id, personId, role, grantedAt: now, effectiveAt: now, providerGroup: group, lapsesAt },
  });
  await recordEvent(tx, ctx, {
    kind: 'role.grant',
    subjectId: id,
    data: { personId, role, waits: false, group },
    after: { role, state: 'in effect' },
  });
  await endSessionsBefore(tx, ctx, personId, role);
  await notifyChange(tx, 'people', personId);
}

/** What an admin asked for and waited for a second one, the group gives by itself. */
async function confirmByGroup(tx: Tx, ctx: Ctx, grant: Grant, given: ByGroup): Promise<void> {
  const { role, group, lapsesAt } = given;
  await tx.roleGrant.update({
    where: { id: grant.id },
    data: { effectiveAt: ctx.clock.now(), providerGroup: group, lapsesAt },
  });
  await recordEvent(tx, ctx, {
    kind: 'role.confirm',
    subjectId: grant.id,
    data: { personId: grant.personId, role, group },
    before: { state: 'waits for a second admin' },
    after: { state: 'in effect' },
  });
  await endSessionsBefore(tx, ctx, grant.personId, role);
  await notifyChange(tx, 'people', grant.personId);
}

async function endGroupGrant(tx: Tx, ctx: Ctx, grant: Grant, reason: string): Promise<void> {
  await tx.roleGrant.update({ where: { id: grant.id }, data: { endedAt: ctx.clock.now() } });
  await recordEvent(tx, ctx, {
    kind: 'role.end',
    subjectId: grant.id,
    reason,
    data: { personId: grant.personId, role: grant.role, group: grant.providerGroup },
    before: { state: 'in effect' },
    after: { state: 'ended' },
  });
  await notifyChange(tx, 'people', grant.personId);
}

/** Each role with the first group that gives it. */
function rolesOf(groups: readonly string[], mapping: readonly GroupRoles[]): Map<Role, string> {
  const wanted = new Map<Role, string>();
  for (const { group, roles } of mapping) {
    if (!groups.includes(group)) continue;
    for (const role of roles) if (!wanted.has(role)) wanted.set(role, group);
  }
  return wanted;
}
