import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { checkSeparation, type DecisionConflict } from './separation.ts';
import { type LoadedRequest, listApprovers, readInvolvement } from './store.ts';

export type EligibleApprover = { personId: string; displayName: string };

/** Who can decide a request now, and who is an approver but may not decide this one, with the reason. */
export async function readEligibility(
  tx: Tx,
  ctx: Pick<Ctx, 'clock'>,
  request: LoadedRequest,
): Promise<{
  eligible: EligibleApprover[];
  excluded: (EligibleApprover & { conflict: DecisionConflict })[];
}> {
  const involvement = await readInvolvement(tx, request);
  // What is not submitted yet would be submitted now.
  const submittedAt = involvement.submittedAt ?? ctx.clock.now();
  const eligible: EligibleApprover[] = [];
  const excluded: (EligibleApprover & { conflict: DecisionConflict })[] = [];
  for (const candidate of await listApprovers(tx, ctx.clock.now())) {
    const { personId, displayName } = candidate;
    const result = checkSeparation(candidate, { ...involvement, submittedAt });
    if (result.ok) eligible.push({ personId, displayName });
    else excluded.push({ personId, displayName, conflict: result.error });
  }
  return { eligible, excluded };
}

/** When nobody can decide, what is missing, in a sentence an owner can pass on. */
export function describeMissingApprover(excludedCount: number): string {
  return excludedCount === 0
    ? 'Nobody holds the role approver. An admin grants it under People.'
    : 'Every approver had a hand in this request or got the role from its owner. An admin can make somebody else an approver; they decide what is submitted after that.';
}
