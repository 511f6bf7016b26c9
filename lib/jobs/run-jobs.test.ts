import { expect, test } from 'vitest';
import { oneAtATime } from './run-jobs.ts';

test('a scheduled task holds one slot, however slow it is; others and queued work are not held up', async () => {
  const started: string[] = [];
  const slow = Promise.withResolvers<void>();
  const list = oneAtATime(
    {
      slow: async () => {
        started.push('slow');
        await slow.promise;
      },
      quick: async () => void started.push('quick'),
      queued: async (payload) => void started.push(`queued ${payload}`),
    },
    new Set(['slow', 'quick']),
  );
  const run = (name: string, payload: unknown = null) => list[name]?.(payload as never, {} as never);
  const first = run('slow');
  await run('slow');
  await run('slow');
  await Promise.all([run('queued', 1), run('queued', 2), run('quick')]);
  expect(started).toEqual(['slow', 'queued 1', 'queued 2', 'quick']);
  slow.resolve();
  await first;
  await run('slow');
  expect(started.at(-1)).toBe('slow');
});

test('a run that fails frees its slot, and its failure is the queue’s to see', async () => {
  let runs = 0;
  const list = oneAtATime(
    {
      failing: async () => {
        runs += 1;
        throw new Error('no');
      },
    },
    new Set(['failing']),
  );
  for (let n = 0; n < 2; n++) await expect(list.failing?.(null, {} as never)).rejects.toThrow('no');
  expect(runs).toBe(2);
});
