import { expect, test } from 'vitest';
import { runCrashRounds } from '../support/crash-rounds.ts';

const kills = 1_000;
/** A town mostly waits for what was killed to come back: several at once take a third of the time. */
const towns = 4;

test('a thousand kills of gate and PostgreSQL at random moments lose nothing acknowledged and invent nothing', {
  timeout: 4 * 3_600_000,
}, async () => {
  let killed = 0;
  const onRound = () => {
    // Nearly an hour without a word looks like a test that hangs.
    if (++killed % 50 === 0) process.stderr.write(`${killed} kills, ${new Date().toISOString()}\n`);
  };
  const ended = await Promise.allSettled(
    Array.from({ length: towns }, () => runCrashRounds(kills / towns, { onRound })),
  );
  const reports = ended.map((town) => {
    if (town.status === 'rejected') throw town.reason;
    return town.value;
  });
  expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
  expect(reports.reduce((sum, { cutOff }) => sum + cutOff, 0)).toBeGreaterThan(kills / 2);
});
