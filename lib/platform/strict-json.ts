import type { JsonValue } from '#lib/platform/canonical-json.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';

/** A parsed JSON object: own members only, never with a member named `__proto__`. */
export type ParsedObject = { [member: string]: JsonValue };

export type StrictJsonLimits = {
  /** Longest input, counted in bytes before decoding. */
  maxBytes: number;
  /** Deepest nesting of arrays and objects; a scalar has depth 0. Default 16. */
  maxDepth?: number;
};

/** Why a text was refused. `offset` counts UTF-16 code units from the start of the text. */
export type StrictJsonReason =
  | { reason: 'too-large'; maxBytes: number }
  | { reason: 'invalid-utf8' }
  | { reason: 'syntax'; offset: number }
  | { reason: 'too-deep'; offset: number; maxDepth: number }
  | { reason: 'duplicate-member'; offset: number; member: string }
  | { reason: 'forbidden-member'; offset: number; member: string }
  | { reason: 'null-character'; offset: number }
  | { reason: 'lone-surrogate'; offset: number }
  | { reason: 'number-out-of-range'; offset: number };

const DEFAULT_MAX_DEPTH = 16;
/** The parser recurses once a level; the stack is safe well beyond this. */
const HIGHEST_MAX_DEPTH = 256;
const SHOWN_MEMBER_LENGTH = 64;

/**
 * Parses JSON from a party we do not trust, so that no two readers of the same bytes can disagree about them:
 * RFC 8259 grammar, and on top of it a size and depth limit, well-formed UTF-8 without byte order mark, no member
 * named twice (compared after unescaping), no U+0000, no lone surrogate, no number that overflows.
 * A member called `__proto__` is refused: copied carelessly it would become a prototype.
 * Runs in time linear in the input.
 */
export function parseStrictJson(
  bytes: Uint8Array,
  limits: StrictJsonLimits,
): Result<JsonValue, StrictJsonReason> {
  if (bytes.byteLength > limits.maxBytes) return err({ reason: 'too-large', maxBytes: limits.maxBytes });
  let text: string;
  try {
    // ignoreBOM keeps a byte order mark in the text, where the grammar then refuses it.
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return err({ reason: 'invalid-utf8' });
  }
  return parseText(text, limits.maxDepth ?? DEFAULT_MAX_DEPTH);
}

/** The same for a text that is already decoded; `maxBytes` bounds its UTF-8 length. */
export function parseStrictJsonText(
  text: string,
  limits: StrictJsonLimits,
): Result<JsonValue, StrictJsonReason> {
  if (text.length > limits.maxBytes || Buffer.byteLength(text, 'utf8') > limits.maxBytes) {
    return err({ reason: 'too-large', maxBytes: limits.maxBytes });
  }
  return parseText(text, limits.maxDepth ?? DEFAULT_MAX_DEPTH);
}

/** Whether a parsed value is an object, as opposed to an array, a scalar or null. */
export function isJsonObject(value: JsonValue | undefined): value is ParsedObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One sentence about a refusal, fit for an answer to the sender: it repeats nothing but a member's name. */
export function describeStrictJsonReason(reason: StrictJsonReason): string {
  switch (reason.reason) {
    case 'too-large':
      return `the document is larger than ${reason.maxBytes} bytes`;
    case 'invalid-utf8':
      return 'the document is not well-formed UTF-8';
    case 'syntax':
      return `the document is not valid JSON (at character ${reason.offset})`;
    case 'too-deep':
      return `the document is nested deeper than ${reason.maxDepth} levels`;
    case 'duplicate-member':
      return `a member appears twice: ${reason.member}`;
    case 'forbidden-member':
      return `a member name is not allowed: ${reason.member}`;
    case 'null-character':
      return 'a string contains U+0000';
    case 'lone-surrogate':
      return 'a string contains a lone surrogate';
    case 'number-out-of-range':
      return 'a number is out of range';
  }
}

function parseText(text: string, maxDepth: number): Result<JsonValue, StrictJsonReason> {
  const parser = new Parser(text, Math.min(maxDepth, HIGHEST_MAX_DEPTH));
  try {
    return ok(parser.document());
  } catch (thrown) {
    if (thrown instanceof Refusal) return err(thrown.reason);
    throw thrown;
  }
}

/** Leaves the recursion; never leaves this file. */
class Refusal extends Error {
  readonly reason: StrictJsonReason;
  constructor(reason: StrictJsonReason) {
    super(reason.reason);
    this.reason = reason;
  }
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const FOUR_HEX = /[0-9A-Fa-f]{4}/y;
const ESCAPES: { readonly [letter: string]: string } = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Parser {
  readonly text: string;
  readonly maxDepth: number;
  at = 0;

  constructor(text: string, maxDepth: number) {
    this.text = text;
    this.maxDepth = maxDepth;
  }

  document(): JsonValue {
    const value = this.value(0);
    this.skipSpace();
    if (this.at < this.text.length) this.refuseSyntax();
    return value;
  }

  value(depth: number): JsonValue {
    this.skipSpace();
    const code = this.text.charCodeAt(this.at);
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (depth >= this.maxDepth) {
        throw new Refusal({ reason: 'too-deep', offset: this.at, maxDepth: this.maxDepth });
      }
      return code === OPEN_BRACE ? this.object(depth) : this.array(depth);
    }
    if (code === QUOTE) return this.string();
    if (this.text.startsWith('true', this.at)) return this.literal('true', true);
    if (this.text.startsWith('false', this.at)) return this.literal('false', false);
    if (this.text.startsWith('null', this.at)) return this.literal('null', null);
    return this.number();
  }

  literal(word: string, value: JsonValue): JsonValue {
    this.at += word.length;
    return value;
  }

  object(depth: number): ParsedObject {
    const object: ParsedObject = {};
    this.at++;
    this.skipSpace();
    if (this.text.charCodeAt(this.at) === CLOSE_BRACE) {
      this.at++;
      return object;
    }
    for (;;) {
      this.skipSpace();
      const offset = this.at;
      if (this.text.charCodeAt(this.at) !== QUOTE) this.refuseSyntax();
      const member = this.string();
      const shown = member.slice(0, SHOWN_MEMBER_LENGTH).toWellFormed();
      if (member === '__proto__') throw new Refusal({ reason: 'forbidden-member', offset, member });
      if (Object.hasOwn(object, member)) {
        throw new Refusal({ reason: 'duplicate-member', offset, member: shown });
      }
      this.skipSpace();
      if (this.text.charCodeAt(this.at) !== COLON) this.refuseSyntax();
      this.at++;
      object[member] = this.value(depth + 1);
      this.skipSpace();
      const next = this.text.charCodeAt(this.at);
      if (next !== COMMA && next !== CLOSE_BRACE) this.refuseSyntax();
      this.at++;
      if (next === CLOSE_BRACE) return object;
    }
  }

  array(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.at++;
    this.skipSpace();
    if (this.text.charCodeAt(this.at) === CLOSE_BRACKET) {
      this.at++;
      return items;
    }
    for (;;) {
      items.push(this.value(depth + 1));
      this.skipSpace();
      const next = this.text.charCodeAt(this.at);
      if (next !== COMMA && next !== CLOSE_BRACKET) this.refuseSyntax();
      this.at++;
      if (next === CLOSE_BRACKET) return items;
    }
  }

  string(): string {
    const offset = this.at;
    const parts: string[] = [];
    let runStart = ++this.at;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      // NaN is the end of the text; below U+0020 nothing may appear unescaped.
      if (Number.isNaN(code) || code < SPACE) this.refuseSyntax();
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        parts.push(this.text.slice(runStart, this.at), this.escape());
        runStart = this.at;
      } else {
        this.at++;
      }
    }
    parts.push(this.text.slice(runStart, this.at));
    this.at++;
    const value = parts.length === 1 ? (parts[0] as string) : parts.join('');
    if (!value.isWellFormed()) throw new Refusal({ reason: 'lone-surrogate', offset });
    return value;
  }

  escape(): string {
    const letter = this.text.charAt(this.at + 1);
    if (letter !== 'u') {
      const value = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
      if (value === undefined) this.refuseSyntax();
      this.at += 2;
      return value;
    }
    FOUR_HEX.lastIndex = this.at + 2;
    const hex = FOUR_HEX.exec(this.text)?.[0];
    if (hex === undefined) this.refuseSyntax();
    const code = Number.parseInt(hex, 16);
    if (code === 0) throw new Refusal({ reason: 'null-character', offset: this.at });
    this.at += 6;
    return String.fromCharCode(code);
  }

  number(): number {
    NUMBER.lastIndex = this.at;
    const digits = NUMBER.exec(this.text)?.[0];
    if (digits === undefined) this.refuseSyntax();
    const value = Number(digits);
    if (!Number.isFinite(value)) throw new Refusal({ reason: 'number-out-of-range', offset: this.at });
    this.at += digits.length;
    return value;
  }

  skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== SPACE && code !== NEWLINE && code !== RETURN && code !== TAB) return;
      this.at++;
    }
  }

  refuseSyntax(): never {
    throw new Refusal({ reason: 'syntax', offset: this.at });
  }
}
