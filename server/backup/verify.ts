import {
  logOrigin,
  type NoteVerifier,
  openNote,
  parseCheckpoint,
  rawPublicKey,
} from '#lib/audit/checkpoint.ts';
import type { EventRow } from '#lib/audit/record.ts';
import { eventColumns } from '#lib/audit/record.ts';
import { Frontier, problemOf } from '#lib/audit/verify.ts';
import { type Ed25519PublicJwk, openPublicJwk } from '#lib/platform/jws.ts';
import {
  type BackupKeys,
  DamagedBackup,
  type End,
  type Header,
  isSealedBy,
  readContainer,
  rowsFrom,
} from './container.ts';
import { columnsOf, linesOf, textArrayOf } from './copy.ts';
import { readBytes, sizeOf } from './file.ts';

export type VerifiedBackup = {
  header: Header;
  end: End;
  bytes: number;
  rowsOf: ReadonlyMap<string, number>;
  /** Events in the order of the log, their root, and how many signed checkpoints agree with it. */
  history: { size: number; rootHash: string; checkpoints: number };
  /** Whether the key of this host sealed it; null where there is no key to ask. */
  sealed: boolean | null;
};

type Row = ReadonlyMap<string, string | null>;
type Place = { columns: readonly string[]; offset: number };

/**
 * Reads a backup twice and needs nothing but the file: first every byte against the digests, then its history as the
 * verifier of the running product does, events from their columns, leaves from the events, the tree from the leaves,
 * and every signed checkpoint against the tree as it was at that size. Memory does not grow with the file.
 *
 * @throws DamagedBackup naming the first thing that does not hold.
 */
export async function verifyBackup(file: string, keys: BackupKeys | null): Promise<VerifiedBackup> {
  const bytes = await sizeOf(file);
  const places = new Map<string, Place>();
  const rowsOf = new Map<string, number>();
  let header: Header | null = null;
  let end: End | null = null;
  for await (const part of readContainer(readBytes(file))) {
    if (part.kind === 'header') header = part.header;
    else if (part.kind === 'end') end = part.end;
    else {
      places.set(part.table.name, { columns: part.table.columns, offset: part.offset });
      for await (const piece of part.rows) void piece;
      rowsOf.set(part.table.name, part.end().rows);
    }
  }
  if (!header || !end) throw new DamagedBackup('The backup is cut off: it has no end.');
  const sealed = keys && keys.check === header.keyCheck ? isSealedBy(end, keys) : null;
  if (sealed === false) {
    throw new DamagedBackup(
      'The backup was altered after it was written: its seal is not that of the key it was made with.',
    );
  }
  return { header, end, bytes, rowsOf, history: await verifyHistory(file, header, places), sealed };
}

async function verifyHistory(
  file: string,
  header: Header,
  places: ReadonlyMap<string, Place>,
): Promise<VerifiedBackup['history']> {
  const rows = (table: string) => rowsOfTable(file, table, places);
  const verifiers = await readVerifiers(header, rows('signing_key'));
  const events = rows('audit_event');
  const checkpoints = rows('audit_checkpoint');
  const tree = new Frontier();
  let compared = 0;
  let checkpoint = await nextCheckpoint(checkpoints, header, verifiers);
  for await (const leaf of rows('audit_leaf')) {
    const { value: event } = await events.next();
    const problem = problemOf(
      {
        sequence: String(leaf.get('sequence')),
        event_id: String(leaf.get('event_id')),
        leaf_hash: bytea(leaf.get('leaf_hash')),
        event: event && event.get('id') === leaf.get('event_id') ? toEvent(event) : null,
      },
      tree.size,
    );
    if (problem) throw new DamagedBackup(`History does not hold at position ${tree.size}. ${problem}`);
    tree.append(bytea(leaf.get('leaf_hash')));
    if (checkpoint?.size === tree.size) {
      if (!checkpoint.root.equals(tree.root())) {
        throw new DamagedBackup(
          `History does not hold: the checkpoint signed at ${tree.size} events has another root.`,
        );
      }
      compared++;
      checkpoint = await nextCheckpoint(checkpoints, header, verifiers);
    }
  }
  if (checkpoint) {
    throw new DamagedBackup(
      `History does not hold: a checkpoint was signed over ${checkpoint.size} events and the log ends after ${tree.size}.`,
    );
  }
  const rootHash = tree.root().toString('base64');
  if (tree.size !== header.history.size || rootHash !== header.history.rootHash)
    throw new DamagedBackup('History does not hold: its root is not the one the backup was made with.');
  return { size: tree.size, rootHash, checkpoints: compared };
}

async function readVerifiers(header: Header, keys: AsyncIterable<Row>): Promise<NoteVerifier[]> {
  const name = logOrigin(header);
  const verifiers: NoteVerifier[] = [];
  for await (const row of keys) {
    if (row.get('purpose') !== 'checkpoint') continue;
    const jwk = JSON.parse(row.get('public_jwk') ?? '') as Ed25519PublicJwk;
    verifiers.push({ name, publicKey: rawPublicKey(jwk), key: openPublicJwk({ ...jwk }) });
  }
  return verifiers;
}

async function nextCheckpoint(
  rows: AsyncIterator<Row>,
  header: Header,
  verifiers: readonly NoteVerifier[],
): Promise<{ size: number; root: Buffer } | null> {
  for (;;) {
    const { value: row, done } = await rows.next();
    if (done) return null;
    const size = Number((row as Row).get('size'));
    const text = openNote((row as Row).get('note') ?? '', verifiers);
    const stated = text ? parseCheckpoint(text) : null;
    if (stated?.origin !== logOrigin(header) || stated.size !== size)
      throw new DamagedBackup(`The checkpoint at ${size} events carries no signature of this installation.`);
    if (size > 0) return { size, root: stated.root };
  }
}

/** The rows of one table as its columns read: text or null. A backup always holds the tables history needs. */
async function* rowsOfTable(
  file: string,
  table: string,
  places: ReadonlyMap<string, Place>,
): AsyncGenerator<Row> {
  const place = places.get(table);
  if (!place) throw new DamagedBackup(`The backup lacks the table ${table}.`);
  for await (const line of linesOf(rowsFrom(readBytes(file, place.offset)))) {
    const values = columnsOf(line);
    yield new Map(place.columns.map((column, index) => [column, values[index] ?? null]));
  }
}

const jsonColumns = new Set(['data', 'before', 'after']);

/** An event's columns in the types they have as JSON, which its digest is over. */
function toEvent(row: Row): EventRow {
  const read = (column: string): unknown => {
    const text = row.get(column) ?? null;
    if (text === null) return null;
    if (jsonColumns.has(column)) return JSON.parse(text);
    if (column === 'version') return Number(text);
    if (column === 'parent_ids') return textArrayOf(text);
    if (column === 'at') return `${text.replace(' ', 'T').replace(/\+00$/, '')}Z`;
    return text;
  };
  return Object.fromEntries(eventColumns.map((column) => [column, read(column)])) as unknown as EventRow;
}

function bytea(text: string | null | undefined): Buffer {
  return Buffer.from((text ?? '').replace(/^\\x/, ''), 'hex');
}
