/** One line of `npm run bench`. `ratio` compares with the peer of the same run, `met` is null where there is no goal. */
export type BenchRow = {
  row: string;
  value: number;
  unit: string;
  /** The peer's figure in the same unit, null where nothing was measured beside. */
  peer: number | null;
  ratio: number | null;
  goal: string;
  met: boolean | null;
  conditions: string;
};

export type Bench = () => Promise<BenchRow[]>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
