import autocannon from 'autocannon';
import { type BenchRow, median, round } from './row.ts';

export type Shot = { method: 'POST' | 'GET'; path: string; headers: Record<string, string>; body: string };
/** One side of a comparison: where it is, and the next request to send it. */
export type Target = { url: string; next(): Shot };

type Run = { perSecond: number; p50: number; p99: number };

const warmUpSeconds = 6;

async function shoot(target: Target, inFlight: number, seconds: number): Promise<Run> {
  const result = await autocannon({
    url: target.url,
    connections: inFlight,
    duration: seconds,
    requests: [{ setupRequest: (request) => ({ ...request, ...target.next() }) }],
  });
  const failed = result.errors + result.timeouts + result.non2xx;
  if (failed > 0) {
    const shot = target.next();
    const answer = await fetch(target.url + shot.path, {
      method: shot.method,
      headers: shot.headers,
      body: shot.body,
    });
    console.error(`one such answer: ${answer.status} ${(await answer.text()).slice(0, 500)}`);
    throw new Error(`${target.url}: ${failed} of ${result.requests.total} requests failed`);
  }
  return {
    perSecond: result.requests.total / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
  };
}

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
  const { rounds = 3, seconds = 4 } = options;
  const rows: BenchRow[] = [];
  for (const inFlight of [16, 64]) {
    const ours: Run[] = [];
    const peer: Run[] = [];
    for (let index = 0; index < rounds; index++) {
      await options.prepare?.(inFlight, seconds);
      if (index === 0 && inFlight === 16) {
        await shoot(options.ours, inFlight, warmUpSeconds);
        await shoot(options.peer, inFlight, warmUpSeconds);
        await options.prepare?.(inFlight, seconds);
      }
      // The order alternates too: neither side always runs on the other's heels.
      if (index % 2 === 0) {
        ours.push(await shoot(options.ours, inFlight, seconds));
        peer.push(await shoot(options.peer, inFlight, seconds));
      } else {
        peer.push(await shoot(options.peer, inFlight, seconds));
        ours.push(await shoot(options.ours, inFlight, seconds));
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
      conditions: `${inFlight} in flight, ${rounds} alternating rounds of ${seconds} s, medians; p99 ${p99} ms, peer ${peerP99} ms; ${options.conditions}`,
    });
  }
  return rows;
}
