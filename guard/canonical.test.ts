import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, toolDefinitionDigest, toolSetDigest } from './canonical.ts';

describe('canonical JSON (RFC 8785)', () => {
  test.each([
    [{ b: 1, a: [1.0, 1e21, 1e-7, -0] }, '{"a":[1,1e+21,1e-7,0],"b":1}'],
    [
      { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 },
      '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
    ],
    [{ text: '\u20ac$\u000f\nA\'B"\\\\"/' }, '{"text":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'],
    [{ a: undefined, b: null }, '{"b":null}'],
  ])('%j', (value, expected) => {
    expect(canonicalJson(value)).toBe(expected);
  });

  test('says the same value, in one way only', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, () => 1, Symbol('x'), 1n])(
    'has no word for %s',
    (value) => {
      expect(() => canonicalJson(value)).toThrow(TypeError);
    },
  );
});

describe('digests', () => {
  test('a tool set is the same in any order', () => {
    expect(toolSetDigest(['b', 'a', 'b'])).toBe(toolSetDigest(['a', 'b']));
    expect(toolSetDigest(['a', 'b'])).not.toBe(toolSetDigest(['a,b']));
  });

  test('a tool definition is another one with any change a reader could see, and only then', () => {
    const tool = { name: 'read', description: 'Reads.', inputSchema: { type: 'object' } };
    const digest = toolDefinitionDigest(tool);
    expect(toolDefinitionDigest({ ...tool, _meta: { x: 1 }, icons: [] })).toBe(digest);
    for (const change of [
      { description: 'Reads' },
      { inputSchema: {} },
      { annotations: { readOnlyHint: true } },
      { title: 'R' },
    ])
      expect(toolDefinitionDigest({ ...tool, ...change })).not.toBe(digest);
  });
});
