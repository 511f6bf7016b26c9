/** The only reader of time. Verbs receive it through their context; pure checks receive the instant. */
export type Clock = {
  /** Wall clock, for what is stored and shown. */
  now(): Date;
  /** Monotonic milliseconds, for leases and measured intervals; never compared across processes. */
  monotonicMs(): number;
};

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
};

export function addSeconds(instant: Date, seconds: number): Date {
  return new Date(instant.getTime() + seconds * 1000);
}

/** NumericDate of RFC 7519: whole seconds since the epoch. */
export function toNumericDate(instant: Date): number {
  return Math.floor(instant.getTime() / 1000);
}

/** How far two honest clocks of one installation may be apart, in seconds; what differs by more is not believed. */
export const clockSkewSeconds = 30;

/**
 * Whether something was made later than now, by more than clocks may differ: a clock has gone back. What was made
 * then may have ended since, so nobody gets anything for it until the clock has caught up.
 */
export function isFromTheFuture(madeAt: Date, now: Date): boolean {
  return madeAt > addSeconds(now, clockSkewSeconds);
}
