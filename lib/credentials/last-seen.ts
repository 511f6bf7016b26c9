import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db, Tx } from '#lib/platform/db.ts';
import { type GroupCommit, groupCommit } from '#lib/platform/group-commit.ts';

export type Sighting = { credentialId: string; at: Date };

const updateSql = `UPDATE credential c SET last_seen_at = s.at
  FROM (SELECT id, max(at) AS at FROM jsonb_to_recordset($1::jsonb) AS i(id text, at timestamptz) GROUP BY id) s
 WHERE c.id = s.id AND (c.last_seen_at IS NULL OR c.last_seen_at < s.at)`;

const toJson = (sightings: readonly Sighting[]) =>
  JSON.stringify(sightings.map(({ credentialId, at }) => ({ id: credentialId, at: at.toISOString() })));

const noters = new WeakMap<Db, GroupCommit<Sighting, void>>();

/**
 * Notes that a credential was presented just now: a fact of the ledger, never one a decision rests on. Nobody waits
 * for it, and if it cannot be written the next sighting will be.
 */
export function noteSeen(ctx: Ctx, credentialId: string): void {
  let noter = noters.get(ctx.db);
  if (!noter) {
    const { hot } = ctx.db;
    noter = groupCommit<Sighting, void>({
      maxRows: 200,
      maxInFlight: 1,
      isOutcomeUnknown: () => true,
      async run(sightings) {
        await hot.query({ name: 'credentials.seen', text: updateSql, values: [toJson(sightings)] });
        return sightings.map(() => undefined);
      },
    });
    noters.set(ctx.db, noter);
  }
  noter({ credentialId, at: ctx.clock.now() }).catch(() => undefined);
}

/** A call a guard let through, as it reported it. */
export type ReportedUse = Sighting & { keyId: string | null; serverId: string };

/**
 * The same for what guards report, in the transaction that takes the report; a guard speaks about its own servers.
 * A token whose signature a guard accepted and that nobody issued is recorded as forged. That is the guard's word, not
 * proof: it kills no key by itself, because whoever broke into a guard could then kill every key.
 */
export async function recordUses(
  tx: Tx,
  ctx: Ctx,
  serverIds: readonly string[],
  uses: readonly ReportedUse[],
): Promise<void> {
  const own = uses.filter((use) => serverIds.includes(use.serverId));
  if (own.length === 0) return;
  await tx.$executeRawUnsafe(updateSql, toJson(own));
  const ids = [...new Set(own.map((use) => use.credentialId))];
  const known = await tx.credential.findMany({ where: { id: { in: ids } }, select: { id: true } });
  const issued = new Set(known.map((each) => each.id));
  for (const use of own) {
    if (issued.has(use.credentialId)) continue;
    issued.add(use.credentialId);
    await recordEvent(tx, ctx, {
      kind: 'token.forged',
      subjectId: use.keyId ?? 'unknown',
      outcome: 'refused',
      serverId: use.serverId,
      reason: 'accepted by a guard, issued by nobody',
      data: { jti: use.credentialId.slice(0, 200) },
    });
  }
}
