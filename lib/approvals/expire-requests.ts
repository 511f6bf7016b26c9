import { requireSystem } from '#lib/access/require.ts';
import { notify } from '#lib/audit/notify.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { endRequest } from './end-request.ts';
import { isRequestOpen, requestStates } from './states.ts';
import { loadVisible } from './store.ts';

/** Ends requests nobody decided in time and drafts nobody submitted, and tells their owners. Returns how many. */
export async function expireRequests(ctx: Ctx): Promise<number> {
  requireSystem(ctx);
  const due = await ctx.db.prisma.registrationRequest.findMany({
    where: { state: { in: requestStates.filter(isRequestOpen) }, expiresAt: { lte: ctx.clock.now() } },
    select: { id: true },
    take: 200,
  });
  let expired = 0;
  for (const { id } of due) if (await expireOne(ctx, id)) expired += 1;
  return expired;
}

async function expireOne(ctx: Ctx, requestId: string): Promise<boolean> {
  requireSystem(ctx);
  return withTransaction(ctx, async (tx) => {
    const request = await loadVisible(tx, ctx, requestId, { lock: true });
    // Decided or prolonged since it was listed.
    if (!isRequestOpen(request.state) || !request.expiresAt || request.expiresAt > ctx.clock.now())
      return false;
    const wasDraft = request.state === 'draft';
    await endRequest(tx, ctx, request, {
      action: 'expire',
      kind: 'request.expire',
      cause: 'request expired',
      reason: wasDraft ? 'never submitted' : 'not decided in time',
    });
    await notify(tx, ctx, {
      personIds: [request.ownerId],
      kind: 'request.expire',
      title: `${request.label} expired`,
      body: wasDraft
        ? 'The draft was never submitted.'
        : 'Nobody decided it in time. Open it and choose “Ask again” to file the same request anew.',
      href: `/requests/${request.id}`,
    });
    return true;
  });
}
