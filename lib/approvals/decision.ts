import { requireRole } from '#lib/access/require.ts';
import type { Signature } from '#lib/access/signatures.ts';
import type { Snapshot } from '#lib/agents/snapshot.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Prisma, Tx } from '#lib/platform/db.ts';
import { Conflict, Forbidden, PreconditionFailed } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { diffSnapshots } from './diff.ts';
import { checkSeparation, describeConflict } from './separation.ts';
import { currentVotes, type LoadedRequest, loadVisible, readDecider, readInvolvement } from './store.ts';

export type VoteVerdict = 'approve' | 'approve narrowed' | 'request changes' | 'reject';

/**
 * Opens a decision: the actor is an approver now, the request is theirs to see and to decide. The approver is always
 * the actor, never a part of the input. Locks the request unless told
 * otherwise, so that of two deciders one goes first.
 */
export async function openDecision(
  tx: Tx,
  ctx: Ctx,
  requestId: string,
  options: { lock: boolean } = { lock: true },
): Promise<{ person: PersonActor; request: LoadedRequest }> {
  const person = requireRole(ctx, 'approver');
  const request = await loadVisible(tx, ctx, requestId, options);
  const decider = await readDecider(tx, person, ctx.clock.now());
  const separation = checkSeparation(decider, await readInvolvement(tx, request));
  if (!separation.ok) {
    const message = describeConflict(separation.error);
    if (separation.error.tag === 'voted') throw new Conflict(message, { state: request.state });
    throw new Forbidden(message, { conflict: separation.error.tag });
  }
  return { person, request };
}

/** Refuses a decision made on other words than the current ones, and says what changed since. */
export async function requireCurrentDigest(tx: Tx, request: LoadedRequest, presented: string): Promise<void> {
  const { revision } = request;
  if (presented === revision.snapshotDigest) return;
  const seen = await tx.requestRevision.findFirst({
    where: { requestId: request.id, snapshotDigest: presented },
    orderBy: { number: 'desc' },
  });
  throw new PreconditionFailed(
    seen
      ? `${request.label} was edited since you opened it. Look at what changed, then decide again.`
      : `${request.label} says something else than what this decision was made on. Open it again.`,
    {
      snapshotDigest: revision.snapshotDigest,
      revision: revision.number,
      changes: seen ? diffSnapshots(seen.snapshot as Snapshot, revision.snapshot) : [],
    },
  );
}

/** Stores one person's vote on the current revision. */
export async function castVote(
  tx: Tx,
  ctx: Ctx,
  request: LoadedRequest,
  person: PersonActor,
  vote: {
    verdict: VoteVerdict;
    reason: string;
    granted?: { snapshot: Snapshot; digest: string };
    /** With which key and how; null where no signature is needed. */
    signed?: { keyId: string; signature: Signature } | null;
  },
): Promise<string> {
  const id = newId('vote');
  await tx.decisionVote.create({
    data: {
      id,
      requestId: request.id,
      revisionId: request.revision.id,
      personId: person.personId,
      subject: person.subject,
      verdict: vote.verdict,
      snapshotDigest: request.revision.snapshotDigest,
      ...(vote.granted
        ? {
            granted: vote.granted.snapshot as Prisma.InputJsonValue,
            grantedDigest: vote.granted.digest,
          }
        : {}),
      ...(vote.signed
        ? { keyId: vote.signed.keyId, signature: vote.signed.signature as Prisma.InputJsonValue }
        : {}),
      reason: vote.reason,
      decidedAt: ctx.clock.now(),
    },
  });
  return id;
}

/** Approvals of the current revision so far. */
export function approvalsOf(request: LoadedRequest) {
  return currentVotes(request).filter((vote) => vote.verdict.startsWith('approve'));
}
