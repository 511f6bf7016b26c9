const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });

const TOLERANCE_SECONDS = 10;

const STEPS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** `in 3 days`, `5 min. ago`, `just now`, from a signed number of seconds (negative lies in the past). */
export function formatRelative(seconds: number): string {
  if (Math.abs(seconds) < TOLERANCE_SECONDS) return 'just now';
  // Two clocks never agree to the second: 2 h 59 min 58 s reads as 3 h.
  const size = Math.abs(seconds) + TOLERANCE_SECONDS;
  const sign = Math.sign(seconds);
  for (const [unit, unitSeconds] of STEPS) {
    if (size >= unitSeconds) return RELATIVE.format(sign * Math.floor(size / unitSeconds), unit);
  }
  return RELATIVE.format(Math.trunc(seconds), 'second');
}

/** `2026-11-21 21:54:03 UTC`: one zone and one order everywhere, so that two people compare the same text. */
export function formatUtc(date: Date, milliseconds = false): string {
  const iso = date.toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, milliseconds ? 23 : 19)} UTC`;
}
