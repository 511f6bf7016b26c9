import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arrivals } from './holes.ts';

test('a number missing below a visible one stays open until all that ran beside it has ended', () => {
  const arrivals = new Arrivals(0);
  arrivals.see([1, 2, 5], { xmin: 90n, xmax: 100n });
  expect(arrivals.holes).toEqual([{ from: 3, to: 4, barrier: 100n }]);
  expect(arrivals.settled).toBe(2);
  arrivals.see([4], { xmin: 99n, xmax: 110n });
  expect(arrivals.holes).toEqual([{ from: 3, to: 3, barrier: 100n }]);
  arrivals.see([], { xmin: 100n, xmax: 111n });
  expect(arrivals.holes).toEqual([]);
  expect(arrivals.settled).toBe(5);
});

/**
 * Transactions take an id, then numbers, then end at any later moment, some by rolling back. A reader looks in
 * between. Whatever the interleaving, every committed number is seen once.
 */
test('no committed number is missed and none is seen twice, in any interleaving', () => {
  const step = fc.record({
    act: fc.constantFrom('begin', 'take', 'commit', 'rollback', 'read'),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      let nextXid = 10n;
      let nextNumber = 1;
      const running: { xid: bigint; numbers: number[] }[] = [];
      const committed = new Set<number>();
      const seen: number[] = [];
      const arrivals = new Arrivals(0);
      const read = () => {
        const xmin = running[0]?.xid ?? nextXid;
        const visible = [...committed].filter(
          (n) => n > arrivals.high || arrivals.holes.some((hole) => n >= hole.from && n <= hole.to),
        );
        seen.push(...visible);
        arrivals.see(visible, { xmin, xmax: nextXid });
      };
      for (const { act, pick } of steps) {
        const transaction = running[pick % Math.max(1, running.length)];
        if (act === 'begin') running.push({ xid: nextXid++, numbers: [] });
        else if (act === 'read') read();
        else if (!transaction) continue;
        else if (act === 'take') transaction.numbers.push(nextNumber++);
        else {
          if (act === 'commit') for (const number of transaction.numbers) committed.add(number);
          running.splice(running.indexOf(transaction), 1);
        }
      }
      for (const { numbers } of running.splice(0)) for (const number of numbers) committed.add(number);
      read();
      expect(seen.sort((a, b) => a - b)).toEqual([...committed].sort((a, b) => a - b));
      expect(arrivals.holes).toEqual([]);
    }),
  );
});
