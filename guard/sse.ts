import { createParser, type EventSourceMessage, type ParserCallbacks } from 'eventsource-parser';

const maxHeldCharacters = 16 * 1024 * 1024;

/**
 * Reads server-sent events (WHATWG HTML §9.2.6) out of the chunks it is called with, however they are cut, and says
 * what was in them. Throws `RangeError` at an event of more than 16 million characters.
 */
export function createSseReader(
  handlers: Pick<ParserCallbacks, 'onEvent' | 'onRetry' | 'onComment'>,
): (chunk: Uint8Array) => void {
  const decoder = new TextDecoder();
  let isTooLarge = false;
  const parser = createParser({
    ...handlers,
    maxBufferSize: maxHeldCharacters,
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') isTooLarge = true;
    },
  });
  return (chunk) => {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (isTooLarge) throw new RangeError('a server-sent event is too large');
  };
}

/** One event as it goes over the wire. */
export function formatEvent({ event, id, data }: EventSourceMessage): string {
  const lines = [
    ...(event === undefined ? [] : [`event: ${event}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...data.split('\n').map((line) => `data: ${line}`),
  ];
  return `${lines.join('\n')}\n\n`;
}
