import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arrivals } from './holes.ts';

test('a number missing below a visible one stays open until all that may have taken it has ended', () => {
  const arrivals = new Arrivals(0);
  arrivals.see([1, 2, 5], 90n);
  expect(arrivals.holes).toEqual([{ from: 3, to: 4, barrier: null }]);
  expect(arrivals.settled).toBe(2);
  arrivals.see([], 100n);
  expect(arrivals.settled).toBe(2);
  arrivals.bar(103n);
  arrivals.see([4], 102n);
  expect(arrivals.holes).toEqual([{ from: 3, to: 3, barrier: 103n }]);
  arrivals.bar(110n);
  arrivals.see([], 103n);
  expect(arrivals.holes).toEqual([]);
  expect(arrivals.settled).toBe(5);
});

/**
 * Transactions take an id, then numbers, then end at any later moment, some by rolling back. A reader looks in
 * between, at a snapshot as PostgreSQL takes it, and writes in a transaction of its own what it found. Whatever the
 * interleaving, every committed number is seen once.
 */
test('no committed number is missed and none is seen twice, in any interleaving', () => {
  const step = fc.record({
    act: fc.constantFrom('begin', 'begin', 'take', 'take', 'commit', 'rollback', 'read'),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      let nextXid = 10n;
      let nextNumber = 1;
      let youngestEnded = 9n;
      const running: { xid: bigint; numbers: number[] }[] = [];
      const committed = new Set<number>();
      const seen: number[] = [];
      const arrivals = new Arrivals(0);
      const read = () => {
        // What runs and is younger than all that has ended is in no snapshot.
        const oldest = running[0]?.xid ?? nextXid;
        const xmin = oldest <= youngestEnded ? oldest : youngestEnded + 1n;
        const visible = [...committed].filter(
          (n) => n > arrivals.high || arrivals.holes.some((hole) => n >= hole.from && n <= hole.to),
        );
        seen.push(...visible);
        arrivals.see(visible, xmin);
        if (visible.length === 0) return;
        arrivals.bar(nextXid);
        youngestEnded = nextXid++;
      };
      for (const { act, pick } of steps) {
        const transaction = running[pick % Math.max(1, running.length)];
        if (act === 'begin') {
          if (running.length < 5) running.push({ xid: nextXid++, numbers: [] });
        } else if (act === 'read') read();
        else if (!transaction) continue;
        else if (act === 'take') transaction.numbers.push(nextNumber++);
        else {
          if (act === 'commit') for (const number of transaction.numbers) committed.add(number);
          running.splice(running.indexOf(transaction), 1);
          if (transaction.xid > youngestEnded) youngestEnded = transaction.xid;
        }
      }
      for (const { xid, numbers } of running.splice(0)) {
        for (const number of numbers) committed.add(number);
        youngestEnded = xid > youngestEnded ? xid : youngestEnded;
      }
      // One more event: what is written with it closes the holes that are left.
      committed.add(nextNumber++);
      read();
      read();
      expect(seen.sort((a, b) => a - b)).toEqual([...committed].sort((a, b) => a - b));
      expect(arrivals.holes).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
