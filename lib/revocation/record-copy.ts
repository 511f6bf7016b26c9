import { requireSystem } from '#lib/access/require.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';

/**
 * Says in history that all of the database leaves it, before it does: the copy then holds the event as well, and one
 * that cannot be recorded is not made. Only the host.
 */
export async function recordCopy(
  ctx: Ctx,
  copy: { kind: 'installation.backup' | 'installation.move'; to: string },
): Promise<string> {
  requireSystem(ctx);
  return withTransaction(ctx, (tx) =>
    recordEvent(tx, ctx, { kind: copy.kind, subjectId: 'installation', data: { to: copy.to } }),
  );
}

/**
 * Says in history that a backup is whole, on the disk and has its name: until then one was only tried. Only the host.
 */
export async function recordBackupFinish(
  ctx: Ctx,
  backup: { beganBy: string; to: string; digest: string; bytes: number },
): Promise<string> {
  requireSystem(ctx);
  const { beganBy, ...data } = backup;
  return withTransaction(ctx, (tx) =>
    recordEvent(tx, ctx, {
      kind: 'installation.backup_finish',
      subjectId: 'installation',
      parentIds: [beganBy],
      data,
    }),
  );
}
