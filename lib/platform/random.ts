import { randomFillSync } from 'node:crypto';

/** Randomness is fetched for many at once: the call costs more than the bytes. */
const pool = Buffer.alloc(4096);
let used = pool.length;

/** `bytes` of randomness, written as `encoding` says. Throws `RangeError` above 4,096. */
export function randomText(bytes: number, encoding: 'hex' | 'base64url'): string {
  if (bytes > pool.length) throw new RangeError(`at most ${pool.length} bytes at once`);
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const text = pool.toString(encoding, used, used + bytes);
  // What a secret was made of does not stay in memory, and cannot be handed out twice.
  pool.fill(0, used, used + bytes);
  used += bytes;
  return text;
}
