import { expect, test } from 'vitest';
import { versionStanding } from './version.ts';

test.each([
  ['0.1.0', 'current'],
  ['0.0.9', 'older'],
  ['0.1.1', 'newer'],
  ['0.10.0', 'newer'],
  ['1.0.0', 'newer'],
  ['', 'unknown'],
  ['0.1', 'unknown'],
  ['0.1.0-mine', 'unknown'],
  ['a.b.c', 'unknown'],
])('a guard of version "%s" beside 0.1.0 is %s', (version, standing) => {
  expect(versionStanding(version, '0.1.0')).toBe(standing);
});
