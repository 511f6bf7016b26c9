import { actorIdOf } from '#lib/platform/actor.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import type { Db, Tx } from '#lib/platform/db.ts';
import { Conflict, Invalid } from '#lib/platform/errors.ts';
import type { GateCtx } from '../context.ts';

/** How long an answer is kept for a repeat of the call. */
export const idempotencySeconds = 24 * 3600;
/** A call that neither committed nor answered within this time died; its key may be used again. */
const abandonedSeconds = 60;

/** `status` of a row while its call runs, and once its effect committed but its answer is not stored yet. */
const running = 0;
const committed = 1;

type Answer = { status: number; text: string };

/**
 * Runs a keyed call at most once (draft-ietf-httpapi-idempotency-key-header). The key's row is marked in the very
 * transaction that commits the effect, so after a lost connection or a killed process a repeat learns the truth: the
 * stored answer, or that the effect happened, or it runs as if for the first time.
 *
 * Throws `Conflict` while the first call still runs, when its effect is known but its answer was lost, and `Invalid`
 * when the key was used for another body.
 */
export async function withIdempotency(
  ctx: GateCtx,
  call: { key: string; operation: string; body: Uint8Array },
  run: (ctx: GateCtx) => Promise<Answer>,
): Promise<Answer> {
  if (!/^[\x21-\x7e]{1,255}$/.test(call.key)) {
    throw new Invalid('Idempotency-Key must be 1 to 255 visible ASCII characters.');
  }
  const key = sha256(JSON.stringify([actorIdOf(ctx.actor), call.operation, call.key]));
  const requestHash = sha256(call.body);
  const earlier = await claim(ctx, key, requestHash);
  if (earlier) return earlier;
  const prisma = ctx.db.prisma;
  try {
    const answer = await run({ ...ctx, db: markingCommit(ctx.db, key) });
    await prisma.idempotencyKey.update({
      where: { key },
      // An answer may carry a secret that is shown once: a token, a client's or webhook's secret.
      data: { status: answer.status, response: { sealed: ctx.vault.seal(answer.text, rowIdOf(key)) } },
    });
    return answer;
  } catch (error) {
    // Nothing happened unless the row says so (an error after the commit, or a commit whose outcome was lost).
    await prisma.idempotencyKey.deleteMany({ where: { key, status: running } });
    throw error;
  }
}

async function claim(ctx: GateCtx, key: string, requestHash: string): Promise<Answer | null> {
  const now = ctx.clock.now();
  const { rowCount } = await ctx.db.hot.query({
    name: 'idempotency_claim',
    text: `INSERT INTO idempotency_key (key, request_hash, status, response, created_at, expires_at)
      VALUES ($1, $2, ${running}, '{}', $3, $4)
      ON CONFLICT (key) DO UPDATE SET request_hash = $2, status = ${running}, response = '{}', created_at = $3, expires_at = $4
      WHERE idempotency_key.expires_at <= $3 OR (idempotency_key.status = ${running} AND idempotency_key.created_at <= $5)`,
    values: [key, requestHash, now, addSeconds(now, idempotencySeconds), addSeconds(now, -abandonedSeconds)],
  });
  if (rowCount === 1) return null;
  const row = await ctx.db.prisma.idempotencyKey.findUnique({ where: { key } });
  if (!row || row.status === running)
    throw new Conflict('The first call with this Idempotency-Key is still running.');
  if (row.requestHash !== requestHash) {
    throw new Invalid('This Idempotency-Key was used for another request.', {
      issues: [{ path: 'Idempotency-Key', message: 'used for another body' }],
    });
  }
  const { sealed } = row.response as { sealed?: string };
  // Versions before this one kept answers in clear; one of those is as good as lost.
  if (row.status === committed || sealed === undefined) {
    throw new Conflict('The first call took effect, but its answer was lost. Read the object to see it.', {
      tookEffect: true,
    });
  }
  return { status: row.status, text: ctx.vault.open(sealed, rowIdOf(key)) };
}

/** What an answer is sealed for: this row of this table, so that one put into another row does not open. */
function rowIdOf(key: string): string {
  return `idempotency_key:${key}`;
}

/** The same database doors, whose transactions also mark the key's row as committed. */
function markingCommit(db: Db, key: string): Db {
  const mark = (client: Db['prisma']): Db['prisma'] =>
    new Proxy(client, {
      get(target, property) {
        if (property !== '$transaction') return Reflect.get(target, property, target);
        return (work: (tx: Tx) => Promise<unknown>, options?: object) =>
          target.$transaction(async (tx) => {
            const result = await work(tx);
            await tx.idempotencyKey.updateMany({
              where: { key, status: running },
              data: { status: committed },
            });
            return result;
          }, options);
      },
    });
  return { ...db, prisma: mark(db.prisma), emergency: mark(db.emergency) };
}
