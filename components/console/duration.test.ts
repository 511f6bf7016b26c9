import { describe, expect, it } from 'vitest';
import { formatDuration } from './duration.ts';

describe('formatDuration', () => {
  it.each([
    [0, '0 s'],
    [0.042, '42 ms'],
    [45, '45 s'],
    [60, '1 min'],
    [725, '12 min 5 s'],
    [3_600, '1 h'],
    [90_000, '1 d 1 h'],
    [86_460, '1 d'],
    [-300, '5 min'],
    [Number.NaN, '–'],
  ])('writes %d seconds as %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});
