import type { Socket } from 'node:net';
import type pg from 'pg';

/**
 * PostgreSQL's COPY over a `pg` client, which knows the messages and has no use for them. Rows pass as they come, in
 * the text form, with no more than a few hundred kilobytes held at a time whichever side is slower.
 */

/** What `pg` hands to a query that it runs: of its connection, only what COPY needs. */
type Connection = {
  stream: Socket;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
};

const mostHeldBytes = 512 * 1024;

/** One COPY as the client runs it. The client calls these as messages arrive; the last is `handleReadyForQuery`. */
abstract class Copy {
  readonly text: string;
  protected connection: Connection | null = null;
  protected rows = 0;
  protected failure: Error | null = null;

  constructor(text: string) {
    this.text = text;
  }

  submit(connection: Connection): void {
    this.connection = connection;
    connection.query(this.text);
  }

  abstract handleReadyForQuery(): void;
  protected abstract wake(): void;

  handleCommandComplete(message: { text: string }): void {
    this.rows = Number(/^COPY (\d+)$/.exec(message.text)?.[1] ?? 0);
  }

  handleError(error: Error): void {
    this.failure ??= error;
    this.wake();
    this.handleReadyForQuery();
  }

  handleRowDescription(): void {}
  handleDataRow(): void {}
  handlePortalSuspended(): void {}
  handleEmptyQuery(): void {}
  handleCopyInResponse(connection: Connection): void {
    connection.sendCopyFail('nothing is sent here');
  }
  handleCopyData(_message: { chunk: Buffer }): void {}
}

class CopyOut extends Copy {
  #held: Buffer[] = [];
  #heldBytes = 0;
  #ended = false;
  #waiting: (() => void) | null = null;

  override handleCopyData(message: { chunk: Buffer }): void {
    // The parser writes over its buffer once this returns.
    this.#held.push(Buffer.from(message.chunk));
    this.#heldBytes += message.chunk.length;
    if (this.#heldBytes > mostHeldBytes) this.connection?.stream.pause();
    this.wake();
  }

  override handleReadyForQuery(): void {
    this.#ended = true;
    this.wake();
  }

  protected override wake(): void {
    this.#waiting?.();
    this.#waiting = null;
  }

  /** Whoever stops reading in the middle leaves a connection nobody can use for anything else. */
  abandon(): void {
    if (!this.#ended) this.connection?.stream.destroy();
  }

  /** What has come, in one piece, or null at the end. */
  async next(): Promise<Buffer | null> {
    while (this.#held.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    if (this.failure) throw this.failure;
    if (this.#held.length === 0) return null;
    const piece = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.connection?.stream.resume();
    return piece;
  }
}

class CopyIn extends Copy {
  readonly #source: AsyncIterable<Buffer>;
  readonly done: Promise<number>;
  #settle: { resolve(rows: number): void; reject(error: Error): void } | null = null;
  #sourceFailure: Error | null = null;

  constructor(text: string, source: AsyncIterable<Buffer>) {
    super(text);
    this.#source = source;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  override handleCopyInResponse(connection: Connection): void {
    void this.#send(connection);
  }

  async #send(connection: Connection): Promise<void> {
    try {
      for await (const piece of this.#source) {
        if (this.failure) return;
        connection.sendCopyFromChunk(piece);
        if (connection.stream.writableNeedDrain) await drained(connection.stream);
      }
      if (!this.failure) connection.endCopyFrom();
    } catch (error) {
      this.#sourceFailure = error as Error;
      connection.sendCopyFail('the source failed');
    }
  }

  override handleReadyForQuery(): void {
    const failure = this.#sourceFailure ?? this.failure;
    if (failure) this.#settle?.reject(failure);
    else this.#settle?.resolve(this.rows);
  }

  protected override wake(): void {}
}

function drained(stream: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}

/** The client runs anything that can submit itself; its types know only queries that answer rows. */
function run(client: pg.Client, copy: Copy): void {
  client.query(copy as unknown as pg.Submittable);
}

/** The rows of a `COPY … TO STDOUT`, in pieces. Whoever stops before the end loses the client's connection. */
export async function* copyOut(client: pg.Client, text: string): AsyncGenerator<Buffer> {
  const copy = new CopyOut(text);
  run(client, copy);
  try {
    for (;;) {
      const piece = await copy.next();
      if (piece === null) return;
      yield piece;
    }
  } finally {
    copy.abandon();
  }
}

/** Feeds a `COPY … FROM STDIN` and returns how many rows it took. A source that throws undoes the statement. */
export async function copyIn(
  client: pg.Client,
  text: string,
  source: AsyncIterable<Buffer>,
): Promise<number> {
  const copy = new CopyIn(text, source);
  run(client, copy);
  return copy.done;
}

/** The rows of pieces of COPY's text form, each without its line feed. */
export async function* linesOf(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const piece of pieces) {
    let from = 0;
    for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, from)) {
      rest.push(piece.subarray(from, at));
      yield Buffer.concat(rest).toString('utf8');
      rest = [];
      from = at + 1;
    }
    if (from < piece.length) rest.push(Buffer.from(piece.subarray(from)));
  }
  if (rest.length > 0) throw new RangeError('the last row is cut off');
}

const escapes: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** The columns of one row of COPY's text form; null where the column is. */
export function columnsOf(line: string): (string | null)[] {
  return line
    .split('\t')
    .map((text) =>
      text === '\\N'
        ? null
        : text.replaceAll(/\\(.)/gs, (_, character: string) => escapes[character] ?? character),
    );
}

/** The elements of a one-dimensional array of text as PostgreSQL writes it. */
export function textArrayOf(literal: string): string[] {
  if (!/^\{.*\}$/s.test(literal)) throw new RangeError('not an array');
  const elements: string[] = [];
  const pattern = /"((?:[^"\\]|\\.)*)"|([^,{}"]+)/gs;
  for (const [, quoted, plain] of literal.slice(1, -1).matchAll(pattern)) {
    elements.push(quoted === undefined ? (plain as string) : quoted.replaceAll(/\\(.)/gs, '$1'));
  }
  return elements;
}
