import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { canonicalJson, sha256 } from './canonical.ts';
import { parseRecord, type ReportRecord } from './protocol.ts';

const syncToDisk = promisify(fdatasync);

/** A record before it has its place in the chain. */
export type RecordFacts = ReportRecord extends infer R
  ? R extends ReportRecord
    ? Omit<R, 'number' | 'previous'>
    : never
  : never;

const maxTail = 2_000;
const writeEveryMs = 20;

/** No room for another record: what must be recorded first must not happen. */
export class SpoolFull extends Error {}

type Segment = { file: string; firstNumber: number; lastNumber: number; bytes: number };

/**
 * Records of what this guard did, numbered and chained, on disk until the gate
 * has them. `append` is written within 20 ms, `appendDurably`
 * returns once it is on the disk; appends that wait share flushes.
 */
export class Spool {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #segmentBytes: number;
  readonly #segments: Segment[] = [];
  #fd = -1;
  #lastNumber = 0;
  #lastDigest = sha256('');
  #syncedThrough = 0;
  #acceptedThrough = 0;
  #pending: string[] = [];
  /** The newest records once more, so that a guard in step with the gate reads no files. */
  #tail: ReportRecord[] = [];
  #flushing: Promise<void> | null = null;
  #writeSoon: NodeJS.Timeout | null = null;

  constructor(options: { folder: string; maxBytes?: number; segmentBytes?: number }) {
    this.#folder = options.folder;
    this.#maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
    this.#segmentBytes = options.segmentBytes ?? Math.min(1024 * 1024, Math.ceil(this.#maxBytes / 4));
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    this.#recover();
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  full(): boolean {
    return this.bytes >= this.#maxBytes;
  }

  /** Takes a record in. Throws `SpoolFull`. */
  append(facts: RecordFacts): void {
    this.#take(facts);
    this.#writeSoon ??= setTimeout(() => this.#write(), writeEveryMs);
  }

  /** Takes a record in and returns when it would survive a power cut. Throws `SpoolFull`. */
  async appendDurably(facts: RecordFacts): Promise<void> {
    this.#take(facts);
    const number = this.#lastNumber;
    while (this.#syncedThrough < number) {
      if (this.#flushing) await this.#flushing;
      else await this.#flush();
    }
  }

  /** The oldest records the gate has not accepted. */
  unaccepted(limit: number): ReportRecord[] {
    this.#write();
    const [oldest] = this.#tail;
    if (oldest && oldest.number <= this.#acceptedThrough + 1) {
      const skip = this.#acceptedThrough + 1 - oldest.number;
      return this.#tail.slice(skip, skip + limit);
    }
    const records: ReportRecord[] = [];
    for (const segment of this.#segments) {
      if (segment.lastNumber <= this.#acceptedThrough || records.length >= limit) continue;
      for (const line of readFileSync(segment.file, 'utf8').split('\n')) {
        if (line === '' || records.length >= limit) continue;
        const record = parseRecord(JSON.parse(line));
        if (record.number > this.#acceptedThrough) records.push(record);
      }
    }
    return records;
  }

  /** How many records the gate has not accepted. */
  get backlog(): number {
    return this.#lastNumber - this.#acceptedThrough;
  }

  /** The gate keeps everything up to this number; segments that hold nothing newer go, save the last. */
  accept(through: number): void {
    if (through > this.#lastNumber) return;
    this.#acceptedThrough = Math.max(this.#acceptedThrough, through);
    while (this.#segments.length > 1 && (this.#segments[0]?.lastNumber ?? Infinity) <= this.#acceptedThrough)
      rmSync(this.#segments.shift()?.file ?? '', { force: true });
  }

  close(): void {
    this.#write();
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #flush(): Promise<void> {
    this.#write();
    const through = this.#lastNumber;
    this.#flushing = syncToDisk(this.#fd)
      .then(() => {
        this.#syncedThrough = Math.max(this.#syncedThrough, through);
      })
      .finally(() => {
        this.#flushing = null;
      });
    return this.#flushing;
  }

  #take(facts: RecordFacts): void {
    if (this.full()) throw new SpoolFull('the spool is full');
    const record = { ...withCleanTexts(facts), number: this.#lastNumber + 1, previous: this.#lastDigest };
    const line = canonicalJson(record);
    this.#lastNumber++;
    this.#lastDigest = sha256(line);
    this.#pending.push(line);
    this.#tail.push(record as ReportRecord);
    if (this.#tail.length > 2 * maxTail) this.#tail.splice(0, this.#tail.length - maxTail);
  }

  #write(): void {
    if (this.#writeSoon) clearTimeout(this.#writeSoon);
    this.#writeSoon = null;
    if (this.#pending.length === 0) return;
    const lines = `${this.#pending.join('\n')}\n`;
    const first = this.#lastNumber - this.#pending.length + 1;
    this.#pending = [];
    let segment = this.#segments.at(-1);
    // A file that is being flushed stays open.
    const fullSegment = segment !== undefined && segment.bytes >= this.#segmentBytes && !this.#flushing;
    if (!segment || this.#fd < 0 || fullSegment) segment = this.#newSegment(first);
    segment.bytes += writeSync(this.#fd, lines);
    segment.lastNumber = this.#lastNumber;
  }

  #newSegment(firstNumber: number): Segment {
    if (this.#fd >= 0) {
      fdatasyncSync(this.#fd);
      closeSync(this.#fd);
    }
    const file = path.join(this.#folder, `${String(firstNumber).padStart(15, '0')}.jsonl`);
    this.#fd = openSync(file, 'a', 0o600);
    const segment = { file, firstNumber, lastNumber: firstNumber - 1, bytes: 0 };
    this.#segments.push(segment);
    return segment;
  }

  /** Continues where the files end. A last line without its end was never acted upon, so it goes. */
  #recover(): void {
    const files = readdirSync(this.#folder)
      .filter((name) => /^[0-9]{15}\.jsonl$/.test(name))
      .sort();
    for (const [index, name] of files.entries()) {
      const file = path.join(this.#folder, name);
      const firstNumber = Number(name.slice(0, 15));
      const text = readFileSync(file, 'utf8');
      const whole = text.slice(0, text.lastIndexOf('\n') + 1);
      const isLast = index === files.length - 1;
      if (whole.length < text.length && isLast) {
        const fd = openSync(file, 'r+');
        ftruncateSync(fd, Buffer.byteLength(whole));
        closeSync(fd);
      }
      const lines = whole.split('\n').filter((line) => line !== '');
      const lastLine = lines.at(-1);
      this.#segments.push({
        file,
        firstNumber,
        lastNumber: firstNumber + lines.length - 1,
        bytes: existsSync(file) ? statSync(file).size : 0,
      });
      if (lastLine !== undefined) {
        this.#lastNumber = parseRecord(JSON.parse(lastLine)).number;
        this.#lastDigest = sha256(lastLine);
      }
    }
    const last = this.#segments.at(-1);
    if (last) this.#fd = openSync(last.file, 'a', 0o600);
  }
}

/** Texts of clients without what databases refuse: U+0000 and halves of surrogate pairs. */
function withCleanTexts<T extends object>(facts: T): T {
  const clean = { ...facts } as Record<string, unknown>;
  for (const name in clean) {
    const value = clean[name];
    if (typeof value === 'string') clean[name] = cleanText(value);
  }
  return clean as T;
}

function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
