import { recordEvent } from '#lib/audit/record.ts';
import type { Role } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx } from '#lib/platform/db.ts';
import type { GroupRoles } from '#lib/platform/identity-provider.ts';
import { newId } from '#lib/platform/ids.ts';
import { endSessionsBefore, listAdminIds } from './roles.ts';

/**
 * Makes the roles somebody has through groups equal to the groups they are in now. The operator's mapping is the
 * grant, so it takes effect without a second admin; what an admin granted is the admin's to end and is left alone, and
 * the last admin stays one, as everywhere.
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
  for (const grant of grants) {
    if (grant.providerGroup === null || wanted.has(grant.role as Role)) continue;
    if (grant.role === 'admin' && (await listAdminIds(tx, ctx)).every((id) => id === personId)) continue;
    await tx.roleGrant.update({ where: { id: grant.id }, data: { endedAt: now } });
    await recordEvent(tx, ctx, {
      kind: 'role.end',
      subjectId: grant.id,
      reason: 'left the group',
      data: { personId, role: grant.role, group: grant.providerGroup },
      before: { state: 'in effect' },
      after: { state: 'ended' },
    });
    await notifyChange(tx, 'people', personId);
  }
  for (const [role, group] of wanted) {
    if (grants.some((grant) => grant.role === role)) continue;
    const id = newId('roleGrant');
    await tx.roleGrant.create({
      data: { id, personId, role, grantedAt: now, effectiveAt: now, providerGroup: group },
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
