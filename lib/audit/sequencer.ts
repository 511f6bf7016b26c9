import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Clock } from '#lib/platform/clock.ts';
import type { Logger } from '#lib/platform/log.ts';
import { type Checkpoint, checkpointText } from './checkpoint.ts';
import { Arrivals } from './holes.ts';
import { leafHashOf, type NodeReader, nodesAskedBy, nodesCompletedBy, rootOf } from './merkle.ts';

export type SequencerOptions = {
  /** Connection of the role that may write the log's order and nothing else. */
  databaseUrl: string;
  /** Who holds the fence, for operators: process and start. */
  holder: string;
  origin: string;
  /** Signs a checkpoint's text as a note; the key lives in a room above this one. */
  sign(text: string): Promise<string>;
  clock: Clock;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Pause between looks for new events. */
  pollMs?: number;
};

export type RunningSequencer = {
  /** Whether this process orders the log at the moment; another may hold the fence. */
  isHolder(): boolean;
  close(): Promise<void>;
};

/** Session lock that keeps a second sequencer waiting; the fence is what keeps a lost one from writing. */
const sequencerLock = 7_264_591_225;
const defaultPollMs = 200;
const batchRows = 2_000;
/** Checkpoints are at most this frequent while events keep coming. */
const checkpointEveryMs = 1_000;
const retryMs = 500;

/** Another sequencer has raised the fence: this one must not write again. */
export class FenceLost extends Error {}

/**
 * Orders committed events into the log, one process at a time. Events are written by many transactions that commit
 * in any order; here each gets its position after it is committed, so a position, once given, is never before an
 * event that was already there. Started in any number of processes: one holds the lock, the others wait.
 */
export function runSequencer(options: SequencerOptions): RunningSequencer {
  const ending = new AbortController();
  let holding = false;
  const pause = (ms: number) => sleep(ms, undefined, { signal: ending.signal }).catch(() => undefined);

  async function hold(): Promise<void> {
    const client = new pg.Client({
      connectionString: options.databaseUrl,
      statement_timeout: 30_000,
      application_name: 'countersign sequencer',
    });
    // The query under way reports a lost connection; without a listener the event would end the process.
    client.on('error', () => undefined);
    await client.connect();
    try {
      const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS held', [sequencerLock]);
      if (!rows[0].held) return void (await pause(1_000));
      const sequencer = await Sequencer.open(client, options);
      holding = true;
      options.log.info({ size: sequencer.size }, 'ordering the log');
      while (!ending.signal.aborted) {
        const { more } = await sequencer.step();
        if (!more) await pause(options.pollMs ?? defaultPollMs);
      }
      await sequencer.step();
    } finally {
      holding = false;
      await client.end().catch(() => undefined);
    }
  }

  const ended = (async () => {
    while (!ending.signal.aborted) {
      try {
        await hold();
      } catch (error) {
        if (!ending.signal.aborted)
          options.log.warn({ err: error }, 'the log is not being ordered; trying again');
        await pause(retryMs);
      }
    }
  })();

  return {
    isHolder: () => holding,
    async close() {
      ending.abort();
      await ended;
    },
  };
}

type PendingRow = {
  xmin: string;
  id: string | null;
  arrival: string;
  digest: string;
  sequenced: boolean;
};

/** The log's writer behind one fence. `step` reads what has arrived and appends it. Exported for tests. */
export class Sequencer {
  size: number;
  readonly #client: pg.Client;
  readonly #options: SequencerOptions;
  readonly #fence: string;
  readonly #arrivals: Arrivals;
  /** Events up to this arrival may have a leaf already: written before the last holder ended. */
  readonly #recoverUntil: number;
  /** Complete nodes of the right edge, all that growing needs. */
  #edge: Map<string, Uint8Array>;
  #signedSize: number;
  #signedAtMs = Number.NEGATIVE_INFINITY;

  private constructor(
    client: pg.Client,
    options: SequencerOptions,
    state: { fence: string; settled: number; size: number; recoverUntil: number; signedSize: number },
    edge: Map<string, Uint8Array>,
  ) {
    this.#client = client;
    this.#options = options;
    this.#fence = state.fence;
    this.#arrivals = new Arrivals(state.settled);
    this.#recoverUntil = state.recoverUntil;
    this.size = state.size;
    this.#signedSize = state.signedSize;
    this.#edge = edge;
  }

  /** Raises the fence, so that every earlier holder writes nothing from here on, and reads where the log ends. */
  static async open(client: pg.Client, options: SequencerOptions): Promise<Sequencer> {
    const raised = await client.query(
      'UPDATE sequencer_fence SET fence = fence + 1, holder = $1 WHERE id = 1 RETURNING fence::text, settled::text',
      [options.holder],
    );
    const { rows } = await client.query(
      `SELECT coalesce((SELECT max(sequence) + 1 FROM audit_leaf), 0)::text AS size,
              coalesce((SELECT max(arrival) FROM audit_event), 0)::text AS recover_until,
              coalesce((SELECT max(size) FROM audit_checkpoint), 0)::text AS signed_size`,
    );
    const size = Number(rows[0].size);
    const state = {
      fence: raised.rows[0].fence as string,
      settled: Number(raised.rows[0].settled),
      size,
      recoverUntil: Number(rows[0].recover_until),
      signedSize: Number(rows[0].signed_size),
    };
    return new Sequencer(
      client,
      options,
      state,
      await readNodes(
        client,
        nodesAskedBy((at) => rootOf(size, at)),
      ),
    );
  }

  /** Appends one batch of what has arrived and signs a checkpoint when one is due. */
  async step(): Promise<{ appended: number; more: boolean }> {
    const { rows } = await this.#client.query<PendingRow>({
      name: 'sequencer read',
      text: `SELECT pg_snapshot_xmin(s)::text AS xmin, e.*
        FROM pg_current_snapshot() s LEFT JOIN LATERAL (
          (SELECT id, arrival, digest, false AS sequenced
             FROM unnest($1::bigint[], $2::bigint[]) AS hole(low, high)
             JOIN audit_event ON arrival BETWEEN hole.low AND hole.high)
          UNION ALL
          (SELECT id, arrival, digest,
                  arrival <= $4 AND EXISTS (SELECT 1 FROM audit_leaf l WHERE l.event_id = audit_event.id)
             FROM audit_event WHERE arrival > $3 ORDER BY arrival LIMIT ${batchRows})
        ) e ON true ORDER BY e.arrival`,
      values: [
        this.#arrivals.holes.map((hole) => hole.from),
        this.#arrivals.holes.map((hole) => hole.to),
        this.#arrivals.high,
        this.#recoverUntil,
      ],
    });
    const arrived = rows.filter((row) => row.id !== null);
    const before = this.#arrivals.settled;
    this.#arrivals.see(
      arrived.map((row) => Number(row.arrival)),
      BigInt(rows[0]?.xmin ?? 0),
    );
    const fresh = arrived.filter((row) => !row.sequenced);
    if (fresh.length > 0) await this.#append(fresh);
    // A settled number that is not stored is looked at again after a change of holder: correct, only slower.
    else if (this.#arrivals.settled - before > batchRows) await this.#append([]);
    const more = arrived.length >= batchRows;
    await this.#signIfDue(!more);
    return { appended: fresh.length, more };
  }

  async #append(rows: readonly PendingRow[]): Promise<void> {
    const leafHashes = rows.map((row) => leafHashOf(Buffer.from(row.digest, 'base64url')));
    const completed = nodesCompletedBy(this.size, leafHashes, this.#node);
    const written = await this.#client.query<{ id: string }>({
      name: 'sequencer append',
      text: `WITH fence AS (UPDATE sequencer_fence SET settled = $2 WHERE id = 1 AND fence = $1 RETURNING 1),
        leaves AS (INSERT INTO audit_leaf (sequence, event_id, leaf_hash, sequenced_at)
          SELECT l.sequence, l.event_id, l.leaf_hash, $3
            FROM fence, unnest($4::bigint[], $5::text[], $6::bytea[]) AS l(sequence, event_id, leaf_hash)),
        nodes AS (INSERT INTO audit_node (level, index, hash)
          SELECT n.level, n.index, n.hash FROM fence, unnest($7::int[], $8::bigint[], $9::bytea[]) AS n(level, index, hash))
        SELECT pg_current_xact_id()::text AS id FROM fence`,
      values: [
        this.#fence,
        this.#arrivals.settled,
        this.#options.clock.now(),
        rows.map((_, offset) => this.size + offset),
        rows.map((row) => row.id),
        leafHashes,
        completed.map((node) => node.level),
        completed.map((node) => node.index),
        completed.map((node) => node.hash),
      ],
    });
    const transaction = written.rows[0];
    if (!transaction) throw new FenceLost('another sequencer orders the log');
    this.#arrivals.bar(BigInt(transaction.id));
    const known = new Map(this.#edge);
    leafHashes.forEach((hash, offset) => {
      known.set(`0/${this.size + offset}`, hash);
    });
    for (const node of completed) known.set(`${node.level}/${node.index}`, node.hash);
    this.size += rows.length;
    this.#edge = new Map(
      nodesAskedBy((at) => rootOf(this.size, at)).map(({ level, index }) => {
        const key = `${level}/${index}`;
        return [key, known.get(key) as Uint8Array];
      }),
    );
  }

  /** A checkpoint once all that has arrived is ordered, and each second while events keep coming. */
  async #signIfDue(drained: boolean): Promise<void> {
    const { clock, origin, log } = this.#options;
    if (this.size === this.#signedSize) return;
    if (!drained && clock.monotonicMs() - this.#signedAtMs < checkpointEveryMs) return;
    const checkpoint: Checkpoint = {
      origin,
      size: this.size,
      root: Buffer.from(rootOf(this.size, this.#node)),
    };
    let note: string;
    try {
      note = await this.#options.sign(checkpointText(checkpoint));
    } catch (error) {
      // The order does not wait for a key; the next step tries again.
      log.warn({ err: error }, 'a checkpoint could not be signed');
      return;
    }
    const { rowCount } = await this.#client.query({
      name: 'sequencer checkpoint',
      text: `WITH fence AS (SELECT 1 FROM sequencer_fence WHERE id = 1 AND fence = $1 FOR UPDATE),
        signed AS (INSERT INTO audit_checkpoint (size, root_hash, note, signed_at)
          SELECT $2::bigint, $3::bytea, $4, $5 FROM fence RETURNING size)
        SELECT pg_notify('countersign_change', json_build_object('topic', 'audit', 'id', size::text)::text) FROM signed`,
      values: [this.#fence, checkpoint.size, checkpoint.root, note, clock.now()],
    });
    if (rowCount !== 1) throw new FenceLost('another sequencer signs the log');
    this.#signedSize = checkpoint.size;
    this.#signedAtMs = clock.monotonicMs();
  }

  #node: NodeReader = (level, index) => {
    const hash = this.#edge.get(`${level}/${index}`);
    if (!hash) throw new TypeError(`node ${level}/${index} is not on the right edge`);
    return hash;
  };
}

/** Complete nodes from the stored tree: leaves are level 0. A missing one is a damaged log. */
export async function readNodes(
  client: Pick<pg.Client, 'query'> | Pick<pg.Pool, 'query'>,
  wanted: readonly { level: number; index: number }[],
): Promise<Map<string, Uint8Array>> {
  const { rows } = await (client as pg.Client).query<{ level: number; index: string; hash: Buffer }>(
    `SELECT 0 AS level, sequence::text AS index, leaf_hash AS hash FROM audit_leaf WHERE sequence = ANY ($1::bigint[])
     UNION ALL
     SELECT n.level, n.index::text, n.hash FROM unnest($2::int[], $3::bigint[]) AS w(level, index)
       JOIN audit_node n ON n.level = w.level AND n.index = w.index`,
    [
      wanted.filter((node) => node.level === 0).map((node) => node.index),
      wanted.filter((node) => node.level > 0).map((node) => node.level),
      wanted.filter((node) => node.level > 0).map((node) => node.index),
    ],
  );
  const nodes = new Map(rows.map((row) => [`${row.level}/${row.index}`, row.hash as Uint8Array]));
  const missing = wanted.find((node) => !nodes.has(`${node.level}/${node.index}`));
  if (missing) throw new Error(`the stored tree lacks node ${missing.level}/${missing.index}`);
  return nodes;
}
