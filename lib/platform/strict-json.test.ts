import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  describeStrictJsonReason,
  isJsonObject,
  parseStrictJson,
  parseStrictJsonText,
} from '#lib/platform/strict-json.ts';

const limits = { maxBytes: 1_000_000, maxDepth: 16 };
const bytes = (text: string) => new TextEncoder().encode(text);
const reasonOf = (text: string) => {
  const parsed = parseStrictJson(bytes(text), limits);
  return parsed.ok ? `parsed ${JSON.stringify(parsed.value)}` : parsed.error.reason;
};

describe('strict JSON', () => {
  it.each([
    ['a member named twice', '{"a":1,"a":2}', 'duplicate-member'],
    ['a member named twice, once escaped', '{"a":1,"\\u0061":2}', 'duplicate-member'],
    ['a nested member named twice', '[{"x":{"b":1,"b":1}}]', 'duplicate-member'],
    ['__proto__', '{"__proto__":{"admin":true}}', 'forbidden-member'],
    ['__proto__ escaped', '{"\\u005f_proto__":1}', 'forbidden-member'],
    ['U+0000', '{"a":"b\\u0000"}', 'null-character'],
    ['U+0000 in a member name', '{"a\\u0000":1}', 'null-character'],
    ['a lone high surrogate', '["\\ud800"]', 'lone-surrogate'],
    ['a lone low surrogate', '["\\udc00x"]', 'lone-surrogate'],
    ['swapped surrogates', '["\\udc00\\ud800"]', 'lone-surrogate'],
    ['a number that overflows', '1e400', 'number-out-of-range'],
    ['nothing', '', 'syntax'],
    ['only space', ' \n\t', 'syntax'],
    ['a byte order mark', '\ufeff{}', 'syntax'],
    ['a trailing comma in an array', '[1,]', 'syntax'],
    ['a trailing comma in an object', '{"a":1,}', 'syntax'],
    ['a missing value', '{"a":}', 'syntax'],
    ['a missing colon', '{"a" 1}', 'syntax'],
    ['single quotes', "{'a':1}", 'syntax'],
    ['a bare member', '{a:1}', 'syntax'],
    ['a comment', '{}//x', 'syntax'],
    ['two documents', '{}{}', 'syntax'],
    ['a leading zero', '01', 'syntax'],
    ['a leading plus', '+1', 'syntax'],
    ['hex', '0x10', 'syntax'],
    ['a bare point', '.5', 'syntax'],
    ['a trailing point', '1.', 'syntax'],
    ['NaN', 'NaN', 'syntax'],
    ['Infinity', '-Infinity', 'syntax'],
    ['an unterminated string', '"abc', 'syntax'],
    ['a raw newline in a string', '"a\nb"', 'syntax'],
    ['an unknown escape', '"\\x41"', 'syntax'],
    ['a short escape', '"\\u12"', 'syntax'],
    ['an escape that is a method name', '"\\constructor"', 'syntax'],
    ['a word that starts right', 'truex', 'syntax'],
    ['undefined', 'undefined', 'syntax'],
    ['a non-breaking space', '\u00a01', 'syntax'],
    ['an unclosed array', '[1', 'syntax'],
    ['an unclosed object', '{"a":1', 'syntax'],
  ])('refuses %s', (_title, text, reason) => {
    expect(reasonOf(text)).toBe(reason);
  });

  it.each([
    [Uint8Array.of(0x22, 0xff, 0x22), 'a stray byte'],
    [Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), 'an overlong form'],
    [Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), 'an encoded surrogate'],
    [Uint8Array.of(0x22, 0xe2, 0x82, 0x22), 'a cut sequence'],
  ])('refuses malformed UTF-8 (%#: %s)', (input) => {
    expect(parseStrictJson(input, limits)).toEqual({ ok: false, error: { reason: 'invalid-utf8' } });
  });

  it('refuses one byte more than allowed, counting bytes and not characters', () => {
    const text = '"€€"';
    expect(parseStrictJson(bytes(text), { maxBytes: 8 }).ok).toBe(true);
    expect(parseStrictJson(bytes(text), { maxBytes: 7 })).toEqual({
      ok: false,
      error: { reason: 'too-large', maxBytes: 7 },
    });
    expect(parseStrictJsonText(text, { maxBytes: 7 }).ok).toBe(false);
  });

  it('refuses one level more than allowed, and a hundred thousand', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(reasonOf(nested(16))).toContain('parsed');
    expect(reasonOf(nested(17))).toBe('too-deep');
    expect(reasonOf(nested(100_000))).toBe('too-deep');
    expect(reasonOf('{"a":'.repeat(50_000))).toBe('too-deep');
  });

  it('keeps members that share a name with Object.prototype as plain data', () => {
    const parsed = parseStrictJson(bytes('{"constructor":1,"toString":2,"hasOwnProperty":4}'), limits);
    expect(parsed).toEqual({
      ok: true,
      value: { constructor: 1, toString: 2, hasOwnProperty: 4 },
    });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('names the member and place of a refusal', () => {
    const parsed = parseStrictJson(bytes('{"scope":"a","scope":"b"}'), limits);
    expect(parsed).toEqual({
      ok: false,
      error: { reason: 'duplicate-member', offset: 13, member: 'scope' },
    });
    if (!parsed.ok) expect(describeStrictJsonReason(parsed.error)).toBe('a member appears twice: scope');
  });

  it('tells objects from everything else', () => {
    expect([{}, [], null, 'a', 1].map((value) => isJsonObject(value))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it('agrees with JSON.parse on everything JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = JSON.stringify(value, null, 1);
        if (text.includes('__proto__') || text.includes('\\u0000') || /\\ud[89a-f]/.test(text)) return;
        expect(parseStrictJson(bytes(text), limits)).toEqual({ ok: true, value: JSON.parse(text) });
      }),
    );
  });

  it('accepts nothing that JSON.parse refuses', () => {
    const fragment = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"', '"a"', '\\', '1', '-', '0', '.', 'e', '+', 'true', 'null', ' '],
      ...['\\u0061', '\n', '\ufeff', '\u2028'],
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 14, size: 'max' }), (parts) => {
        const text = parts.join('');
        const strict = parseStrictJson(bytes(text), limits);
        if (strict.ok) expect(strict.value).toEqual(JSON.parse(text));
        else if (strict.error.reason === 'syntax') expect(() => JSON.parse(text)).toThrow();
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes time linear in the input', () => {
    // Work is counted, not timed: each shape is parsed at a size where a quadratic parser would not return.
    const shapes = [
      `"${'\\u0061'.repeat(150_000)}"`,
      `[${'1,'.repeat(400_000)}1]`,
      `{${Array.from({ length: 60_000 }, (_, index) => `"k${index}":0`).join(',')}}`,
      `${' '.repeat(900_000)}1`,
      `-${'9'.repeat(300)}.${'0'.repeat(900_000)}`,
    ];
    for (const shape of shapes) expect(parseStrictJson(bytes(shape), limits).ok).toBe(true);
  });
});
