import { requireRole } from '#lib/access/require.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type KeyPurpose, type KeyState, keyLifeDays, listSigningKeys } from './signing-keys.ts';

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
  /** When the next key takes over by itself; null for a key that does not sign. */
  rotatesAt: string | null;
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
      rotatesAt:
        key.state === 'active' && key.activatedAt
          ? addSeconds(key.activatedAt, keyLifeDays * 86_400).toISOString()
          : null,
      liveTokens: used?.tokens ?? 0,
      agents: used?.agents ?? 0,
    };
  });
}

export type KeyUse = { kid: string; by: string; byId: string; calls: number; lastAt: string };

/** Calls looked through for who verified with which key: the newest, at most a day old. */
const callsLookedAt = 5_000;

/** Which guards let calls through by which key lately, by their own reports. For admins and auditors. */
export async function readKeyUse(ctx: Ctx): Promise<KeyUse[]> {
  requireRole(ctx, 'admin', 'auditor');
  const since = addSeconds(ctx.clock.now(), -86_400);
  const rows = await ctx.db.prisma.$queryRaw<
    { kid: string; by: string; byId: string; calls: number; lastAt: Date }[]
  >`
    SELECT c.data ->> 'keyId' AS kid, max(c.actor_name) AS by, c.actor_id AS "byId", count(*)::int AS calls,
           max(c.at) AS "lastAt"
      FROM (SELECT data, actor_name, actor_id, at FROM audit_event
             WHERE kind = 'guard.call' AND at > ${since} ORDER BY at DESC LIMIT ${callsLookedAt}) c
     WHERE c.data ->> 'keyId' IS NOT NULL AND c.data ->> 'outcome' = 'accepted'
     GROUP BY 1, 3 ORDER BY 5 DESC LIMIT 200`;
  return rows.map((row) => ({ ...row, lastAt: row.lastAt.toISOString() }));
}

/** The public halves of a purpose's keys that count now, as verifiers read them (RFC 7517). */
export async function readPublicKeys(ctx: Ctx): Promise<Record<KeyPurpose, unknown[]>> {
  requireRole(ctx, 'admin', 'auditor');
  const rows = await ctx.db.prisma.signingKey.findMany({
    where: {
      OR: [
        { state: { in: ['next', 'active'] } },
        { state: 'retired', publishedUntil: { gt: ctx.clock.now() } },
      ],
    },
    orderBy: { kid: 'asc' },
    select: { purpose: true, publicJwk: true },
  });
  const of = (purpose: KeyPurpose) =>
    rows.filter((row) => row.purpose === purpose).map((row) => row.publicJwk as unknown);
  return { token: of('token'), feed: of('feed'), checkpoint: of('checkpoint') };
}
