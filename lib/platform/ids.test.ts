import { expect, test } from 'vitest';
import { newId } from './ids.ts';

test('ids are UUIDv7, unique, and sort in the order of their making', () => {
  const ids = Array.from({ length: 20_000 }, () => newId('event'));
  expect(new Set(ids).size).toBe(ids.length);
  expect([...ids].sort()).toEqual(ids);
  for (const id of ids.slice(0, 100)) expect(id).toMatch(/^evt_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  const madeAt = Number.parseInt((ids[0] as string).slice(4, 16), 16);
  expect(Math.abs(Date.now() - madeAt)).toBeLessThan(10_000);
});
