import { Readable } from 'node:stream';
import type { Caller } from './callers.ts';
import type { GuardRequest } from './exchange.ts';
import type { RequestId } from './json-rpc.ts';
import type { LiveExchange, LiveExchanges } from './live.ts';
import type { EventRewriter } from './rewrite.ts';

/** Marks an answer that was ended from here, not by the caller or the server. */
export class CutShort extends Error {}

/** One object for all ends, because making an exception for each is not cheap. */
const ended = new CutShort('the exchange ended');

export type Outcome = 'answered' | 'failed' | 'cut';

/** An answer on its way from the server to the caller. */
export type UnderWay = {
  /** Aborted when the caller left or the authority ended. */
  signal: AbortSignal;
  /** Whether it was the authority that ended. */
  wasCut(): boolean;
  abort(): void;
  /** To be called once, when nothing more comes. */
  end(): void;
  /** Tells the caller through this stream when its tools change. */
  listen(stream: EventRewriter, subscriptionId: RequestId | null): void;
};

/** Registers an answer under way, so that it ends when its authority does. */
export function begin(
  exchanges: LiveExchanges,
  request: GuardRequest,
  caller: Caller,
  tool: string | null,
): UnderWay {
  const abort = new AbortController();
  const onGone = () => abort.abort(ended);
  if (request.signal.aborted) onGone();
  else request.signal.addEventListener('abort', onGone, { once: true });
  let cut = false;
  const live: LiveExchange | null =
    caller.kind === 'agent'
      ? {
          principal: caller.principal,
          tool,
          listener: null,
          cut: () => {
            cut = true;
            abort.abort(ended);
          },
        }
      : null;
  const forget = live ? exchanges.add(live) : () => {};
  return {
    signal: abort.signal,
    wasCut: () => cut,
    end: () => {
      forget();
      request.signal.removeEventListener('abort', onGone);
    },
    abort: () => abort.abort(ended),
    listen: (stream: EventRewriter, subscriptionId: RequestId | null) => {
      if (live) live.listener = { stream, subscriptionId };
    },
  };
}

/** Ties server, rewriter and caller together: any end, or a cut, ends all three. */
export function tie(
  body: Readable,
  through: EventRewriter | null,
  under: UnderWay,
  finish: (outcome: Outcome) => void,
): Readable {
  const out = through ? body.pipe(through) : body;
  const onAbort = () => {
    out.destroy();
    body.destroy();
  };
  if (under.signal.aborted) onAbort();
  else under.signal.addEventListener('abort', onAbort, { once: true });
  // Destroying a stream that something still reads makes it complain; there is nobody left to tell.
  body.on('error', () => out.destroy());
  out.on('error', () => {});
  out.on('end', () => finish('answered'));
  out.on('close', () => {
    finish(under.wasCut() ? 'cut' : out.readableEnded ? 'answered' : 'failed');
    if (!body.readableEnded) under.abort();
  });
  return out;
}

/** The whole body if it is no larger than `maxBytes`, else a stream of it from its start. */
export async function hold(body: Readable, maxBytes: number): Promise<Buffer | Readable> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const source = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (let next = await source.next(); !next.done; next = await source.next()) {
    chunks.push(next.value);
    bytes += next.value.length;
    if (bytes > maxBytes) {
      return Readable.from(
        (async function* () {
          yield* chunks;
          yield* { [Symbol.asyncIterator]: () => source };
        })(),
      );
    }
  }
  return Buffer.concat(chunks);
}
