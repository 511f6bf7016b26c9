import { expect, test } from 'vitest';
import { guardStanding, lagOf } from './types.ts';

const at = Date.parse('2026-03-02T10:00:00Z');
const seen = (secondsAgo: number) => new Date(at - secondsAgo * 1000).toISOString();

test.each([
  ['a guard heard two seconds ago is connected', { state: 'enrolled', lastSeenAt: seen(2) }, 'connected'],
  [
    'one silent for eleven seconds is unreachable',
    { state: 'enrolled', lastSeenAt: seen(11) },
    'unreachable',
  ],
  ['one that never called is only enrolled', { state: 'enrolled', lastSeenAt: null }, 'enrolled'],
  [
    'a revoked one stays revoked however lately it called',
    { state: 'revoked', lastSeenAt: seen(1) },
    'revoked',
  ],
])('%s', (_title, guard, standing) => {
  expect(guardStanding(guard, at)).toBe(standing);
});

test('lag counts what is not acknowledged over all servers and never below zero', () => {
  const server = { id: 's', name: 's' };
  expect(
    lagOf({
      servers: [
        { ...server, acknowledged: 3, head: 5 },
        { ...server, acknowledged: 9, head: 8 },
      ],
    }),
  ).toBe(2);
});
