import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { endRequest } from './end-request.ts';
import { requireOwnRequest } from './own-request.ts';
import { loadVisible } from './store.ts';

export const withdrawRequestInput = z.strictObject({
  requestId: z.string().max(64),
  reason: z.string().trim().max(1000).default(''),
});

/** Takes a request back while it is open. The owner can always do this; a decision that came first wins. */
export async function withdrawRequest(
  ctx: Ctx,
  input: z.output<typeof withdrawRequestInput>,
): Promise<{ id: string; state: 'withdrawn' }> {
  requireRole(ctx, 'owner');
  return withTransaction(ctx, async (tx) => {
    const request = await loadVisible(tx, ctx, input.requestId, { lock: true });
    requireOwnRequest(ctx, request);
    await endRequest(tx, ctx, request, {
      action: 'withdraw',
      kind: 'request.withdraw',
      cause: 'withdrawn',
      reason: input.reason,
    });
    return { id: request.id, state: 'withdrawn' };
  });
}
