import { createHash, type Hash } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '#lib/platform/canonical-json.ts';
import { equalInConstantTime, hmac } from '#lib/platform/crypto.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';

/**
 * The form of a backup: a line that names it, then frames of one letter, four bytes of length (big endian) and so many
 * bytes. `h` is the header and comes first; each table is `t`, any number of `d` with rows in COPY's text form, and
 * `e` with their count and digest; `z` ends the file with the digest of everything before it and, under a key
 * derived from the key-encryption key, a seal over that. The key itself is in no frame.
 */
export const magic = Buffer.from('countersign backup 1\n');

const instant = z.iso.datetime();
const count = z.int().nonnegative();

export const headerSchema = z.object({
  /** Of the product that wrote it. */
  version: z.string(),
  createdAt: instant,
  issuer: z.string(),
  demo: z.boolean(),
  /** Migrations of the database in order; a restore brings an empty one to exactly these before it loads. */
  migrations: z.array(z.object({ name: z.string(), checksum: z.string() })).min(1),
  /** Tells the right key-encryption key from a wrong one and says nothing about either. */
  keyCheck: z.string(),
  key: z.literal('on the host, not in this file'),
  history: z.object({
    /** Events that have their place in the log, and the root over them, in base64. */
    size: count,
    rootHash: z.string(),
    /** The newest signed checkpoint as it was published, if there is one yet. */
    checkpoint: z.string().nullable(),
  }),
  revocation: z.object({
    issuerEpoch: count,
    feedGeneration: count,
    /** Head of each server's feed by server id. */
    heads: z.record(z.string(), count),
  }),
});
export type Header = z.output<typeof headerSchema>;

const tableSchema = z.object({ name: z.string(), columns: z.array(z.string()).min(1) });
export type TableBegin = z.output<typeof tableSchema>;
const tableEndSchema = z.object({ rows: count, digest: z.string() });
export type TableEnd = z.output<typeof tableEndSchema>;
const endSchema = z.object({
  tables: count,
  rows: count,
  /** Last value of each sequence, by name; null where none was given out. */
  sequences: z.record(z.string(), z.string().nullable()),
  digest: z.string(),
  seal: z.string(),
});
export type End = z.output<typeof endSchema>;

/** The file is not what was written: cut off, altered, or no backup at all. The message says which. */
export class DamagedBackup extends OperatorError {}

type Letter = 'h' | 't' | 'd' | 'e' | 'z';
const longestFrameBytes = 64 * 1024 * 1024;
const headBytes = 5;

/** Where the bytes of a backup go; resolves when it can take more. */
export type Sink = (bytes: Buffer) => Promise<void>;

/** Derived from the key-encryption key for backups alone: seals them, and proves which key they belong to. */
export type BackupKeys = { seal: Buffer; check: string };

export function backupKeysOf(vault: { deriveKey(purpose: string): Buffer }): BackupKeys {
  return {
    seal: vault.deriveKey('backup seal'),
    check: hmac(vault.deriveKey('backup check'), 'countersign backup'),
  };
}

/** Writes the frames of one backup in order. */
export class ContainerWriter {
  readonly #sink: Sink;
  readonly #digest = createHash('sha256');
  #table: { digest: Hash; rows: number } | null = null;
  #tables = 0;
  #rows = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async begin(header: Header): Promise<void> {
    await this.#write(magic);
    await this.#frame('h', header);
  }

  async beginTable(table: TableBegin): Promise<void> {
    this.#table = { digest: createHash('sha256'), rows: 0 };
    await this.#frame('t', table);
  }

  async rows(piece: Buffer): Promise<void> {
    const table = this.#open();
    table.digest.update(piece);
    for (const byte of piece) if (byte === 10) table.rows++;
    await this.#write(headOf('d', piece.length));
    await this.#write(piece);
  }

  async endTable(): Promise<TableEnd> {
    const table = this.#open();
    const end = { rows: table.rows, digest: table.digest.digest('base64url') };
    this.#table = null;
    this.#tables++;
    this.#rows += end.rows;
    await this.#frame('e', end);
    return end;
  }

  async end(sequences: End['sequences'], keys: BackupKeys): Promise<End> {
    const unsealed = {
      tables: this.#tables,
      rows: this.#rows,
      sequences,
      digest: this.#digest.copy().digest('base64url'),
    };
    const end = { ...unsealed, seal: hmac(keys.seal, canonicalJson(unsealed)) };
    await this.#frame('z', end);
    return end;
  }

  #open(): { digest: Hash; rows: number } {
    if (!this.#table) throw new TypeError('no table is open');
    return this.#table;
  }

  async #frame(letter: Letter, content: object): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(content), 'utf8');
    await this.#write(Buffer.concat([headOf(letter, bytes.length), bytes]));
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#digest.update(bytes);
    await this.#sink(bytes);
  }
}

function headOf(letter: Letter, length: number): Buffer {
  const head = Buffer.alloc(headBytes);
  head.write(letter, 0, 'latin1');
  head.writeUInt32BE(length, 1);
  return head;
}

export type Part =
  | { kind: 'header'; header: Header }
  /** `rows` must be read to its end before the next part is asked for. */
  | { kind: 'table'; table: TableBegin; offset: number; rows: AsyncIterable<Buffer>; end(): TableEnd }
  | { kind: 'end'; end: End };

/**
 * Reads a backup from its bytes and checks, as it goes, every count and digest. Nothing of it may be trusted before the
 * part `end` has come: only then it is known to be whole. Whether it was sealed with this installation's key is a
 * question of its own, `isSealedBy`.
 *
 * @throws DamagedBackup
 */
export async function* readContainer(source: AsyncIterable<Buffer>): AsyncGenerator<Part> {
  const bytes = new Bytes(source);
  const first = await bytes.take(magic.length);
  if (!first?.equals(magic)) throw new DamagedBackup('This is not a backup of Countersign.');
  yield { kind: 'header', header: parse(headerSchema, await contentOf(bytes, 'h')) };
  let tables = 0;
  let total = 0;
  for (;;) {
    const before = bytes.digest();
    const frame = await nextFrame(bytes);
    if (frame.letter === 'z') {
      const end = parse(endSchema, await bytes.mustTake(frame.length));
      if (end.digest !== before) throw new DamagedBackup('The backup was altered: its digest is another.');
      if (end.tables !== tables || end.rows !== total)
        throw new DamagedBackup('The backup lacks rows or tables that were written to it.');
      if (await bytes.take(1)) throw new DamagedBackup('Something follows the end of the backup.');
      yield { kind: 'end', end };
      return;
    }
    if (frame.letter !== 't')
      throw new DamagedBackup('The backup was altered: a table is missing its beginning.');
    const table = parse(tableSchema, await bytes.mustTake(frame.length));
    const reading = new TableRows(bytes, table.name);
    yield { kind: 'table', table, offset: bytes.position, rows: reading.read(), end: () => reading.end() };
    const end = reading.end();
    tables++;
    total += end.rows;
  }
}

class TableRows {
  readonly #bytes: Bytes;
  readonly #name: string;
  #end: TableEnd | null = null;

  constructor(bytes: Bytes, name: string) {
    this.#bytes = bytes;
    this.#name = name;
  }

  async *read(): AsyncGenerator<Buffer> {
    const digest = createHash('sha256');
    let rows = 0;
    for (;;) {
      const frame = await nextFrame(this.#bytes);
      const content = await this.#bytes.mustTake(frame.length);
      if (frame.letter === 'd') {
        digest.update(content);
        for (const byte of content) if (byte === 10) rows++;
        yield content;
        continue;
      }
      const end = frame.letter === 'e' ? parse(tableEndSchema, content) : null;
      if (end?.rows !== rows || end.digest !== digest.digest('base64url'))
        throw new DamagedBackup(
          `The backup was altered: the rows of ${this.#name} do not have their digest.`,
        );
      this.#end = end;
      return;
    }
  }

  end(): TableEnd {
    if (!this.#end) throw new TypeError(`the rows of ${this.#name} were not read to their end`);
    return this.#end;
  }
}

/** Whether this installation's key sealed it: nobody without the key can have written or altered it. */
export function isSealedBy(end: End, keys: BackupKeys): boolean {
  const { seal, ...unsealed } = end;
  return equalInConstantTime(seal, hmac(keys.seal, canonicalJson(unsealed)));
}

/** The rows of one table of a file, from the offset its part named; already checked, so read without a digest. */
export async function* rowsFrom(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const bytes = new Bytes(source);
  for (;;) {
    const frame = await nextFrame(bytes);
    if (frame.letter !== 'd') return;
    yield await bytes.mustTake(frame.length);
  }
}

async function nextFrame(bytes: Bytes): Promise<{ letter: string; length: number }> {
  const head = await bytes.mustTake(headBytes);
  const length = head.readUInt32BE(1);
  if (length > longestFrameBytes) throw new DamagedBackup('The backup was altered: a frame is too long.');
  return { letter: head.toString('latin1', 0, 1), length };
}

async function contentOf(bytes: Bytes, letter: Letter): Promise<Buffer> {
  const frame = await nextFrame(bytes);
  if (frame.letter !== letter) throw new DamagedBackup('The backup was altered: it has no header.');
  return bytes.mustTake(frame.length);
}

function parse<Schema extends z.ZodType>(schema: Schema, content: Buffer): z.output<Schema> {
  try {
    return schema.parse(JSON.parse(content.toString('utf8')));
  } catch (error) {
    throw new DamagedBackup('The backup was altered: what describes it cannot be read.', { cause: error });
  }
}

/** Takes so many bytes at a time from pieces of any size, and digests what it has given. */
class Bytes {
  position = 0;
  readonly #iterator: AsyncIterator<Buffer>;
  readonly #digest = createHash('sha256');
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(source: AsyncIterable<Buffer>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** Null when nothing at all is left. */
  async take(length: number): Promise<Buffer | null> {
    while (this.#restBytes < length) {
      const { value, done } = await this.#iterator.next();
      if (done) break;
      this.#rest.push(value);
      this.#restBytes += value.length;
    }
    if (this.#restBytes === 0 && length > 0) return null;
    if (this.#restBytes < length) {
      throw new DamagedBackup(
        `The backup is cut off after ${this.position + this.#restBytes} bytes: it was never finished, or not copied whole.`,
      );
    }
    const all = this.#rest.length === 1 ? (this.#rest[0] as Buffer) : Buffer.concat(this.#rest);
    const taken = all.subarray(0, length);
    this.#rest = all.length > length ? [all.subarray(length)] : [];
    this.#restBytes -= length;
    this.position += length;
    this.#digest.update(taken);
    return taken;
  }

  async mustTake(length: number): Promise<Buffer> {
    const taken = await this.take(length);
    if (taken) return taken;
    throw new DamagedBackup(
      `The backup is cut off after ${this.position} bytes: it was never finished, or not copied whole.`,
    );
  }

  /** Of everything taken so far, base64url. */
  digest(): string {
    return this.#digest.copy().digest('base64url');
  }
}
