import type { ExpiryLane } from '#lib/agents/read-expiry.ts';

const dayMs = 24 * 3_600_000;
/** Fewer on one day somebody decides in passing. */
const smallestClump = 5;
/** As many times the average of a day before it counts as one. */
const clumpFactor = 3;

const shortDay = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  weekday: 'short',
  day: 'numeric',
  month: 'short',
});
const monthDay = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short' });

/** Days of the timeline: by number, `2026-03-02`, and as people say them. All in UTC. */
export function dateOf(today: string, day: number): string {
  return new Date(Date.parse(today) + day * dayMs).toISOString().slice(0, 10);
}

/** The number of a day, from `2026-03-02`. */
export function dayOf(today: string, date: string): number {
  return Math.round((Date.parse(`${date}T00:00:00Z`) - Date.parse(today)) / dayMs);
}

export function sayDay(today: string, day: number): string {
  return shortDay.format(Date.parse(today) + day * dayMs);
}

export function sayShort(today: string, day: number): string {
  return monthDay.format(Date.parse(today) + day * dayMs);
}

export function isWeekend(today: string, day: number): boolean {
  return [0, 6].includes(new Date(Date.parse(today) + day * dayMs).getUTCDay());
}

/** How many end on each day, over all lanes. */
export function sumDays(lanes: readonly ExpiryLane[], days: number): number[] {
  const counts = new Array<number>(days).fill(0);
  for (const { days: own } of lanes) {
    for (const { day, count } of own) {
      if (day >= 0 && day < days) counts[day] = (counts[day] ?? 0) + count;
    }
  }
  return counts;
}

/** Days on which so many end that nobody can look at each: more than a few, and far more than on others. */
export function clumpsOf(counts: readonly number[]): { day: number; count: number }[] {
  const average = counts.reduce((sum, count) => sum + count, 0) / Math.max(1, counts.length);
  return counts
    .map((count, day) => ({ day, count }))
    .filter(({ count }) => count >= smallestClump && count >= clumpFactor * average)
    .sort((a, b) => b.count - a.count || a.day - b.day);
}

/** How many end on a Saturday or Sunday, when few people decide. */
export function onWeekends(today: string, counts: readonly number[]): number {
  return counts.reduce((sum, count, day) => sum + (isWeekend(today, day) ? count : 0), 0);
}

export type Week = { first: number; last: number; counts: number[]; total: number };

/** Weeks from today on, seven days each. */
export function weeksOf(counts: readonly number[]): Week[] {
  const weeks: Week[] = [];
  for (let first = 0; first < counts.length; first += 7) {
    const own = counts.slice(first, first + 7);
    weeks.push({
      first,
      last: first + own.length - 1,
      counts: own,
      total: own.reduce((sum, count) => sum + count, 0),
    });
  }
  return weeks;
}

/** A week in words: how many end and, when it is not all one day, on which most do. */
export function sayWeek(today: string, week: Week): string {
  const most = week.counts.indexOf(Math.max(...week.counts));
  const count = week.counts[most] ?? 0;
  const range = `${sayDay(today, week.first)} to ${sayDay(today, week.last)}`;
  const day = sayDay(today, week.first + most);
  return count === week.total
    ? `${range}: ${week.total}, on ${day}`
    : `${range}: ${week.total}, most on ${day} (${count})`;
}
