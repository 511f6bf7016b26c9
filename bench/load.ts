import { closedLoop, type Run, type Target } from './closed-loop.ts';
import { type BenchRow, median, round } from './row.ts';

const warmUpSeconds = 8;

/**
 * Both sides in turn, several rounds, so that whatever else the machine does meets both; medians are compared. Every
 * answer must be a success, or the row fails.
 */
export async function compare(options: {
  row: string;
  ours: Target;
  peer: Target;
  goalRatio: number;
  peerName: string;
  conditions: string;
  rounds?: number;
  seconds?: number;
  /** Before each round, outside the measured time: what the next round uses up. */
  prepare?(inFlight: number, seconds: number): Promise<void>;
}): Promise<BenchRow[]> {
  const { rounds = 5, seconds = 4 } = options;
  const rows: BenchRow[] = [];
  for (const inFlight of [16, 64]) {
    const ours: Run[] = [];
    const peer: Run[] = [];
    for (let index = 0; index < rounds; index++) {
      await options.prepare?.(inFlight, seconds);
      if (index === 0 && inFlight === 16) {
        await closedLoop(options.ours, inFlight, warmUpSeconds);
        await closedLoop(options.peer, inFlight, warmUpSeconds);
        await options.prepare?.(inFlight, seconds);
      }
      // The order alternates too: neither side always runs on the other's heels.
      if (index % 2 === 0) {
        ours.push(await closedLoop(options.ours, inFlight, seconds));
        peer.push(await closedLoop(options.peer, inFlight, seconds));
      } else {
        peer.push(await closedLoop(options.peer, inFlight, seconds));
        ours.push(await closedLoop(options.ours, inFlight, seconds));
      }
    }
    const value = median(ours.map((run) => run.perSecond));
    const peerValue = median(peer.map((run) => run.perSecond));
    const [p99, peerP99] = [ours, peer].map((side) => median(side.map((run) => run.p99))) as [number, number];
    const ratio = value / peerValue;
    rows.push({
      row: options.row,
      value: round(value, 0),
      unit: 'requests/s',
      peer: round(peerValue, 0),
      ratio: round(ratio),
      goal: `>= ${options.goalRatio} x ${options.peerName}`,
      met: ratio >= options.goalRatio,
      conditions: `${inFlight} in flight, ${rounds} alternating rounds of ${seconds} s, medians; p99 ${round(p99, 0)} ms, peer ${round(peerP99, 0)} ms; ${options.conditions}`,
    });
  }
  return rows;
}
