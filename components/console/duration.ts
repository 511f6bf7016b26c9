const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** A length of time in its two largest units: `3 d 4 h`, `12 min`, `45 s`. Below one second in milliseconds. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.abs(seconds);
  if (whole > 0 && whole < 1) return `${Math.max(1, Math.round(whole * 1000))} ms`;
  let rest = Math.floor(whole);
  const parts: string[] = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) {
      parts.push(`${count.toLocaleString('en')} ${unit}`);
      rest -= count * size;
    } else if (parts.length > 0) {
      break;
    }
    if (parts.length === 2) break;
  }
  return parts.length > 0 ? parts.join(' ') : '0 s';
}
