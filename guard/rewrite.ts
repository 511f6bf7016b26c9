import { Transform, type TransformCallback } from 'node:stream';
import type { EventSourceMessage } from 'eventsource-parser';
import { isObject } from './json-rpc.ts';
import { createSseReader, formatEvent } from './sse.ts';

/** Changes a message on its way to the caller; returns the same object when nothing is to change. */
export type Rewrite = (message: Record<string, unknown>) => Record<string, unknown>;

/**
 * Passes server-sent events on one by one, rewriting messages, and takes others in between: whole events only, so
 * nothing is ever cut in two. What it did not understand is not passed on, and what it passes on it writes anew: a
 * stream that client and guard read differently would bring the one past the other.
 */
export class EventRewriter extends Transform {
  readonly #read: (chunk: Uint8Array) => void;
  readonly #rewrite: Rewrite;

  constructor(rewrite: Rewrite) {
    super();
    this.#rewrite = rewrite;
    this.#read = createSseReader({
      onEvent: (event) => this.#pass(event),
      onRetry: (delayMs) => void this.push(`retry: ${delayMs}\n\n`),
      // Only keeps the connection open.
      onComment: () => void this.push(':\n\n'),
    });
  }

  /** Adds a message of the guard's own. */
  inject(message: object): void {
    if (!this.writableEnded && !this.destroyed)
      this.push(formatEvent({ event: 'message', id: undefined, data: JSON.stringify(message) }));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      this.#read(chunk);
      done();
    } catch (cause) {
      done(cause as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    // What was not ended by a blank line is not an event; clients drop it too.
    done();
  }

  #pass(event: EventSourceMessage): void {
    // Only an id, for a client that wants to go on from here.
    if (event.data === '') return void this.push(formatEvent(event));
    let message: unknown;
    try {
      message = JSON.parse(event.data);
    } catch {
      return;
    }
    if (!isObject(message)) return;
    const rewritten = this.#rewrite(message);
    const data = rewritten === message ? event.data : JSON.stringify(rewritten);
    this.push(formatEvent({ ...event, data }));
  }
}

/** What cannot be read cannot be filtered, so it is not passed on. */
export function rewriteWhole(whole: Buffer, rewrite: Rewrite): string | Buffer {
  if (whole.length === 0) return whole;
  const message: unknown = JSON.parse(whole.toString('utf8'));
  if (!isObject(message)) throw new TypeError('the answer is not a message');
  const rewritten = rewrite(message);
  return rewritten === message ? whole : JSON.stringify(rewritten);
}

/** Applies `change` to the result of a response; leaves errors and everything else alone. */
export function rewriteResult(
  message: Record<string, unknown>,
  change: (result: Record<string, unknown>) => Record<string, unknown>,
): Record<string, unknown> {
  if (!isObject(message.result)) return message;
  const result = change(message.result);
  return result === message.result ? message : { ...message, result };
}
