import { composerDraftSeconds } from '#lib/approvals/composer-draft.ts';
import { addSeconds, clockSkewSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';

/** A repeated request is answered from its key for a day (the keys' promise in the REST documentation). */
const idempotencyKeySeconds = 24 * 3600;
/** What a device asked for stays for a day after its end, for whoever looks why it did not work. */
const deviceRequestSeconds = 24 * 3600;
/** A budget that nobody drew on for a day is full again, so its row says nothing. */
const rateBucketSeconds = 24 * 3600;
/**
 * Kept this long beyond the end of an assertion: an hour in case the clock was ahead when this ran and is put right
 * afterwards, or what was used before could be used again, and twice the tolerated skew.
 */
const assertionGraceSeconds = 3600 + 2 * clockSkewSeconds;

/** How each try to deliver a message went is of use while somebody looks for the reason; that it went is kept. */
const attemptSeconds = 90 * 86_400;

/**
 * Removes rows that only ever protected against repetition and whose time is over: used assertions, sign-in
 * hand-offs, idempotency keys, codes of devices, idle budgets; and drafts nobody went on with. Nothing with history is
 * among them.
 */
export async function forgetExpired(ctx: Ctx): Promise<void> {
  const now = ctx.clock.now();
  await ctx.db.prisma.assertionUse.deleteMany({
    where: { expiresAt: { lt: addSeconds(now, -assertionGraceSeconds) } },
  });
  await ctx.db.prisma.signInHandoff.deleteMany({ where: { expiresAt: { lt: now } } });
  await ctx.db.prisma.passkeyChallenge.deleteMany({ where: { expiresAt: { lt: now } } });
  await ctx.db.prisma.idempotencyKey.deleteMany({
    where: { createdAt: { lt: addSeconds(now, -idempotencyKeySeconds) } },
  });
  await ctx.db.prisma.deviceRequest.deleteMany({
    where: { expiresAt: { lt: addSeconds(now, -deviceRequestSeconds) } },
  });
  await ctx.db.prisma.composerDraft.deleteMany({
    where: { savedAt: { lt: addSeconds(now, -composerDraftSeconds) } },
  });
  await ctx.db.prisma.rateBucket.deleteMany({
    where: { updatedAt: { lt: addSeconds(now, -rateBucketSeconds) } },
  });
  await ctx.db.prisma.deliveryAttempt.deleteMany({
    where: { at: { lt: addSeconds(now, -attemptSeconds) } },
  });
}
