import type { Ctx } from '#lib/platform/ctx.ts';

/** Whether an active person holds the role admin in effect: until then the installation is open to nobody. */
export async function hasAdmin(ctx: Ctx): Promise<boolean> {
  const admin = await ctx.db.prisma.roleGrant.findFirst({
    where: {
      role: 'admin',
      endedAt: null,
      effectiveAt: { lte: ctx.clock.now() },
      person: { state: 'active' },
    },
    select: { id: true },
  });
  return admin !== null;
}
