import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clumpsOf, dateOf, dayOf, onWeekends, sayDay, sayWeek, sumDays, weeksOf } from './calendar.ts';

/** A Monday. */
const today = '2026-03-02T00:00:00.000Z';
const daysWith = (counts: Record<number, number>) => Array.from({ length: 91 }, (_, day) => counts[day] ?? 0);

describe('clumps', () => {
  test.each([
    ['fourteen on one day', { 20: 14, 3: 1 }, [{ day: 20, count: 14 }]],
    [
      'two full days, the fuller first',
      { 5: 6, 40: 9 },
      [
        { day: 40, count: 9 },
        { day: 5, count: 6 },
      ],
    ],
    ['four on one day are no clump', { 20: 4 }, []],
    ['nothing', {}, []],
  ])('%s', (_, counts, clumps) => {
    expect(clumpsOf(daysWith(counts))).toEqual(clumps);
  });

  test('where every day is as full as the next, none stands out', () => {
    expect(clumpsOf(new Array(91).fill(50))).toEqual([]);
  });
});

test('days are days in UTC, also over the change to summer time', () => {
  expect(dateOf(today, 27)).toBe('2026-03-29');
  expect(dateOf(today, 28)).toBe('2026-03-30');
  expect(sayDay(today, 27)).toBe('Sun 29 Mar');
  fc.assert(
    fc.property(fc.integer({ min: -400, max: 400 }), (day) => dayOf(today, dateOf(today, day)) === day),
  );
});

test('what ends on a Saturday or Sunday is counted', () => {
  expect(onWeekends(today, daysWith({ 4: 1, 5: 2, 6: 3, 7: 4, 12: 5 }))).toBe(10);
});

test('lanes add up to days, days to weeks', () => {
  const lane = fc.record({
    value: fc.constant('x'),
    label: fc.constant('x'),
    total: fc.constant(0),
    days: fc.array(
      fc.record({ day: fc.integer({ min: 0, max: 90 }), count: fc.integer({ min: 1, max: 99 }) }),
      {
        size: 'max',
        maxLength: 91,
      },
    ),
  });
  fc.assert(
    fc.property(fc.array(lane, { maxLength: 13, size: 'max' }), (lanes) => {
      const counts = sumDays(lanes, 91);
      const all = lanes.flatMap(({ days }) => days).reduce((sum, { count }) => sum + count, 0);
      const weeks = weeksOf(counts);
      expect(weeks).toHaveLength(13);
      expect(weeks.reduce((sum, { total }) => sum + total, 0)).toBe(all);
    }),
  );
});

test('a week says how many end and on which day most do', () => {
  const [week] = weeksOf(daysWith({ 1: 2, 3: 5 }));
  expect(sayWeek(today, week as never)).toBe('Mon 2 Mar to Sun 8 Mar: 7, most on Thu 5 Mar (5)');
  const [other] = weeksOf(daysWith({ 1: 2 }));
  expect(sayWeek(today, other as never)).toBe('Mon 2 Mar to Sun 8 Mar: 2, on Tue 3 Mar');
});
