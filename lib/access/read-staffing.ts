import type { Ctx } from '#lib/platform/ctx.ts';
import { requireRole } from './require.ts';

export type Staffing = {
  admins: number;
  approvers: number;
  /** People whose own requests nobody can decide: the only approver asks for something, or nobody approves. */
  undecidable: { personId: string; displayName: string }[];
};

const mostNamed = 20;

/**
 * Whether the people there are can run this installation: a second admin, and for each owner an approver who is not
 * they. Grants that sleep, wait or belong to deactivated people count for nobody. For admins and auditors.
 */
export async function readStaffing(ctx: Ctx): Promise<Staffing> {
  requireRole(ctx, 'admin', 'auditor');
  const now = ctx.clock.now();
  const grants = await ctx.db.prisma.roleGrant.findMany({
    where: {
      role: { in: ['owner', 'approver', 'admin'] },
      endedAt: null,
      effectiveAt: { lte: now },
      OR: [{ lapsesAt: null }, { lapsesAt: { gt: now } }],
      person: { state: 'active' },
    },
    select: { role: true, person: { select: { id: true, displayName: true } } },
    orderBy: { person: { displayName: 'asc' } },
  });
  const holders = (role: string) =>
    new Map(
      grants.filter((grant) => grant.role === role).map(({ person }) => [person.id, person.displayName]),
    );
  const approvers = holders('approver');
  return {
    admins: holders('admin').size,
    approvers: approvers.size,
    undecidable: [...holders('owner')]
      .filter(([personId]) => approvers.size === 0 || (approvers.size === 1 && approvers.has(personId)))
      .slice(0, mostNamed)
      .map(([personId, displayName]) => ({ personId, displayName })),
  };
}
