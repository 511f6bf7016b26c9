import { formatDuration } from '#components/console/duration.ts';

const shownInMs = 10_000;

/** Time until something was known: milliseconds while they mean something, else minutes, hours or days. */
export function formatLatency(milliseconds: number): string {
  return milliseconds < shownInMs ? `${milliseconds} ms` : formatDuration(Math.round(milliseconds / 1000));
}
