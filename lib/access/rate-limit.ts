import { sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { LimitExceeded } from '#lib/platform/errors.ts';

/** A token bucket: `capacity` at once, refilled steadily with one token every `refillSeconds`. */
export type Limit = { capacity: number; refillSeconds: number };

export type LimitOutcome = { allowed: true } | { allowed: false; retryAfterSeconds: number };

/**
 * Takes one token from the bucket `key`, shared by every process of the installation, in one atomic statement: no
 * two callers get the same token, however many processes there are. A refused caller takes nothing, so knocking
 * does not prolong the wait.
 */
export async function takeToken(
  ctx: Pick<Ctx, 'db' | 'clock'>,
  key: string,
  limit: Limit,
): Promise<LimitOutcome> {
  const { rows } = await ctx.db.hot.query<{ tokens: number }>({
    name: 'rate_bucket_take',
    text: `INSERT INTO rate_bucket AS b (key, tokens, updated_at) VALUES ($1, $2::float8 - 1, $4)
      ON CONFLICT (key) DO UPDATE SET
        tokens = least($2, b.tokens + greatest(0, extract(epoch FROM $4 - b.updated_at)) / $3::float8) - 1,
        updated_at = greatest(b.updated_at, $4)
      WHERE least($2, b.tokens + greatest(0, extract(epoch FROM $4 - b.updated_at)) / $3::float8) >= 1
      RETURNING tokens`,
    values: [bucketKey(key), limit.capacity, limit.refillSeconds, ctx.clock.now()],
  });
  if (rows.length > 0) return { allowed: true };
  return { allowed: false, retryAfterSeconds: await secondsUntilToken(ctx, key, limit) };
}

/** As `takeToken`, throwing `LimitExceeded` with `retryAfterSeconds` when the bucket is empty. */
export async function requireToken(
  ctx: Pick<Ctx, 'db' | 'clock'>,
  key: string,
  limit: Limit,
  message = 'Too many tries. Wait a moment, then try again.',
): Promise<void> {
  const outcome = await takeToken(ctx, key, limit);
  if (!outcome.allowed) throw new LimitExceeded(message, { retryAfterSeconds: outcome.retryAfterSeconds });
}

/** Forgets a bucket: after a success the next mistake starts from a full one. */
export async function refillBucket(ctx: Pick<Ctx, 'db'>, key: string): Promise<void> {
  await ctx.db.hot.query({
    name: 'rate_bucket_refill',
    text: 'DELETE FROM rate_bucket WHERE key = $1',
    values: [bucketKey(key)],
  });
}

async function secondsUntilToken(ctx: Pick<Ctx, 'db' | 'clock'>, key: string, limit: Limit): Promise<number> {
  const { rows } = await ctx.db.hot.query<{ tokens: number; updated_at: Date }>({
    name: 'rate_bucket_read',
    text: 'SELECT tokens, updated_at FROM rate_bucket WHERE key = $1',
    values: [bucketKey(key)],
  });
  const bucket = rows[0];
  if (!bucket) return 1;
  const elapsedSeconds = Math.max(0, (ctx.clock.now().getTime() - bucket.updated_at.getTime()) / 1000);
  return Math.max(1, Math.ceil((1 - bucket.tokens) * limit.refillSeconds - elapsedSeconds));
}

/** Keys may hold what a stranger sent (an e-mail address): only a digest of a long one is stored. */
function bucketKey(key: string): string {
  return key.length <= 80 && /^[\x21-\x7e]+$/.test(key)
    ? key
    : `${key.split(':', 1)[0]?.slice(0, 30)}:${sha256(key)}`;
}
