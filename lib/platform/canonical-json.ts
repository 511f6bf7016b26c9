import { hash } from 'node:crypto';

/** What canonical JSON can say. Members that are `undefined` count as absent. */
export type JsonValue = null | boolean | number | string | JsonArray | JsonObject;
export type JsonArray = readonly JsonValue[];
export type JsonObject = { readonly [member: string]: JsonValue | undefined };

/** Deeper than any document of ours; a cycle meets it before the stack ends. */
const MAX_DEPTH = 256;

/**
 * The one canonical text of a JSON value (RFC 8785): no white space, members ordered by UTF-16 code units,
 * strings and numbers as ECMAScript writes them.
 *
 * Throws TypeError for anything RFC 8785 cannot represent: NaN and infinities, lone surrogates, and values that
 * are not JSON at all (dates, maps, bigints, functions, `undefined` in an array). A digest over a silently
 * converted value would not be a digest over what was shown.
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

/** `sha256:` and the base64url SHA-256 of the canonical text: the form in which digests are stored and shown. */
export function digestOf(value: unknown): string {
  return `sha256:${hash('sha256', canonicalJson(value), 'base64url')}`;
}

/** The same form over bytes as they came, for documents of others. */
export function digestOfBytes(bytes: Uint8Array): string {
  return `sha256:${hash('sha256', bytes, 'base64url')}`;
}

function write(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw new TypeError('canonical JSON: nested too deep, or cyclic');
  switch (typeof value) {
    case 'string':
      return writeString(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('canonical JSON: number is not finite');
      return JSON.stringify(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? writeArray(value, depth) : writeObject(value, depth);
    default:
      throw new TypeError(`canonical JSON: cannot represent ${typeof value}`);
  }
}

/** Text that stands for itself between quotes: printable ASCII without quote and backslash. Most of what is digested. */
const plainText = /^[ !#-[\]-~]*$/;

function writeString(text: string): string {
  if (plainText.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new TypeError('canonical JSON: lone surrogate');
  return JSON.stringify(text);
}

function writeArray(items: readonly unknown[], depth: number): string {
  let text = '[';
  for (let index = 0; index < items.length; index++) {
    if (index > 0) text += ',';
    text += write(items[index], depth + 1);
  }
  return `${text}]`;
}

function writeObject(object: object, depth: number): string {
  const prototype = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError('canonical JSON: only plain objects have a canonical form');
  }
  let text = '{';
  // The default sort compares UTF-16 code units, which is the order RFC 8785 §3.2.3 asks for.
  for (const member of Object.keys(object).sort()) {
    const value = (object as Record<string, unknown>)[member];
    if (value === undefined) continue;
    if (text.length > 1) text += ',';
    text += `${writeString(member)}:${write(value, depth + 1)}`;
  }
  return `${text}}`;
}
