import { z } from 'zod';
import { hasRole, requireRole } from '#lib/access/require.ts';
import { requireStepUp } from '#lib/access/step-up.ts';
import { appendFeedEntry } from '#lib/agents/feed.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { readPublishedJwks } from '#lib/credentials/signing-keys.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict } from '#lib/platform/errors.ts';

export const resumeIssuanceInput = z.strictObject({
  reason: z
    .string()
    .trim()
    .min(1, 'Say what was compared and what was ended again: it is why anybody may trust this history.')
    .max(2000),
});

export type Issuance = { stoppedAt: string; reason: string } | { stoppedAt: null };

/** Whether tokens may be issued at all, and why not; the reason, which names a guard, for those who see all agents. */
export async function readIssuance(ctx: Ctx): Promise<Issuance> {
  requireRole(ctx, 'admin', 'auditor', 'approver', 'owner');
  const row = await ctx.db.prisma.installation.findUnique({ where: { id: 1 } });
  if (!row?.issuanceStoppedAt) return { stoppedAt: null };
  const seesAll = hasRole(ctx.actor, 'admin', 'auditor', 'approver');
  return {
    stoppedAt: row.issuanceStoppedAt.toISOString(),
    reason: seesAll ? (row.issuanceStoppedReason ?? '') : '',
  };
}

/**
 * Puts a restored database back to work: an admin says, for history, that what was ended since the backup has been
 * ended again. Raises the generation of the feeds, so that guards take the shorter history from here on; the epochs
 * and versions they have seen they keep, so nothing they refused comes back by this. Of two admins one resumes, the
 * other meets a conflict.
 */
export async function resumeIssuance(
  ctx: Ctx,
  input: z.output<typeof resumeIssuanceInput>,
): Promise<{ resumedAt: string }> {
  requireRole(ctx, 'admin');
  requireStepUp(ctx);
  const now = ctx.clock.now();
  await withTransaction(ctx, async (tx) => {
    const before = await tx.installation.findUnique({ where: { id: 1 } });
    if (!before?.issuanceStoppedAt) throw new Conflict('Issuance is not stopped.', { state: 'issuing' });
    const stop = await latestStop(tx);
    const generation = Math.max(
      generationAfter(before.feedGeneration, stop?.guardGeneration ?? 0),
      stop?.newGeneration ?? 0,
    );
    const { count } = await tx.installation.updateMany({
      where: { id: 1, issuanceStoppedAt: before.issuanceStoppedAt, feedGeneration: before.feedGeneration },
      data: { issuanceStoppedAt: null, issuanceStoppedReason: null, feedGeneration: generation },
    });
    if (count === 0) throw new Conflict('Somebody else has just changed this.');
    await recordEvent(tx, ctx, {
      kind: 'installation.issuance_resume',
      subjectId: 'installation',
      reason: input.reason,
      parentIds: stop ? [stop.id] : [],
      before: {
        issuanceStoppedAt: before.issuanceStoppedAt.toISOString(),
        feedGeneration: before.feedGeneration,
      },
      after: { issuanceStoppedAt: null, feedGeneration: generation },
    });
    // One entry in every feed: what a gate keeps signed from the old generation is then no longer the newest.
    const servers = await tx.mcpServer.findMany({ where: { state: 'active' }, select: { id: true } });
    await appendFeedEntry(
      tx,
      ctx,
      servers.map(({ id }) => id),
      { kind: 'keys.changed', tokenKeys: { keys: await readPublishedJwks(tx, ctx, 'token') } },
      { subject: 'token' },
    );
    await notifyChange(tx, 'keys', 'token');
    await notifyChange(tx, 'issuance', 'installation');
  });
  return { resumedAt: now.toISOString() };
}

/** Generations a guard's word is believed ahead of the database's: far more than anybody restores, far from overflow. */
const mostGenerationsAhead = 1_000;

/** Above the database's own and above the one the guards are in, who may have seen an earlier resumption. */
function generationAfter(known: number, seenByGuard: number): number {
  return Math.max(known, Math.min(seenByGuard, known + mostGenerationsAhead)) + 1;
}

/** `newGeneration` is what a restore on the host asks for, which does not depend on any guard's word. */
async function latestStop(
  tx: Tx,
): Promise<{ id: string; guardGeneration: number; newGeneration: number } | null> {
  const [row] = await tx.$queryRaw<
    { id: string; guardGeneration: number | null; newGeneration: number | null }[]
  >`
    SELECT id, (data ->> 'guardGeneration')::float8 AS "guardGeneration",
           (data ->> 'newGeneration')::float8 AS "newGeneration" FROM audit_event
     WHERE kind = 'installation.issuance_stop' ORDER BY arrival DESC LIMIT 1`;
  return row
    ? { id: row.id, guardGeneration: row.guardGeneration ?? 0, newGeneration: row.newGeneration ?? 0 }
    : null;
}
