import type { ServerResponse } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Gate } from './context.ts';

/** One thing that must hold before this process should get traffic. Resolves when it does, throws when not. */
export type ReadinessCheck = (gate: Gate) => Promise<void>;

/** The checks a gate has of its own; the start adds what it runs beside it (jobs). */
export const gateChecks: Record<string, ReadinessCheck> = {
  async database(gate) {
    await gate.db.hot.query('SELECT 1');
  },
  async migrations(gate) {
    const { rows } = await gate.db.hot.query<{ open: string }>(
      'SELECT count(*) AS open FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL',
    );
    if (rows[0]?.open !== '0') throw new Error('a migration did not finish');
  },
  async keys(gate) {
    const { rows } = await gate.db.hot.query(
      "SELECT 1 FROM signing_key WHERE purpose = 'token' AND state = 'active'",
    );
    if (rows.length === 0) throw new Error('no active signing key');
  },
  /** A worker, in this process or another, orders what happens: nothing may wait for its position for long. */
  async history(gate) {
    const { rows } = await gate.db.hot.query(
      `SELECT 1 FROM audit_event e WHERE e.arrival > (SELECT settled FROM sequencer_fence WHERE id = 1)
          AND e.at < $1 AND NOT EXISTS (SELECT 1 FROM audit_leaf l WHERE l.event_id = e.id) LIMIT 1`,
      [new Date(gate.clock.now().getTime() - longestSequencingMs)],
    );
    if (rows.length > 0) throw new Error('events wait for their position in the log: no worker runs');
  },
};

/** Events have their place in the log within two seconds; this long means that nobody gives places. */
const longestSequencingMs = 60_000;

const checkTimeoutMs = 3_000;

/** 200 when every check holds, 503 otherwise; says which by name and nothing more. */
export async function answerReadiness(
  gate: Gate,
  checks: Record<string, ReadinessCheck>,
  response: ServerResponse,
  /** Facts that do not decide about traffic, such as room on the disk: stops must get through to the end. */
  facts: Record<string, string> = {},
): Promise<void> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      try {
        await withTimeout(check(gate));
        return [name, 'ok'] as const;
      } catch (error) {
        gate.log.warn({ err: error, check: name }, 'not ready');
        return [name, 'failed'] as const;
      }
    }),
  );
  const ready = results.every(([, state]) => state === 'ok');
  answerJson(response, ready ? 200 : 503, {
    status: ready ? 'ready' : 'not ready',
    checks: Object.fromEntries(results),
    ...facts,
  });
}

async function withTimeout(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('timed out')), checkTimeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

export function answerJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: object = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(JSON.stringify(body));
}

export const registry = new Registry();
collectDefaultMetrics({ register: registry });

export const requestsTotal = new Counter({
  name: 'countersign_http_requests_total',
  help: 'Answered requests by face and status class.',
  labelNames: ['face', 'status'] as const,
  registers: [registry],
});

export const shedTotal = new Counter({
  name: 'countersign_http_shed_total',
  help: 'Anonymous requests turned away because this process was overloaded.',
  registers: [registry],
});

export const registrationsStoppedTotal = new Counter({
  name: 'countersign_registrations_stopped_total',
  help: 'Registrations of unknown clients turned away because the disk is nearly full.',
  registers: [registry],
});

export const dataFreeBytes = new Gauge({
  name: 'countersign_data_free_bytes',
  help: 'Room left on the tightest disk under the data folder and the embedded database.',
  registers: [registry],
});

export const loopLag = new Gauge({
  name: 'countersign_loop_lag_milliseconds',
  help: 'Smoothed lateness of the event loop, which decides about shedding.',
  registers: [registry],
});
