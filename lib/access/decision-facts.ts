import type { Role } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';

/** Since when a person may decide, and by whose word: what separation of duties needs to know of a decider. */
export type DecidingRight = {
  /** When the earliest of the roles in effect took effect; null when none is. */
  since: Date | null;
  /** Verified subjects of those who granted or confirmed the roles in effect. The host is nobody's subject. */
  grantedBySubjects: readonly string[];
};

/**
 * The person's right to decide through any of `anyOf`, as it stands now. Where several roles would do, the one
 * longest in effect counts, with those who gave it.
 */
export async function rolesEffectiveSince(
  tx: Pick<Tx, 'roleGrant' | 'person'>,
  ctx: Pick<Ctx, 'clock'>,
  personId: string,
  anyOf: readonly Role[],
): Promise<DecidingRight> {
  const grant = await tx.roleGrant.findFirst({
    where: { personId, role: { in: [...anyOf] }, endedAt: null, effectiveAt: { lte: ctx.clock.now() } },
    orderBy: { effectiveAt: 'asc' },
    select: { effectiveAt: true, grantedById: true, confirmedById: true },
  });
  if (!grant) return { since: null, grantedBySubjects: [] };
  const ids = [grant.grantedById, grant.confirmedById].filter((id) => id !== null);
  const granters = await tx.person.findMany({ where: { id: { in: ids } }, select: { subject: true } });
  return { since: grant.effectiveAt, grantedBySubjects: granters.map((person) => person.subject) };
}

export type DecisionConflict =
  | 'has no right to decide'
  | 'granted by the requester'
  | 'submitted before the grant';

/**
 * Why this right may not be used on a request: nobody decides for whoever gave them the right, nor anything that was
 * already waiting when they got it. Null when nothing is in the way.
 */
export function decisionConflict(
  right: DecidingRight,
  request: { submittedAt: Date; requesterSubjects: readonly string[] },
): DecisionConflict | null {
  if (!right.since) return 'has no right to decide';
  if (right.grantedBySubjects.some((subject) => request.requesterSubjects.includes(subject))) {
    return 'granted by the requester';
  }
  return request.submittedAt < right.since ? 'submitted before the grant' : null;
}
