import { expect, test } from 'vitest';
import { returnPath } from './return-path.ts';

test.each([
  'https://evil.example',
  '//evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '/%2f%2fevil.example',
  '/%2fevil.example',
  '/%5cevil.example',
  '/.//evil.example',
  '/..//evil.example',
  'https:evil.example',
  'javascript:alert(1)',
  '/\tevil',
  '\t//evil.example',
  '/\n/evil.example',
  ' //evil.example',
  '/ok\\..\\evil',
  'evil',
  '',
  '/sign-in',
  '/sign-in?to=/x',
  '/api/auth/signout',
  '/%zz',
])('%j is not followed', (given) => {
  expect(returnPath(given)).toBe('/');
});

test.each([
  '/',
  '/requests',
  '/claim?handle=abc.def&x=%2F%2Fe',
  '/agents/agt_1#history',
  '/clients/https%3A%2F%2Fa.example',
])('%s is a path of ours', (given) => {
  expect(returnPath(given)).toBe(given);
});

test('a path of absurd length is not followed', () => {
  expect(returnPath(`/${'a'.repeat(50_000)}`)).toBe('/');
});

test('anything but one text is Home', () => {
  expect(returnPath(undefined)).toBe('/');
  expect(returnPath(['/a', '/b'])).toBe('/');
});
