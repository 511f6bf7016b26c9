import { expect, test } from 'vitest';
import { runCrashRounds } from '../support/crash-rounds.ts';

test('fifty kills of gate and PostgreSQL at random moments lose nothing acknowledged and invent nothing', {
  timeout: 900_000,
}, async () => {
  const report = await runCrashRounds(50);
  expect(report.faults).toEqual([]);
  // A loop in which nothing happened, or nothing was cut off, would prove nothing.
  for (const [kind, count] of Object.entries(report.acknowledged))
    expect([kind, count > 10]).toEqual([kind, true]);
  expect(report.cutOff).toBeGreaterThan(25);
});
