const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });

const STEPS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** `in 3 days`, `5 min. ago`, `just now`, from a signed number of seconds (negative lies in the past). */
export function formatRelative(seconds: number): string {
  const size = Math.abs(seconds);
  if (size < 10) return 'just now';
  for (const [unit, unitSeconds] of STEPS) {
    if (size >= unitSeconds) return RELATIVE.format(Math.trunc(seconds / unitSeconds), unit);
  }
  return RELATIVE.format(Math.trunc(seconds), 'second');
}

/** `2026-11-21 21:54:03 UTC`: one zone and one order everywhere, so that two people compare the same text. */
export function formatUtc(date: Date, milliseconds = false): string {
  const iso = date.toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, milliseconds ? 23 : 19)} UTC`;
}
