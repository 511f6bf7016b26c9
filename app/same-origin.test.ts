import { expect, test } from 'vitest';
import { isSameOrigin } from './same-origin.ts';

const origin = 'http://countersign.localhost:3000';

test('a form of the console itself passes', () => {
  expect(isSameOrigin(new Headers({ origin }), origin)).toBe(true);
  expect(isSameOrigin(new Headers({ origin, 'sec-fetch-site': 'same-origin' }), origin)).toBe(true);
});

test.each([
  {},
  { origin: 'null' },
  { origin: '' },
  { origin: 'http://countersign.localhost:3001' },
  { origin: 'https://countersign.localhost:3000' },
  { origin: 'http://countersign.localhost:3000.evil.example' },
  { origin: 'http://evil.countersign.localhost:3000' },
  { origin: `${origin}/` },
  { origin: origin.toUpperCase() },
  { origin, 'sec-fetch-site': 'same-site' },
  { origin, 'sec-fetch-site': 'cross-site' },
  { origin, 'sec-fetch-site': 'none' },
])('%j does not', (headers) => {
  expect(isSameOrigin(new Headers(headers as Record<string, string>), origin)).toBe(false);
});

test('an unconfigured console trusts nobody', () => {
  expect(isSameOrigin(new Headers({ origin: '' }), '')).toBe(false);
});
