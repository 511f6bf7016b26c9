import type { Ctx } from '#lib/platform/ctx.ts';

/** The words of whoever decided last: what the owner reads first after a refusal. */
export async function decisionReason(ctx: Pick<Ctx, 'db'>, requestId: string): Promise<string | null> {
  const vote = await ctx.db.prisma.decisionVote.findFirst({
    where: { requestId, verdict: { in: ['reject', 'request changes'] } },
    orderBy: { decidedAt: 'desc' },
    select: { reason: true },
  });
  return vote?.reason || null;
}
