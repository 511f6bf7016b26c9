import { expect, test } from 'vitest';
import { runCrashRounds } from '../support/crash-rounds.ts';

test('a thousand kills of gate and PostgreSQL at random moments lose nothing acknowledged and invent nothing', {
  timeout: 4 * 3_600_000,
}, async () => {
  const report = await runCrashRounds(1_000);
  expect(report.faults).toEqual([]);
  expect(report.cutOff).toBeGreaterThan(500);
});
