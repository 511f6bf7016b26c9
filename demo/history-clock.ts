import { type Clock, systemClock } from '#lib/platform/clock.ts';

/** A clock that tells the story: it stands where it is put and moves on a little with every look, never back. */
export class HistoryClock implements Clock {
  #atMs: number;

  constructor(start: Date) {
    this.#atMs = start.getTime();
  }

  now(): Date {
    this.#atMs += 7;
    return new Date(this.#atMs);
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  moveTo(instant: Date): void {
    this.#atMs = Math.max(this.#atMs, instant.getTime());
  }
}
