import { z } from 'zod';
import { requireSystem } from '#lib/access/require.ts';
import { listAdminIds } from '#lib/access/roles.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { killSigningKey } from '#lib/credentials/signing-keys.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';

export const settleRestoredInput = z.strictObject({
  /** When the backup was made, and what it is known by. */
  madeAt: z.iso.datetime(),
  digest: z.string(),
  historySize: z.int().nonnegative(),
  rootHash: z.string(),
});

/** What a restore ends for good, counted as it found it. */
export type EndedByRestore = {
  tokens: number;
  families: number;
  codes: number;
  waitingBrowsers: number;
  devices: number;
  reveals: number;
  sessions: number;
  apiTokens: number;
  links: number;
  joinTokens: number;
  keys: number;
  /** Keys of feeds and checkpoints, whose next ones took over. */
  handedOver: number;
};

/**
 * Makes a restored database safe to start: it is an older truth, in which whatever was ended since is alive. Nothing
 * that was given out before this instant, in the backup or in the time that is lost, is worth anything afterwards:
 * every key that signed a token is killed, every token, refresh family, code, session, API token and link is ended, and
 * nothing is issued until an admin says that what was ended since has been ended again (`resumeIssuance`). Whether
 * something still lives is told by its state alone: a host whose clock is ahead would leave alive what it takes for expired.
 *
 * Of the keys of feeds and checkpoints those in use and retired are killed too, because one that was killed in the lost
 * time would be alive; the next ones take over. Guards have known those since before the backup, and one that saw a
 * single change of keys in the lost time takes just that one for the one in use.
 *
 * The epochs of agents stay: a guard refuses an agent below the epoch it has seen, which is all that is known of the
 * lost time. The epoch of the issuer rises to the seconds since 2026 began, past whatever it was; a stop gives its
 * agent at least that one, so what is decided after a restore is always newer than what guards remember.
 */
export async function settleRestored(
  ctx: Ctx,
  input: z.output<typeof settleRestoredInput>,
): Promise<EndedByRestore> {
  requireSystem(ctx);
  const now = ctx.clock.now();
  const reason = `A backup of ${input.madeAt} was restored. What was ended after it is alive in it.`;
  const ended = await withTransaction(ctx, async (tx) => {
    const before = await tx.installation.findUnique({ where: { id: 1 } });
    if (!before) throw new NotFound('There is no installation in this database.');
    const issuerEpoch = Math.max(before.issuerEpoch + 1, epochAt(now));
    const { count } = await tx.installation.updateMany({
      where: { id: 1, issuerEpoch: before.issuerEpoch, feedGeneration: before.feedGeneration },
      data: { issuerEpoch, issuanceStoppedAt: now, issuanceStoppedReason: reason },
    });
    if (count === 0) throw new Conflict('Somebody else has just changed this.');
    const counts = {
      tokens: await tx.credential.updateMany({
        where: { endedAt: null },
        data: { endedAt: now, endCause: 'revoked' },
      }),
      families: await tx.refreshFamily.updateMany({
        where: { state: { in: ['live', 'frozen'] } },
        data: { state: 'ended', endCause: 'restored backup', endedAt: now },
      }),
      codes: await tx.authorizationCode.updateMany({
        where: { usedAt: null, expiresAt: { gt: longAgo } },
        data: { expiresAt: longAgo },
      }),
      waitingBrowsers: await tx.authorizationTransaction.updateMany({
        where: { status: { in: ['waiting', 'ready'] } },
        data: { status: 'ended', endCause: 'restored backup' },
      }),
      devices: await tx.deviceRequest.updateMany({
        where: { state: { in: ['opened', 'matched'] } },
        data: { state: 'ended' },
      }),
      reveals: await tx.reveal.updateMany({
        where: { expiresAt: { gt: longAgo } },
        data: { expiresAt: longAgo },
      }),
      sessions: await tx.personSession.updateMany({
        where: { endedAt: null },
        data: { endedAt: now, endCause: 'killed' },
      }),
      apiTokens: await tx.apiToken.updateMany({
        where: { endedAt: null },
        data: { endedAt: now },
      }),
      links: await tx.invitation.updateMany({
        where: { redeemedAt: null, endedAt: null },
        data: { endedAt: now },
      }),
      joinTokens: await tx.guardJoinToken.updateMany({
        where: { usedAt: null, expiresAt: { gt: longAgo } },
        data: { expiresAt: longAgo },
      }),
    };
    await tx.signInHandoff.deleteMany({});
    const found = Object.fromEntries(
      Object.entries(counts).map(([name, result]) => [name, result.count]),
    ) as Omit<EndedByRestore, 'keys' | 'handedOver'>;
    const restore = await recordEvent(tx, ctx, {
      kind: 'installation.restore',
      subjectId: 'installation',
      data: { ...input, ended: found },
      before: { issuerEpoch: before.issuerEpoch },
      after: { issuerEpoch },
    });
    const stop = await recordEvent(tx, ctx, {
      kind: 'installation.issuance_stop',
      subjectId: 'installation',
      reason,
      parentIds: [restore],
      data: { restoredAt: now.toISOString(), newGeneration: epochAt(now) },
    });
    await notifyChange(tx, 'issuance', 'installation');
    await notify(tx, ctx, {
      personIds: await listAdminIds(tx, ctx),
      kind: 'installation.issuance_stop',
      title: 'Issuance has stopped: a backup was restored',
      body: `${reason} Nothing is issued until it has been ended again and an admin resumes issuance.`,
      href: `/audit/${stop}`,
    });
    return found;
  });
  // Each in a transaction of its own, as ever; nothing starts on this database before all of them are through.
  const keys = await ctx.db.prisma.signingKey.findMany({
    where: {
      OR: [
        { purpose: 'token', state: { not: 'killed' } },
        { purpose: { in: ['feed', 'checkpoint'] }, state: { in: ['active', 'retired'] } },
      ],
    },
    select: { kid: true, purpose: true },
    orderBy: { createdAt: 'asc' },
  });
  for (const { kid } of keys) await killSigningKey(ctx, { kid, reason });
  const ofTokens = keys.filter(({ purpose }) => purpose === 'token').length;
  return { ...ended, keys: ofTokens, handedOver: keys.length - ofTokens };
}

/** What has no state of its own ends by having expired whatever the clock says. */
const longAgo = new Date(0);

/** Seconds since 2026 began: above every epoch and generation that rises by one at a time, until the year 2094. */
function epochAt(now: Date): number {
  return Math.floor((now.getTime() - Date.UTC(2026, 0, 1)) / 1000);
}
