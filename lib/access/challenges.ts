import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import { requireToken } from './rate-limit.ts';
import { challengeDigestOf, digestOfChallenge } from './webauthn.ts';

export type ChallengePurpose = 'enrol' | 'confirm' | 'approve';

/** A passkey has this long to answer. */
const challengeSeconds = 5 * 60;
/** Challenges of one person: generous for somebody who decides a full queue, too few to fill a table. */
const perPerson = { capacity: 60, refillSeconds: 3 };

type Session = { personId: string; sessionId: string };

/** Remembers, by digest, what this session is about to be asked to sign and what for. Throws `LimitExceeded`. */
export async function issueChallenge(
  ctx: Ctx,
  { personId, sessionId }: Session,
  asked: { purpose: ChallengePurpose; challenge: Uint8Array; subjectDigest?: string },
): Promise<void> {
  await requireToken(ctx, `challenge:${personId}`, perPerson);
  const now = ctx.clock.now();
  await ctx.db.prisma.passkeyChallenge.create({
    data: {
      id: newId('challenge'),
      challengeDigest: digestOfChallenge(asked.challenge),
      personId,
      sessionId,
      purpose: asked.purpose,
      subjectDigest: asked.subjectDigest ?? '',
      createdAt: now,
      expiresAt: addSeconds(now, challengeSeconds),
    },
  });
}

/**
 * Uses up the challenge an answer names and returns its digest; null when it was never asked of this session for this
 * purpose and subject, is too old, or was used. Of two callers at once one gets it.
 */
export async function spendChallenge(
  tx: Pick<Tx, 'passkeyChallenge'>,
  ctx: Pick<Ctx, 'clock'>,
  { personId, sessionId }: Session,
  asked: {
    purpose: ChallengePurpose;
    answer: { response: { clientDataJSON: string } };
    subjectDigest?: string;
  },
): Promise<string | null> {
  const challengeDigest = challengeDigestOf(asked.answer);
  if (challengeDigest === null) return null;
  const now = ctx.clock.now();
  const open = { challengeDigest, personId, sessionId, purpose: asked.purpose, usedAt: null };
  const { count } = await tx.passkeyChallenge.updateMany({
    where: { ...open, subjectDigest: asked.subjectDigest ?? '', expiresAt: { gt: now } },
    data: { usedAt: now },
  });
  return count > 0 ? challengeDigest : null;
}
