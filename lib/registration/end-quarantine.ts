import { z } from 'zod';
import { requireRole, requireSystem } from '#lib/access/require.ts';
import { insertEvents, recordEvent, toEventRow } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';

export const endQuarantineInput = z.strictObject({
  clientId: z.string().min(1).max(1_000),
  reason: z.string().trim().min(3, 'Say why.').max(500),
});

/**
 * Any approver ends the quarantine of a client nobody has claimed: its id becomes a tombstone and its program is told
 * to register again. A client somebody claimed has a request; that is rejected or revoked instead.
 */
export async function endQuarantine(
  ctx: Ctx,
  input: z.output<typeof endQuarantineInput>,
): Promise<{ clientId: string }> {
  requireRole(ctx, 'approver', 'admin');
  return withTransaction(ctx, async (tx) => {
    const client = await tx.client.findUnique({
      where: { id: input.clientId },
      select: { claimedAt: true, forgottenAt: true },
    });
    if (!client) throw new NotFound();
    const { count } = await tx.client.updateMany({
      where: {
        id: input.clientId,
        claimedAt: null,
        OR: [{ forgottenAt: null }, { forgottenCause: 'unclaimed' }],
      },
      data: { forgottenAt: ctx.clock.now(), forgottenCause: 'ended by approver' },
    });
    if (count === 0) {
      throw new Conflict(
        client.forgottenAt
          ? 'This quarantine has already ended.'
          : 'Somebody has claimed this client: decide its request, or revoke its agent.',
        { claimed: client.claimedAt !== null },
      );
    }
    await recordEvent(tx, ctx, {
      kind: 'client.quarantine_end',
      subjectId: input.clientId,
      clientId: input.clientId,
      reason: input.reason,
      before: { state: 'quarantined' },
      after: { state: 'ended by approver' },
    });
    await notifyChange(tx, 'clients', input.clientId);
    return { clientId: input.clientId };
  });
}

export const forgetClientInput = endQuarantineInput;

/**
 * An admin forgets a client for good: the id stays as a tombstone and every answer to it says that it has to register
 * again. Only a client without a living instance can be forgotten; what lives is revoked first.
 */
export async function forgetClient(
  ctx: Ctx,
  input: z.output<typeof forgetClientInput>,
): Promise<{ clientId: string }> {
  requireRole(ctx, 'admin');
  return withTransaction(ctx, async (tx) => {
    const client = await tx.client.findUnique({
      where: { id: input.clientId },
      select: {
        forgottenAt: true,
        forgottenCause: true,
        instances: { where: { state: { in: ['quarantined', 'active', 'suspended'] } }, select: { id: true } },
      },
    });
    if (!client) throw new NotFound();
    if (client.instances.length > 0) {
      throw new Conflict('This client is still in use. Revoke its agents first.', {
        living: client.instances.length,
      });
    }
    const { count } = await tx.client.updateMany({
      where: { id: input.clientId, OR: [{ forgottenAt: null }, { forgottenCause: 'unclaimed' }] },
      data: { forgottenAt: ctx.clock.now(), forgottenCause: 'forgotten' },
    });
    if (count === 0) throw new Conflict('This client is already forgotten.');
    await recordEvent(tx, ctx, {
      kind: 'client.forget',
      subjectId: input.clientId,
      clientId: input.clientId,
      reason: input.reason,
      before: { state: client.forgottenCause ?? 'known' },
      after: { state: 'forgotten' },
    });
    await notifyChange(tx, 'clients', input.clientId);
    return { clientId: input.clientId };
  });
}

const batch = 500;

/**
 * Ends every quarantine nobody claimed in time, each with its event in the same statement. For the jobs. The metadata
 * stays, so that the one person who was only late can still ask for it.
 */
export async function endUnclaimedQuarantines(ctx: Ctx): Promise<{ ended: number }> {
  requireSystem(ctx);
  let ended = 0;
  for (;;) {
    const now = ctx.clock.now();
    const { rows } = await ctx.db.hot.query<{ id: string; source_prefix: string; registered_at: Date }>(
      `SELECT id, source_prefix, registered_at FROM client
        WHERE claimed_at IS NULL AND forgotten_at IS NULL AND quarantine_ends_at <= $1
        ORDER BY registered_at LIMIT ${batch}`,
      [now],
    );
    if (rows.length === 0) return { ended };
    const events = rows.map((row) =>
      toEventRow(ctx, {
        kind: 'client.unclaimed',
        subjectId: row.id,
        clientId: row.id,
        data: { sourcePrefix: row.source_prefix, registeredAt: row.registered_at.toISOString() },
        before: { state: 'quarantined' },
        after: { state: 'unclaimed' },
      }),
    );
    const { rowCount } = await ctx.db.hot.query(
      `WITH ended AS (
         UPDATE client SET forgotten_at = $2, forgotten_cause = 'unclaimed', secret_digest = NULL
          WHERE id = ANY($1) AND claimed_at IS NULL AND forgotten_at IS NULL RETURNING id
       ) ${insertEvents('$3', 'WHERE e.subject_id IN (SELECT id FROM ended)')}`,
      [rows.map((row) => row.id), now, JSON.stringify(events)],
    );
    ended += rowCount ?? 0;
    // Somebody else is at the same rows: they are being ended all the same.
    if ((rowCount ?? 0) === 0 || rows.length < batch) return { ended };
  }
}
