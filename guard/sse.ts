/** One server-sent event; `raw` is its exact bytes with the blank line that ended it. */
export type SseEvent = { raw: Buffer; event: string | null; id: string | null; data: string };

const newline = 10;
const carriageReturn = 13;

/**
 * Cuts a byte stream into server-sent events (WHATWG HTML §9.2.6). Lines may end
 * in LF or CRLF; a lone CR is no line end here, which no MCP server uses. Holds
 * at most `maxEventBytes` of an unfinished event, then throws `RangeError`.
 */
export class SseParser {
  #held: Buffer = Buffer.alloc(0);
  #searchedTo = 0;
  readonly #maxEventBytes: number;

  constructor(maxEventBytes = 16 * 1024 * 1024) {
    this.#maxEventBytes = maxEventBytes;
  }

  push(chunk: Uint8Array): SseEvent[] {
    this.#held = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk]);
    const events: SseEvent[] = [];
    for (;;) {
      const end = this.#endOfEvent();
      if (end < 0) break;
      events.push(parseEvent(this.#held.subarray(0, end)));
      this.#held = this.#held.subarray(end);
      this.#searchedTo = 0;
    }
    if (this.#held.length > this.#maxEventBytes) throw new RangeError('a server-sent event is too large');
    return events;
  }

  /** What came after the last whole event. */
  rest(): Buffer {
    return this.#held;
  }

  /** Offset behind the next blank line, or -1. */
  #endOfEvent(): number {
    for (
      let at = this.#held.indexOf(newline, this.#searchedTo);
      at >= 0;
      at = this.#held.indexOf(newline, at + 1)
    ) {
      let next = at + 1;
      if (this.#held[next] === carriageReturn) next++;
      if (this.#held[next] === newline) return next + 1;
      this.#searchedTo = at;
    }
    return -1;
  }
}

function parseEvent(raw: Buffer): SseEvent {
  const event: SseEvent = { raw, event: null, id: null, data: '' };
  const data: string[] = [];
  for (const line of raw.toString('utf8').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon === 0 || line === '') continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') data.push(value);
    else if (field === 'event') event.event = value;
    else if (field === 'id') event.id = value;
  }
  event.data = data.join('\n');
  return event;
}

/** The event's bytes with other data, keeping its name and id. */
export function withData(event: Pick<SseEvent, 'event' | 'id'>, data: string): Buffer {
  const lines = [
    ...(event.event === null ? [] : [`event: ${event.event}`]),
    ...(event.id === null ? [] : [`id: ${event.id}`]),
    ...data.split('\n').map((line) => `data: ${line}`),
  ];
  return Buffer.from(`${lines.join('\n')}\n\n`);
}
