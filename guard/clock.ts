/** The guard's only reader of time. */
export type Clock = {
  /** Unix milliseconds of this machine; may jump. */
  wallMs(): number;
  /** Never jumps, stands still while the machine sleeps. */
  monotonicMs(): number;
};

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
