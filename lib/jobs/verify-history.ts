import { requireSystem } from '#lib/access/require.ts';
import { logOrigin, type NoteVerifier, rawPublicKey } from '#lib/audit/checkpoint.ts';
import { notify } from '#lib/audit/notify.ts';
import { storeVerification, type Verification, verifyLog } from '#lib/audit/verify.ts';
import { systemClock } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange } from '#lib/platform/db.ts';
import { type Ed25519PublicJwk, openPublicJwk } from '#lib/platform/jws.ts';
import type { Services } from './services.ts';

/** Every key that ever signed checkpoints: an old checkpoint outlives the key that signed it. */
export async function checkpointVerifiers(ctx: Pick<Ctx, 'db' | 'site'>): Promise<NoteVerifier[]> {
  const rows = await ctx.db.prisma.signingKey.findMany({
    where: { purpose: 'checkpoint' },
    select: { publicJwk: true },
  });
  const name = logOrigin(ctx.site);
  return rows.map(({ publicJwk }) => {
    const jwk = publicJwk as Ed25519PublicJwk;
    return { name, publicKey: rawPublicKey(jwk), key: openPublicJwk({ ...jwk }) };
  });
}

/**
 * Verifies all of history and keeps the finding, which the audit page shows. The first run that finds it broken tells
 * every admin and auditor; so does the first that finds it whole again.
 */
export async function verifyHistory(
  ctx: Ctx,
  _payload: unknown,
  services: Pick<Services, 'historyUrl' | 'log'>,
): Promise<Verification> {
  requireSystem(ctx);
  const previous = await ctx.db.prisma.auditVerification.findFirst({ orderBy: { finishedAt: 'desc' } });
  const found = await verifyLog({
    databaseUrl: services.historyUrl,
    origin: logOrigin(ctx.site),
    verifiers: await checkpointVerifiers(ctx),
    clock: systemClock,
  });
  await storeVerification(ctx.db, found);
  if (found.outcome === 'broken') services.log.error({ found }, 'history does not verify');
  if ((previous?.outcome ?? 'intact') !== found.outcome) {
    const people = await ctx.db.prisma.roleGrant.findMany({
      where: { role: { in: ['admin', 'auditor'] }, endedAt: null, effectiveAt: { lte: ctx.clock.now() } },
      select: { personId: true },
    });
    await ctx.db.prisma.$transaction((tx) =>
      notify(tx, ctx, {
        personIds: people.map((person) => person.personId),
        kind: `history.${found.outcome}`,
        title: found.outcome === 'broken' ? 'History does not verify' : 'History verifies again',
        body:
          found.outcome === 'broken'
            ? `${found.problem} Compare with a copy of an earlier checkpoint before anything else.`
            : `All ${found.size} events were compared.`,
        href: '/audit',
      }),
    );
  }
  await ctx.db.prisma.$transaction((tx) => notifyChange(tx, 'audit', 'verification'));
  return found;
}
