import { describe, expect, it } from 'vitest';
import { middleTruncate } from './copyable-id.tsx';

describe('middleTruncate', () => {
  it.each([
    ['short', 20, 'short'],
    ['agt_019a8b2c3d4e5f60718293a4b5c6d7e8', 20, 'agt_019a8b…4b5c6d7e8'],
    ['👩‍🚀👩‍🚀👩‍🚀👩‍🚀👩‍🚀', 9, '👩\u200d🚀👩…🚀👩\u200d🚀'],
  ])('shortens %s to %d characters', (text, keep, short) => {
    expect(middleTruncate(text, keep)).toBe(short);
  });
});
