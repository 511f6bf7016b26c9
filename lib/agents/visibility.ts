import { hasRole, requirePerson } from '#lib/access/require.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';

/**
 * Whose agents and requests the actor may see: `all` for approvers, auditors and admins (and the installation itself),
 * for owners their own and those of the people in their owner teams. Nobody else sees any.
 */
export async function ownersVisibleTo(db: Tx, ctx: Pick<Ctx, 'actor'>): Promise<'all' | readonly string[]> {
  if (ctx.actor.kind === 'system') return 'all';
  if (hasRole(ctx.actor, 'approver', 'auditor', 'admin')) return 'all';
  const person = requirePerson(ctx as Ctx);
  if (!hasRole(ctx.actor, 'owner')) return [];
  const teams = await db.groupMember.findMany({
    where: { personId: person.personId, endedAt: null, group: { kind: 'owner team' } },
    select: { groupId: true },
  });
  if (teams.length === 0) return [person.personId];
  const members = await db.groupMember.findMany({
    where: { groupId: { in: teams.map((team) => team.groupId) }, endedAt: null },
    select: { personId: true },
  });
  return [...new Set([person.personId, ...members.map((member) => member.personId)])];
}

/** A Prisma filter on `ownerId` that keeps to what the actor may see. */
export async function ownerFilter(db: Tx, ctx: Pick<Ctx, 'actor'>): Promise<{ ownerId?: { in: string[] } }> {
  const owners = await ownersVisibleTo(db, ctx);
  return owners === 'all' ? {} : { ownerId: { in: [...owners] } };
}

/** The same for agents, which their deputies see too. */
export async function visibleAgents(db: Tx, ctx: Pick<Ctx, 'actor'>) {
  const owners = await ownersVisibleTo(db, ctx);
  if (owners === 'all') return {};
  const { personId } = requirePerson(ctx as Ctx);
  return { OR: [{ ownerId: { in: [...owners] } }, { deputyId: personId }] };
}

/** The same for requests: those of visible owners, one's own words, and what is asked for agents one is deputy of. */
export async function visibleRequests(db: Tx, ctx: Pick<Ctx, 'actor'>) {
  const owners = await ownersVisibleTo(db, ctx);
  if (owners === 'all') return {};
  const { personId } = requirePerson(ctx as Ctx);
  return {
    OR: [{ ownerId: { in: [...owners] } }, { createdById: personId }, { agent: { deputyId: personId } }],
  };
}
