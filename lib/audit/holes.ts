/**
 * Which arrival numbers are still open. Numbers are handed out by a sequence inside transactions, so they become
 * visible out of order, and those of a rolled-back transaction never do. A transaction has its id before it takes a
 * number (the column's default sees to that), so whoever holds a number missing below a visible one has an id below any
 * given out after that one was seen: the hole's barrier. Once every transaction with an id below the barrier has ended,
 * what is missing will never come.
 *
 * A snapshot's own `xmax` is no barrier: it is one past the youngest transaction that has ended, and the owner of a
 * missing number may be younger than that.
 *
 * Transaction ids live in memory only. What is stored is the highest settled number, so a dump restored into another
 * cluster, where transaction ids start anew, goes on where it was.
 */
export type Hole = {
  from: number;
  to: number;
  /** An id given out after the hole was seen; null until there is one, and until then the hole stays. */
  barrier: bigint | null;
};

export class Arrivals {
  /** Every number up to here has been seen or is known never to come, except the holes. */
  high: number;
  #holes: Hole[] = [];

  constructor(settled: number) {
    this.high = settled;
  }

  get holes(): readonly Hole[] {
    return this.#holes;
  }

  /** The highest number below which nothing is open. */
  get settled(): number {
    return this.#holes.reduce((lowest, hole) => Math.min(lowest, hole.from - 1), this.high);
  }

  /** Takes in the numbers one snapshot showed, all of them up to the largest; `xmin` is its oldest running transaction. */
  see(numbers: readonly number[], xmin: bigint): void {
    const sorted = [...numbers].sort((a, b) => a - b);
    for (const number of sorted) {
      if (number <= this.high) {
        this.#fill(number);
        continue;
      }
      if (number > this.high + 1) {
        this.#holes.push({ from: this.high + 1, to: number - 1, barrier: null });
      }
      this.high = number;
    }
    // What this very snapshot did not show of a hole older than all that still runs was rolled back.
    this.#holes = this.#holes.filter((hole) => hole.barrier === null || xmin < hole.barrier);
  }

  /** `id` was given to a transaction begun after everything seen so far: the barrier of the holes that have none. */
  bar(id: bigint): void {
    this.#holes = this.#holes.map((hole) => (hole.barrier === null ? { ...hole, barrier: id } : hole));
  }

  #fill(number: number): void {
    this.#holes = this.#holes.flatMap((hole) => {
      if (number < hole.from || number > hole.to) return [hole];
      const rest: Hole[] = [];
      if (number > hole.from) rest.push({ ...hole, to: number - 1 });
      if (number < hole.to) rest.push({ ...hole, from: number + 1 });
      return rest;
    });
  }
}
