import { Transform, type TransformCallback } from 'node:stream';
import { isObject } from './json-rpc.ts';
import { SseParser, withData } from './sse.ts';

/** Changes a message on its way to the caller; returns the same object when nothing is to change. */
export type Rewrite = (message: Record<string, unknown>) => Record<string, unknown>;

/**
 * Passes server-sent events on one by one, rewriting messages, and takes others
 * in between: whole events only, so nothing is ever cut in two. Events that are
 * not changed go through with the bytes they came with.
 */
export class EventRewriter extends Transform {
  readonly #parser = new SseParser();
  readonly #rewrite: Rewrite;

  constructor(rewrite: Rewrite) {
    super();
    this.#rewrite = rewrite;
  }

  /** Adds a message of the guard's own. */
  inject(message: object): void {
    if (!this.writableEnded && !this.destroyed)
      this.push(withData({ event: 'message', id: null }, JSON.stringify(message)));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      for (const event of this.#parser.push(chunk)) this.push(this.#rewritten(event));
      done();
    } catch (cause) {
      done(cause as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    // What was not ended by a blank line is not an event; clients drop it too.
    done();
  }

  #rewritten(event: ReturnType<SseParser['push']>[number]): Buffer {
    if (event.data === '' || !event.data.startsWith('{')) return event.raw;
    let message: unknown;
    try {
      message = JSON.parse(event.data);
    } catch {
      return Buffer.alloc(0);
    }
    if (!isObject(message)) return Buffer.alloc(0);
    const rewritten = this.#rewrite(message);
    return rewritten === message ? event.raw : withData(event, JSON.stringify(rewritten));
  }
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
