import type { IncomingMessage } from 'node:http';
import { DomainError } from '#lib/platform/errors.ts';

/** The body is longer than this endpoint takes; nothing of it was kept. */
export class BodyTooLarge extends DomainError {
  constructor(maxBytes: number) {
    super('invalid', `The body is larger than ${maxBytes} bytes.`);
  }
}

/**
 * The body of a request, at most `maxBytes`. Throws `BodyTooLarge` as soon as more arrives, whatever Content-Length
 * claimed; a compressed body is not decoded, so it cannot grow.
 */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > maxBytes) throw new BodyTooLarge(maxBytes);
  // With a length the HTTP parser itself enforces it; only a chunked body needs counting.
  if (request.headers.has('content-length')) return new Uint8Array(await request.arrayBuffer());
  if (!request.body) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new BodyTooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The connection ended before the body did: there is nobody to answer. */
export class ClientGone extends Error {}

/** The same from the HTTP server's own request. Throws `BodyTooLarge` or `ClientGone`. */
export function readIncomingBody(incoming: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) return reject(new BodyTooLarge(maxBytes));
    const chunks: Buffer[] = [];
    let size = 0;
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.byteLength;
      // Read on for as long as the answer takes to leave, and kept nowhere.
      if (size > maxBytes) return reject(new BodyTooLarge(maxBytes));
      chunks.push(chunk);
    });
    incoming.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    incoming.on('error', () => reject(new ClientGone()));
    incoming.on('close', () => {
      if (!incoming.readableEnded) reject(new ClientGone());
    });
  });
}

/** The media type without parameters, lower-cased; empty when absent or when two were joined by a comma. */
export function mediaTypeOf(contentType: string | null): string {
  const value = contentType ?? '';
  const type = value.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/.test(type) && !value.includes(',') ? type : '';
}
