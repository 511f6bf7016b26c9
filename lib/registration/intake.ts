import { isInRanges, type Ranges, sourcePrefix } from '#lib/platform/address.ts';
import type { Clock } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import { LimitExceeded } from '#lib/platform/errors.ts';
import { countUnclaimed, evictUnclaimed } from './store.ts';

/** Limits of anonymous registration. Everything an unknown party can create is bounded by these. */
export type IntakeLimits = {
  /** Networks registration is taken from; others are refused before anything is written. */
  networks: Ranges;
  /** Registrations a minute from one source (/24 or /48) and from all together, after a burst of twice as many. */
  perSourcePerMinute: number;
  perMinute: number;
  /** Unclaimed registrations kept, from one source and in all; beyond, the oldest of the noisiest source ends. */
  maxUnclaimedPerSource: number;
  maxUnclaimed: number;
};

/** Share of the common budget only quiet sources may draw on, so that a flood cannot lock out who comes rarely. */
const reservedShare = 0.25;
/** A source counts as quiet while it tried at most this share of the reserve in the last ten minutes. */
const quietShare = 0.1;
/** Tokens are taken from the shared bucket in blocks, so that most registrations ask nobody; unused ones lapse. */
const leaseSeconds = 5;
const recountSeconds = 30;

export type Source = { prefix: string; isAccepted: boolean };

export type IntakeRefusal = 'network' | 'source' | 'everyone';

/**
 * Lets registrations in, or says why not. Buckets live in PostgreSQL and are shared by every process; each process
 * leases small blocks from them. Counts of unclaimed rows are estimates between two recounts, and errors of an
 * estimate only make eviction earlier or a little later, never unbounded.
 */
export class Intake {
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #limits: IntakeLimits;
  readonly #sources = new Map<string, Source>();
  readonly #leases = new Map<string, { tokens: number; untilMs: number }>();
  readonly #exhausted = new Map<string, number>();
  readonly #recent = new Map<string, { count: number; untilMs: number }>();
  #unclaimed = new Map<string, number>();
  #unclaimedTotal = 0;
  #countedAtMs = Number.NEGATIVE_INFINITY;
  #making: Promise<void> | null = null;

  constructor(db: Db, clock: Clock, limits: IntakeLimits) {
    this.#db = db;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** The network an address is counted by, and whether registration is taken from it. Remembered: callers come back. */
  sourceOf(address: string | null): Source {
    const key = address ?? '';
    let source = this.#sources.get(key);
    if (!source) {
      source = { prefix: sourcePrefix(address), isAccepted: isInRanges(address, this.#limits.networks) };
      if (this.#sources.size >= 5_000) this.#sources.clear();
      this.#sources.set(key, source);
    }
    return source;
  }

  /**
   * Takes one registration out of the budgets of its source and of everyone. Throws `LimitExceeded` with
   * `retryAfterSeconds` and `refusal`.
   */
  async admit(source: string): Promise<void> {
    const { perSourcePerMinute, perMinute } = this.#limits;
    const isQuiet = this.#countTry(source) <= Math.max(1, perMinute * reservedShare * quietShare);
    if (
      !(
        this.#takeLeased(`register:${source}`) || (await this.#take(`register:${source}`, perSourcePerMinute))
      )
    )
      throw this.#over('source', perSourcePerMinute);
    const common = perMinute * (1 - reservedShare);
    if (
      !(this.#takeLeased('register') || (await this.#take('register', common))) &&
      !(isQuiet && (await this.#take('register:reserve', perMinute * reservedShare)))
    ) {
      throw this.#over('everyone', perMinute);
    }
  }

  /** Makes room for one more unclaimed row of this source, ending the oldest of the noisiest source if it must. */
  async makeRoom(ctx: Ctx, source: string): Promise<void> {
    if (this.#clock.monotonicMs() - this.#countedAtMs > recountSeconds * 1000) await this.#recount();
    const { maxUnclaimed, maxUnclaimedPerSource } = this.#limits;
    while (
      (this.#unclaimed.get(source) ?? 0) >= maxUnclaimedPerSource ||
      this.#unclaimedTotal >= maxUnclaimed
    ) {
      const crowded = (this.#unclaimed.get(source) ?? 0) >= maxUnclaimedPerSource ? source : this.#noisiest();
      if (crowded === null) break;
      this.#making ??= this.#evict(ctx, crowded).finally(() => {
        this.#making = null;
      });
      await this.#making;
    }
    this.#unclaimed.set(source, (this.#unclaimed.get(source) ?? 0) + 1);
    this.#unclaimedTotal++;
  }

  async #evict(ctx: Ctx, source: string): Promise<void> {
    // A twentieth at a time: one statement then makes room for many.
    const count = Math.max(1, Math.floor(this.#limits.maxUnclaimedPerSource / 20));
    const evicted = await evictUnclaimed(ctx, source, count);
    if (evicted < count) await this.#recount();
    else {
      this.#unclaimed.set(source, (this.#unclaimed.get(source) ?? 0) - evicted);
      this.#unclaimedTotal -= evicted;
    }
  }

  async #recount(): Promise<void> {
    this.#unclaimed = await countUnclaimed(this.#db);
    this.#unclaimedTotal = [...this.#unclaimed.values()].reduce((sum, count) => sum + count, 0);
    this.#countedAtMs = this.#clock.monotonicMs();
  }

  #noisiest(): string | null {
    let noisiest: string | null = null;
    let most = 0;
    for (const [source, count] of this.#unclaimed) {
      if (count > most) {
        most = count;
        noisiest = source;
      }
    }
    return noisiest;
  }

  /** A token this process already holds; asks nobody. */
  #takeLeased(key: string): boolean {
    const lease = this.#leases.get(key);
    if (!lease || lease.tokens <= 0 || this.#clock.monotonicMs() >= lease.untilMs) return false;
    lease.tokens--;
    return true;
  }

  async #take(key: string, perMinute: number): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    if ((this.#exhausted.get(key) ?? 0) > nowMs) return false;
    const burst = Math.max(1, perMinute * 2);
    const block = Math.max(1, Math.floor(burst / 20));
    for (const amount of block > 1 ? [block, 1] : [1]) {
      if (await takeTokens(this.#db, this.#clock.now(), key, amount, burst, perMinute / 60)) {
        // Another caller may have leased meanwhile: both blocks count.
        const left = this.#leases.get(key);
        const kept = left && nowMs < left.untilMs ? left.tokens : 0;
        this.#remember(key, { tokens: kept + amount - 1, untilMs: nowMs + leaseSeconds * 1000 });
        return true;
      }
    }
    // Until the next token can be there, this process need not ask again.
    this.#exhausted.set(key, nowMs + Math.min(1_000, 60_000 / perMinute));
    if (this.#exhausted.size > 10_000) this.#exhausted.clear();
    return false;
  }

  #remember(key: string, lease: { tokens: number; untilMs: number }): void {
    if (this.#leases.size > 10_000) this.#leases.clear();
    this.#leases.set(key, lease);
  }

  /** How often a source tried in the last ten minutes, this time included. */
  #countTry(source: string): number {
    const nowMs = this.#clock.monotonicMs();
    const recent = this.#recent.get(source);
    if (recent && recent.untilMs >= nowMs) return ++recent.count;
    if (this.#recent.size > 10_000) this.#recent.clear();
    this.#recent.set(source, { count: 1, untilMs: nowMs + 600_000 });
    return 1;
  }

  #over(refusal: IntakeRefusal, perMinute: number): LimitExceeded {
    const retryAfterSeconds = Math.max(1, Math.ceil(60 / perMinute));
    return new LimitExceeded(
      refusal === 'source'
        ? 'Too many registrations from this network. Try again later.'
        : 'Too many registrations at the moment. Try again later.',
      { retryAfterSeconds, refusal },
    );
  }
}

/** Takes `amount` tokens from a shared bucket if they are all there. One atomic statement. */
async function takeTokens(
  db: Db,
  now: Date,
  key: string,
  amount: number,
  burst: number,
  perSecond: number,
): Promise<boolean> {
  const { rowCount } = await db.hot.query({
    name: 'registration-take-tokens',
    text: `INSERT INTO rate_bucket AS b (key, tokens, updated_at) VALUES ($1, $3::float8 - $2::float8, $5)
           ON CONFLICT (key) DO UPDATE
             SET tokens = LEAST($3::float8, b.tokens + GREATEST(0, EXTRACT(EPOCH FROM $5::timestamptz - b.updated_at)) * $4::float8) - $2::float8,
                 updated_at = GREATEST(b.updated_at, $5::timestamptz)
           WHERE LEAST($3::float8, b.tokens + GREATEST(0, EXTRACT(EPOCH FROM $5::timestamptz - b.updated_at)) * $4::float8) >= $2::float8`,
    values: [key, amount, burst, perSecond, now],
  });
  return rowCount === 1;
}
