import type { Ctx } from '#lib/platform/ctx.ts';
import { type KeyPurpose, type KeyState, listSigningKeys } from './signing-keys.ts';

/** A signing key as the console shows it: public facts, and what would die with it. */
export type KeyRow = {
  kid: string;
  purpose: KeyPurpose;
  alg: string;
  state: KeyState;
  createdAt: string;
  activatedAt: string | null;
  retiredAt: string | null;
  publishedUntil: string | null;
  killedAt: string | null;
  /** Access tokens it signed that work at this moment, and how many agents hold them. */
  liveTokens: number;
  agents: number;
};

/** Every key with its use now, newest first. For admins and auditors. */
export async function readKeys(ctx: Ctx): Promise<KeyRow[]> {
  const keys = await listSigningKeys(ctx);
  const use = await ctx.db.prisma.$queryRaw<{ kid: string; tokens: number; agents: number }[]>`
    SELECT c.kid, count(*)::int AS tokens, count(DISTINCT c.agent_id)::int AS agents
      FROM credential c JOIN agent a ON a.id = c.agent_id
     WHERE c.ended_at IS NULL AND c.expires_at > ${ctx.clock.now()}
       AND a.state = 'active' AND c.epoch = a.epoch
     GROUP BY c.kid`;
  const iso = (instant: Date | null) => instant?.toISOString() ?? null;
  return keys.map((key) => {
    const used = key.state === 'killed' ? undefined : use.find((each) => each.kid === key.kid);
    return {
      ...key,
      createdAt: key.createdAt.toISOString(),
      activatedAt: iso(key.activatedAt),
      retiredAt: iso(key.retiredAt),
      publishedUntil: iso(key.publishedUntil),
      killedAt: iso(key.killedAt),
      liveTokens: used?.tokens ?? 0,
      agents: used?.agents ?? 0,
    };
  });
}
