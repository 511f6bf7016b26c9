import pg from 'pg';
import { canonicalJson } from '#lib/platform/canonical-json.ts';
import type { Clock } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import { newId } from '#lib/platform/ids.ts';
import { type NoteVerifier, openNote, parseCheckpoint } from './checkpoint.ts';
import { leafHashOf, nodeHashOf } from './merkle.ts';
import { type EventRow, eventColumns } from './record.ts';

export type Verification = {
  startedAt: Date;
  finishedAt: Date;
  /** Events compared, in the order of the log. */
  size: number;
  rootHash: string;
  outcome: 'intact' | 'broken';
  /** The first position that does not hold; null when it is not about one position. */
  firstBadPosition: number | null;
  problem: string;
};

const batchRows = 1_000;
/** An event this long without a position was not left behind by a busy sequencer. */
const strayAfterSeconds = 600;

export type LeafRow = { sequence: string; event_id: string; leaf_hash: Buffer; event: EventRow | null };

/**
 * Reads the whole log again and believes nothing that is stored beside it: digests from the events' columns, leaves
 * from the digests, the tree from the leaves, and every signed checkpoint against the tree as it was at that size.
 * Whoever altered, removed, reordered or slipped in a row contradicts a checkpoint signed before; the first position
 * that does not hold is named. Works in pieces, so that it may run beside everything else.
 */
export async function verifyLog(options: {
  /** Any role that may read history. */
  databaseUrl: string;
  origin: string;
  /** Every key that ever signed checkpoints. What a killed one signed stays: each root is computed again here. */
  verifiers: readonly NoteVerifier[];
  clock: Clock;
  /** Called after each piece; a long log may be shown as it is read. */
  onProgress?(compared: number): void;
}): Promise<Verification> {
  const startedAt = options.clock.now();
  const client = new pg.Client({ connectionString: options.databaseUrl, statement_timeout: 60_000 });
  client.on('error', () => undefined);
  await client.connect();
  const tree = new Frontier();
  const finish = (bad: { position: number | null; problem: string } | null): Verification => ({
    startedAt,
    finishedAt: options.clock.now(),
    size: tree.size,
    rootHash: tree.root().toString('base64'),
    outcome: bad ? 'broken' : 'intact',
    firstBadPosition: bad?.position ?? null,
    problem: bad?.problem ?? '',
  });
  try {
    // One snapshot for all pieces: a checkpoint signed meanwhile does not speak of leaves not read.
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const checkpoints = await readCheckpoints(client, options);
    if (checkpoints.bad) return finish(checkpoints.bad);
    const nodes = new NodeComparison(client);
    for (;;) {
      const { rows } = await client.query<LeafRow>({
        name: 'verify leaves',
        text: `SELECT l.sequence::text, l.event_id, l.leaf_hash,
            CASE WHEN e.id IS NULL THEN NULL ELSE to_jsonb(e) - 'words' - 'arrival' END AS event
          FROM audit_leaf l LEFT JOIN audit_event e ON e.id = l.event_id
          WHERE l.sequence >= $1 ORDER BY l.sequence LIMIT ${batchRows}`,
        values: [tree.size],
      });
      for (const row of rows) {
        const problem = problemOf(row, tree.size);
        if (problem) return finish({ position: tree.size, problem });
        nodes.expect(tree.append(row.leaf_hash));
        const signed = checkpoints.rootAt.get(tree.size);
        if (signed && !signed.equals(tree.root())) {
          return finish({
            position: tree.size - 1,
            problem: `The checkpoint signed at ${tree.size} events has another root: an event at or before this position was exchanged.`,
          });
        }
      }
      const bad = await nodes.compare();
      if (bad) return finish(bad);
      options.onProgress?.(tree.size);
      if (rows.length < batchRows) break;
    }
    const largest = Math.max(0, ...checkpoints.rootAt.keys());
    if (largest > tree.size) {
      return finish({
        position: tree.size,
        problem: `A checkpoint was signed over ${largest} events and the log ends after ${tree.size}: its end was removed.`,
      });
    }
    return finish(await findStray(client, options.clock));
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What is wrong with the row of a position, believing neither the order nor the event; null when it holds. */
export function problemOf(row: LeafRow, position: number): string | null {
  if (Number(row.sequence) !== position) return 'A position is missing from the order of the log.';
  if (!row.event) return `The event ${row.event_id} of this position is gone.`;
  if (digestOfRow(row.event) !== row.event.digest) {
    return `The event ${row.event_id} was altered: its columns do not have the digest stored with it.`;
  }
  if (!leafHashOf(Buffer.from(row.event.digest, 'base64url')).equals(row.leaf_hash)) {
    return `The event ${row.event_id} is not the one this position was given to.`;
  }
  return null;
}

/** The digest of an event's columns as read from the database; equal to the one computed when it was recorded. */
export function digestOfRow(row: Readonly<Record<string, unknown>>): string {
  const covered: Record<string, unknown> = {};
  for (const column of eventColumns) {
    if (column !== 'digest') covered[column] = row[column] ?? null;
  }
  // The database writes instants its own way; the digest is over the form they were recorded in.
  covered.at = new Date(String(row.at)).toISOString();
  return sha256(canonicalJson(covered));
}

async function readCheckpoints(
  client: pg.Client,
  options: { origin: string; verifiers: readonly NoteVerifier[] },
): Promise<{ rootAt: Map<number, Buffer>; bad: { position: number | null; problem: string } | null }> {
  const rootAt = new Map<number, Buffer>();
  let after = -1;
  for (;;) {
    const { rows } = await client.query<{ size: string; root_hash: Buffer; note: string }>({
      name: 'verify checkpoints',
      text: 'SELECT c.size::text, c.root_hash, c.note FROM audit_checkpoint c WHERE c.size > $1 ORDER BY c.size LIMIT 5000',
      values: [after],
    });
    for (const row of rows) {
      after = Number(row.size);
      const text = openNote(row.note, options.verifiers);
      const stated = text ? parseCheckpoint(text) : null;
      const position = after === 0 ? null : after - 1;
      if (!stated) {
        return {
          rootAt,
          bad: {
            position,
            problem: `The checkpoint at ${after} events carries no signature of this installation.`,
          },
        };
      }
      if (stated.origin !== options.origin || stated.size !== after || !stated.root.equals(row.root_hash)) {
        return {
          rootAt,
          bad: { position, problem: `The checkpoint at ${after} events was exchanged for another.` },
        };
      }
      rootAt.set(after, stated.root);
    }
    if (rows.length < 5000) return { rootAt, bad: null };
  }
}

/** An event nobody ordered, long after it was written: slipped in below what the sequencer had settled. */
async function findStray(client: pg.Client, clock: Clock) {
  const { rows } = await client.query<{ id: string }>(
    `SELECT e.id FROM audit_event e WHERE e.at < $1 AND NOT EXISTS (SELECT 1 FROM audit_leaf l WHERE l.event_id = e.id)
      AND e.arrival <= (SELECT settled FROM sequencer_fence WHERE id = 1) ORDER BY e.arrival LIMIT 1`,
    [new Date(clock.now().getTime() - strayAfterSeconds * 1000)],
  );
  const stray = rows[0];
  return stray
    ? {
        position: null,
        problem: `The event ${stray.id} has no position in the log: it did not come through the product.`,
      }
    : null;
}

/** The right edge of a growing tree: all that a root needs. */
export class Frontier {
  size = 0;
  #edge: { level: number; index: number; hash: Buffer }[] = [];

  /** Appends a leaf and returns the nodes of level 1 and up that it completed. */
  append(leafHash: Buffer): { level: number; index: number; hash: Buffer }[] {
    let node = { level: 0, index: this.size, hash: leafHash };
    const completed: (typeof node)[] = [];
    while (node.index % 2 === 1) {
      const left = this.#edge.pop() as typeof node;
      node = {
        level: node.level + 1,
        index: (node.index - 1) / 2,
        hash: nodeHashOf(left.hash, node.hash),
      };
      completed.push(node);
    }
    this.#edge.push(node);
    this.size += 1;
    return completed;
  }

  root(): Buffer {
    const [last, ...rest] = [...this.#edge].reverse();
    if (!last) return Buffer.from(sha256(''), 'base64url');
    return rest.reduce((hash, node) => nodeHashOf(node.hash, hash), last.hash);
  }
}

/** Compares stored nodes with computed ones, a piece at a time: proofs are put together from the stored ones. */
class NodeComparison {
  readonly #client: pg.Client;
  #expected: { level: number; index: number; hash: Buffer }[] = [];

  constructor(client: pg.Client) {
    this.#client = client;
  }

  expect(nodes: readonly { level: number; index: number; hash: Buffer }[]): void {
    this.#expected.push(...nodes);
  }

  async compare(): Promise<{ position: number; problem: string } | null> {
    const expected = this.#expected;
    this.#expected = [];
    if (expected.length === 0) return null;
    const { rows } = await this.#client.query<{ last: string }>({
      name: 'verify nodes',
      text: `SELECT ((w.index + 1) * (1::bigint << w.level) - 1)::text AS last
        FROM unnest($1::int[], $2::bigint[], $3::bytea[]) AS w(level, index, hash)
        LEFT JOIN audit_node n ON n.level = w.level AND n.index = w.index
        WHERE n.hash IS DISTINCT FROM w.hash ORDER BY 1 LIMIT 1`,
      values: [
        expected.map((node) => node.level),
        expected.map((node) => node.index),
        expected.map((node) => node.hash),
      ],
    });
    const bad = rows[0];
    return bad
      ? { position: Number(bad.last), problem: 'A stored node of the tree was altered or removed.' }
      : null;
  }
}

/** Keeps what a run found; the audit page and the checks of the installation read the newest. */
export async function storeVerification(db: { hot: pg.Pool }, found: Verification): Promise<void> {
  await db.hot.query(
    `INSERT INTO audit_verification (id, started_at, finished_at, size, root_hash, outcome, first_bad_position, problem)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      newId('verification'),
      found.startedAt,
      found.finishedAt,
      found.size,
      found.rootHash,
      found.outcome,
      found.firstBadPosition,
      found.problem,
    ],
  );
}
