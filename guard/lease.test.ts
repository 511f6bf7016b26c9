import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { Lease } from './lease.ts';
import { leaseMs } from './protocol.ts';

/** The gate's clock reads `gateOffsetMs` more than the guard's monotonic one. */
const gateOffsetMs = 1_000_000;
let now = 0;
let wallMs = 0;
let lease: Lease;

beforeEach(() => {
  now = 10_000;
  wallMs = 5_000_000;
  lease = new Lease({ monotonicMs: () => now, wallMs: () => wallMs });
});
const pass = (ms: number) => {
  now += ms;
  wallMs += ms;
};
const map = (roundTripMs = 2) => {
  const askedAtMs = now;
  pass(roundTripMs);
  return lease.mapClock({
    askedAtMs,
    answeredAtMs: now,
    gateTimeMs: askedAtMs + roundTripMs / 2 + gateOffsetMs,
  });
};

describe('lease', () => {
  test('there is none before the first heartbeat, and none without a clock exchange', () => {
    expect(lease.live()).toBe(false);
    expect(lease.extend(now + gateOffsetMs)).toBe(false);
    map();
    expect(lease.live()).toBe(false);
  });

  test('runs from when the heartbeat was sent, not from when it came', () => {
    map();
    const sentAtMs = now + gateOffsetMs;
    pass(3_000);
    expect(lease.extend(sentAtMs)).toBe(true);
    pass(1_990);
    expect(lease.live()).toBe(true);
    pass(20);
    expect(lease.live()).toBe(false);
  });

  test('a constant delay of the whole feed leaves nothing, however regular it is', () => {
    map();
    for (let beat = 0; beat < 60; beat++) {
      const sentAtMs = now + gateOffsetMs - 30_000;
      expect(lease.extend(sentAtMs)).toBe(false);
      pass(1_000);
      expect(lease.live()).toBe(false);
    }
  });

  test('a clock exchange that took too long is not used', () => {
    expect(map(1_200)).toBe(false);
    expect(lease.needsMapping()).toBe(true);
  });

  test('a heartbeat from the future is not believed', () => {
    map();
    expect(lease.extend(now + gateOffsetMs + 500)).toBe(false);
  });

  test('an older heartbeat that arrives later does not shorten or lengthen it', () => {
    map();
    const sentAtMs = now + gateOffsetMs;
    lease.extend(sentAtMs);
    lease.extend(sentAtMs - 4_000);
    pass(4_900);
    expect(lease.live()).toBe(true);
  });

  test('a machine that slept wakes up without one: the wall clock went on', () => {
    map();
    lease.extend(now + gateOffsetMs);
    wallMs += 60_000;
    expect(lease.live()).toBe(false);
  });

  test('a wall clock put back gives nothing', () => {
    map();
    lease.extend(now + gateOffsetMs);
    pass(leaseMs + 1);
    wallMs -= 3_600_000;
    expect(lease.live()).toBe(false);
  });

  test('an exchange wears out when no other follows', () => {
    map();
    pass(60_000);
    expect(lease.needsMapping()).toBe(true);
    pass(61_000);
    expect(lease.extend(now + gateOffsetMs)).toBe(false);
  });

  test('is never live later than 5 s after the truth it rests on was sent', () => {
    const step = fc.record({
      waitMs: fc.nat(2_000),
      delayMs: fc.nat(8_000),
      roundTripMs: fc.nat(1_500),
      remap: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
        now = 10_000;
        wallMs = 5_000_000;
        lease = new Lease({ monotonicMs: () => now, wallMs: () => wallMs });
        let newestSentMs = Number.NEGATIVE_INFINITY;
        for (const { waitMs, delayMs, roundTripMs, remap } of steps) {
          if (remap) map(roundTripMs);
          const sentMs = now;
          pass(delayMs);
          if (lease.extend(sentMs + gateOffsetMs)) newestSentMs = Math.max(newestSentMs, sentMs);
          pass(waitMs);
          if (lease.live()) expect(now - newestSentMs).toBeLessThanOrEqual(leaseMs);
        }
      }),
    );
  });
});
