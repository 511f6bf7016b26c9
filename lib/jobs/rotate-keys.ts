import { requireSystem } from '#lib/access/require.ts';
import { keyLifeDays, keyPurposes, rotateSigningKey } from '#lib/credentials/signing-keys.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';

/** Rotates every signing key that has served its time. Rotation overlaps, so nobody is refused for it. */
export async function rotateKeys(ctx: Ctx): Promise<void> {
  requireSystem(ctx);
  const oldest = addSeconds(ctx.clock.now(), -keyLifeDays * 86_400);
  for (const purpose of keyPurposes) {
    const due = await ctx.db.prisma.signingKey.findFirst({
      where: { purpose, state: 'active', activatedAt: { lt: oldest } },
      select: { kid: true },
    });
    if (due) await rotateSigningKey(ctx, { purpose });
  }
}
