import { sourcePrefix } from '#lib/platform/address.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { DomainError, DomainErrorCode } from '#lib/platform/errors.ts';
import { insertEvents, type JsonObject, toEventRow } from './record.ts';

/** Refusals worth history. A form filled in wrongly is not among them. */
const recorded: ReadonlySet<DomainErrorCode> = new Set([
  'forbidden',
  'not_found',
  'conflict',
  'precondition_failed',
  'precondition_required',
  'limit_exceeded',
]);

/**
 * One event for a refusal of a known caller: what they tried and the closed reason code. Refusals change nothing, so
 * the event stands alone; if it cannot be written the caller still gets the refusal, and the log says so.
 */
export async function recordRefusal(
  ctx: Ctx,
  operation: string,
  error: DomainError,
  subjectId?: string,
): Promise<void> {
  if (ctx.actor.kind === 'anonymous') {
    noteAnonymousRefusal(ctx, operation, error.code);
    return;
  }
  if (!recorded.has(error.code)) return;
  const row = toEventRow(ctx, {
    kind: 'refusal.authenticated',
    subjectId: subjectId ?? operation,
    outcome: 'refused',
    reason: error.code,
    data: { operation, message: error.message.slice(0, 300) },
  });
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([row])]);
}

type AnonymousSubject = { kind: 'refusal.anonymous' | 'session.refuse'; subjectId: string };

type Bucket = AnonymousSubject & {
  operation: string;
  reason: string;
  source: string;
  count: number;
  firstAt: string;
  samples: JsonObject[];
};

const maxBuckets = 2_000;
const maxSamples = 3;
const buckets = new Map<string, Bucket>();

/**
 * Counts a refusal of somebody unknown. Anonymous parties must not be able to fill history, so their refusals become
 * one event per operation, reason, source network and minute, with the count and a few samples; beyond
 * `maxBuckets` sources a minute the rest is counted together.
 */
export function noteAnonymousRefusal(
  ctx: Pick<Ctx, 'clock' | 'address' | 'traceId' | 'userAgent'>,
  operation: string,
  reason: string,
  about: AnonymousSubject = { kind: 'refusal.anonymous', subjectId: operation },
): void {
  const full = buckets.size >= maxBuckets;
  const source = full ? 'other' : sourcePrefix(ctx.address);
  const key = `${operation} ${reason} ${source} ${about.subjectId}`;
  const at = ctx.clock.now().toISOString();
  let bucket = buckets.get(key);
  if (!bucket) {
    bucket = { ...about, operation, reason, source, count: 0, firstAt: at, samples: [] };
    buckets.set(key, bucket);
  }
  bucket.count++;
  if (bucket.samples.length < maxSamples) {
    bucket.samples.push({
      at,
      traceId: ctx.traceId,
      address: ctx.address,
      userAgent: ctx.userAgent?.slice(0, 200) ?? null,
    });
  }
}

/** Writes what was counted since the last call. The gate calls it every minute and before it ends. */
export async function flushAnonymousRefusals(ctx: Ctx): Promise<void> {
  if (buckets.size === 0) return;
  const counted = [...buckets.values()];
  buckets.clear();
  const rows = counted.map((bucket) =>
    toEventRow(ctx, {
      kind: bucket.kind,
      subjectId: bucket.subjectId,
      outcome: 'refused',
      reason: bucket.reason,
      data: {
        operation: bucket.operation,
        source: bucket.source,
        count: bucket.count,
        firstAt: bucket.firstAt,
        samples: bucket.samples,
      },
    }),
  );
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify(rows)]);
}
