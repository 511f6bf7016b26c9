import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { rawPublicKey } from '#lib/audit/checkpoint.ts';
import { type EventRow, insertEvents, toEventRow } from '#lib/audit/record.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { groupCommit, isConnectionLoss } from '#lib/platform/group-commit.ts';
import { newId } from '#lib/platform/ids.ts';
import { generateEd25519 } from '#lib/platform/jws.ts';
import { openHistory } from './history-database.ts';
import { type BenchRow, round } from './row.ts';

const producers = 256;
const warmUpMs = 2_000;
const measuredMs = 10_000;
const goalPerSecond = 10_000;
const goalLagMs = 2_000;
/** One event in this many is followed from its acknowledgement to its place in the log. */
const followEvery = 25;

/**
 * `audit-append`: 256 producers, each waiting for the commit of its event before it writes the next, through the group
 * commit of the hot paths; meanwhile the sequencer gives places to what arrives, and how late each place comes is
 * measured from the acknowledgement.
 */
export async function run(): Promise<BenchRow[]> {
  const database = await openHistory();
  const { publicJwk, privateJwk } = generateEd25519('bench');
  const worker = new Worker(path.join(import.meta.dirname, 'audit-sequencer.ts'), {
    workerData: { databaseUrl: database.urls.sequencer, privateJwk, publicKey: rawPublicKey(publicJwk) },
    execArgv: [],
  });
  try {
    const { hot } = database.db;
    const insert = insertEvents('$1');
    const append = groupCommit<EventRow, true>({
      maxRows: 256,
      maxInFlight: 2,
      async run(rows) {
        await hot.query({ name: 'append', text: insert, values: [JSON.stringify(rows)] });
        return rows.map(() => true as const);
      },
      isOutcomeUnknown: isConnectionLoss,
    });
    const ctx = {
      actor: systemActor('bench'),
      clock: systemClock,
      traceId: newId('trace'),
      address: '127.0.0.1',
      userAgent: null,
    };
    let running = true;
    let measuring = false;
    let acknowledged = 0;
    const followed = new Map<string, number>();
    const latencies: number[] = [];
    const produce = async (producer: number) => {
      for (let turn = 0; running; turn++) {
        const row = toEventRow(ctx, {
          kind: 'credential.issue',
          subjectId: `crd_${producer}_${turn}`,
          agentId: `agt_${producer % 50}`,
          clientId: `client_${producer}`,
          serverId: `srv_${producer % 5}`,
          data: { tools: ['read_note', 'write_note'], expiresInSeconds: 300 },
        });
        const startedAt = performance.now();
        await append(row);
        if (!measuring) continue;
        acknowledged++;
        if (acknowledged % followEvery === 0) {
          latencies.push(performance.now() - startedAt);
          followed.set(row.id, Date.now());
        }
      }
    };
    const all = Array.from({ length: producers }, (_, producer) => produce(producer));
    await sleep(warmUpMs);
    measuring = true;
    const startedAt = performance.now();
    await sleep(measuredMs);
    measuring = false;
    const perSecond = acknowledged / ((performance.now() - startedAt) / 1000);
    running = false;
    await Promise.all(all);
    const lags = await readLags(database.superuserUrl, followed);
    const lag = percentile(lags, 0.99);
    return [
      {
        row: 'audit-append',
        value: round(perSecond, 0),
        unit: 'events/s',
        peer: null,
        ratio: null,
        goal: `≥ ${goalPerSecond} events/s, sequencing lag p99 ≤ ${goalLagMs} ms`,
        met: perSecond >= goalPerSecond && lag <= goalLagMs && lags.length === followed.size,
        conditions: `${producers} producers, ack p50 ${round(percentile(latencies, 0.5), 1)} ms p99 ${round(percentile(latencies, 0.99), 1)} ms, place in the log p50 ${round(percentile(lags, 0.5), 0)} ms p99 ${round(lag, 0)} ms after the ack, all indexes, embedded PostgreSQL and sequencer on the same machine`,
      },
    ];
  } finally {
    await worker.terminate();
    await database.close();
  }
}

/** Waits until every followed event has its place and returns how long each took. */
async function readLags(url: string, followed: ReadonlyMap<string, number>): Promise<number[]> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (let attempt = 0; ; attempt++) {
      const { rows } = await client.query<{ event_id: string; sequenced_at: Date }>(
        'SELECT event_id, sequenced_at FROM audit_leaf WHERE event_id = ANY ($1)',
        [[...followed.keys()]],
      );
      if (rows.length === followed.size || attempt === 60) {
        return rows.map((row) =>
          Math.max(0, row.sequenced_at.getTime() - (followed.get(row.event_id) as number)),
        );
      }
      await sleep(1_000);
    }
  } finally {
    await client.end();
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
