import { addSeconds } from '#lib/platform/clock.ts';
import { newRandomBytes } from '#lib/platform/crypto.ts';

/** First pause after a reading that failed, in seconds; it doubles with each one more, up to the server's own interval. */
const retrySeconds = 15 * 60;
/** Servers of one interval are spread over this part of it, so that they are not all read at once. */
const jitterShare = 0.2;

/**
 * When a server's tools are read next: after its interval, sooner while readings fail; null for one that is only read
 * by hand. `failures` is how many failed one after the other.
 */
export function nextSyncAfter(now: Date, everySeconds: number | null, failures = 0): Date | null {
  if (everySeconds === null) return null;
  const pause =
    failures > 0 ? Math.min(everySeconds, retrySeconds * 2 ** Math.min(failures - 1, 10)) : everySeconds;
  const share = newRandomBytes(2).readUInt16BE() / 65_536;
  return addSeconds(now, Math.round(pause * (1 - jitterShare / 2 + jitterShare * share)));
}
