/**
 * Which arrival numbers are still open. Numbers are handed out by a sequence inside transactions, so they become
 * visible out of order, and those of a rolled-back transaction never do. A number missing below a visible one is taken to
 * belong to a transaction older than the `xmax` of that snapshot, so that it will never come once the oldest running
 * transaction (`xmin`) is not older than that.
 *
 * Known to be too much: PostgreSQL gives a transaction its id at its first write, and a number may be taken just before.
 * Who is put aside between the two is not seen by `xmin`, and its event, committed later, would be given up already.
 *
 * Transaction ids live in memory only. What is stored is the highest settled number, so a dump restored into another
 * cluster, where transaction ids start anew, goes on where it was.
 */
export type Hole = { from: number; to: number; barrier: bigint };

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

  /** Takes in the numbers one snapshot showed, all of them up to the largest. */
  see(numbers: readonly number[], snapshot: { xmin: bigint; xmax: bigint }): void {
    const sorted = [...numbers].sort((a, b) => a - b);
    for (const number of sorted) {
      if (number <= this.high) {
        this.#fill(number);
        continue;
      }
      if (number > this.high + 1) {
        this.#holes.push({ from: this.high + 1, to: number - 1, barrier: snapshot.xmax });
      }
      this.high = number;
    }
    // What this very snapshot did not show of a hole older than all that still runs was rolled back.
    this.#holes = this.#holes.filter((hole) => snapshot.xmin < hole.barrier);
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
