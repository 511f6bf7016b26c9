import type { Tx } from '#lib/platform/db.ts';
import { LimitExceeded } from '#lib/platform/errors.ts';

/** More open requests than this from one owner are noise that hides the others. */
export const maxOpenRequests = 50;

export async function requireRoomForRequest(tx: Tx, ownerId: string): Promise<void> {
  const open = await tx.registrationRequest.count({
    where: { ownerId, state: { in: ['draft', 'submitted', 'changes requested'] } },
  });
  if (open >= maxOpenRequests) {
    throw new LimitExceeded(
      `You have ${open} open requests. Withdraw some, or wait until they are decided.`,
      { retryAfterSeconds: 3600 },
    );
  }
}
