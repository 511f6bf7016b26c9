import { describe, expect, it } from 'vitest';
import { formatRelative, formatUtc } from './time.ts';

describe('formatRelative', () => {
  it.each([
    [0, 'just now'],
    [-9, 'just now'],
    [-45, '45 sec. ago'],
    [-60, '1 min. ago'],
    [3_580, 'in 59 min.'],
    [3_595, 'in 1 hr.'],
    [-10_799, '3 hr. ago'],
    [7_200, 'in 2 hr.'],
    [-86_400, 'yesterday'],
    [-172_800, '2 days ago'],
    [31_536_000, 'next yr.'],
  ])('says %d seconds as "%s"', (seconds, text) => {
    expect(formatRelative(seconds)).toBe(text);
  });
});

describe('formatUtc', () => {
  it('writes the same text in every zone', () => {
    const date = new Date('2026-11-21T23:54:03.123+02:00');
    expect(formatUtc(date)).toBe('2026-11-21 21:54:03 UTC');
    expect(formatUtc(date, true)).toBe('2026-11-21 21:54:03.123 UTC');
  });
});
