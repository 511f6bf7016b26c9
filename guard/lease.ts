import type { Clock } from './clock.ts';
import { clockEveryMs, leaseMs } from './protocol.ts';

/** A clock exchange that took longer says too little about when the gate answered. */
const longestExchangeMs = 1_000;
/** How far two clocks drift apart between exchanges, at most. */
const driftAllowanceMs = 100;

/**
 * The right to believe that nothing was revoked. It runs for `leaseMs` from the
 * moment a heartbeat was *sent*, on this machine's monotonic clock: a heartbeat
 * that was held back, however steadily, arrives with its time already spent.
 */
export class Lease {
  readonly #clock: Clock;
  /** Gate time minus monotonic time, at the earliest moment the gate can have answered. */
  #mapping: { offsetMs: number; uncertaintyMs: number; madeAtMs: number } | null = null;
  #until: { monotonicMs: number; wallMs: number } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Maps the gate clock from one exchange: asked at `askedAtMs`, answered by
   * `answeredAtMs` (both monotonic) with `gateTimeMs`. Returns whether the
   * exchange was quick enough to be used.
   */
  mapClock(exchange: { askedAtMs: number; answeredAtMs: number; gateTimeMs: number }): boolean {
    const uncertaintyMs = exchange.answeredAtMs - exchange.askedAtMs;
    if (uncertaintyMs < 0 || uncertaintyMs > longestExchangeMs) return false;
    this.#mapping = {
      offsetMs: exchange.gateTimeMs - exchange.askedAtMs,
      uncertaintyMs,
      madeAtMs: exchange.answeredAtMs,
    };
    return true;
  }

  /** Whether it is time for another exchange. */
  needsMapping(): boolean {
    return !this.#mapping || this.#clock.monotonicMs() - this.#mapping.madeAtMs >= clockEveryMs;
  }

  /**
   * Extends the lease by a heartbeat sent at `sentAtMs` on the gate clock. False
   * when that time cannot be: no mapping, mapping too old, or the future.
   */
  extend(sentAtMs: number): boolean {
    const now = this.#clock.monotonicMs();
    const mapping = this.#mapping;
    if (!mapping || now - mapping.madeAtMs > 2 * clockEveryMs) return false;
    const sentMs = sentAtMs - mapping.offsetMs;
    if (sentMs > now + driftAllowanceMs) return false;
    const remainingMs = Math.min(sentMs, now) + leaseMs - now;
    if (remainingMs <= 0) return false;
    if (this.#until && this.#until.monotonicMs >= now + remainingMs) return true;
    this.#until = { monotonicMs: now + remainingMs, wallMs: this.#clock.wallMs() + remainingMs };
    return true;
  }

  end(): void {
    this.#until = null;
  }

  /** The wall clock counts too: it goes on while a sleeping machine's monotonic clock stands still. */
  live(): boolean {
    return (
      this.#until !== null &&
      this.#clock.monotonicMs() < this.#until.monotonicMs &&
      this.#clock.wallMs() < this.#until.wallMs + leaseMs / 5
    );
  }

  /** Now on the gate clock, as well as it is known; this machine's own clock before the first exchange. */
  gateNowMs(): number {
    if (!this.#mapping) return this.#clock.wallMs();
    return Math.round(this.#clock.monotonicMs() + this.#mapping.offsetMs + this.#mapping.uncertaintyMs / 2);
  }
}
