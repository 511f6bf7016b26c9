import { err, ok, type Result } from '#lib/platform/result.ts';

/**
 * Parameters of a query or form body (RFC 6749 appendix B), each named once. A parameter with an empty value counts
 * as omitted (RFC 6749 §3.1, §3.2).
 */
export type Parameters = ReadonlyMap<string, string>;

export type ParametersReason =
  | { reason: 'too-long'; maxBytes: number }
  | { reason: 'too-many'; maxCount: number }
  | { reason: 'malformed-encoding' }
  | { reason: 'null-character' };

/** Requests of real clients stay below 2 KB; authorization requests with a long state below 8 KB. */
export const MAX_PARAMETERS_BYTES = 16_384;
const MAX_PARAMETERS_COUNT = 100;

/** What a query or form carried: values by name, and the names that came more than once (their values are gone). */
export type ReadParameters = { values: Parameters; repeated: ReadonlySet<string> };

/**
 * Decodes `application/x-www-form-urlencoded` text strictly: broken percent-encoding and malformed UTF-8 are refused,
 * where a lenient decoder would let two readers of the same request see different values.
 * Repetition is reported and not judged here, because who may be told depends on which parameter came twice.
 */
export function readParameters(
  text: string,
  limits: { maxBytes?: number } = {},
): Result<ReadParameters, ParametersReason> {
  const maxBytes = limits.maxBytes ?? MAX_PARAMETERS_BYTES;
  if (text.length > maxBytes || Buffer.byteLength(text, 'utf8') > maxBytes) {
    return err({ reason: 'too-long', maxBytes });
  }
  const values = new Map<string, string>();
  const repeated = new Set<string>();
  const pairs = text.split('&').filter((pair) => pair !== '');
  if (pairs.length > MAX_PARAMETERS_COUNT) return err({ reason: 'too-many', maxCount: MAX_PARAMETERS_COUNT });
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decodeFormText(equals < 0 ? pair : pair.slice(0, equals));
    const value = decodeFormText(equals < 0 ? '' : pair.slice(equals + 1));
    if (name === null || value === null) return err({ reason: 'malformed-encoding' });
    if (name.includes('\0') || value.includes('\0')) return err({ reason: 'null-character' });
    if (values.has(name)) repeated.add(name);
    else values.set(name, value);
  }
  // Counted before empty ones are dropped: `code=&code=x` names code twice.
  for (const name of repeated) values.delete(name);
  for (const [name, value] of values) if (value === '') values.delete(name);
  return ok({ values, repeated });
}

/** One form-encoded text decoded, or null when it is not well-formed. */
export function decodeFormText(encoded: string): string | null {
  // Most values, tokens among them, stand for themselves.
  if (/^[\w.~!*'()-]*$/.test(encoded)) return encoded;
  if (!encoded.isWellFormed()) return null;
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

/** A sentence for the sender about an unreadable query or body. */
export function describeParametersReason(reason: ParametersReason): string {
  switch (reason.reason) {
    case 'too-long':
      return `the parameters are longer than ${reason.maxBytes} bytes`;
    case 'too-many':
      return `more than ${reason.maxCount} parameters`;
    case 'malformed-encoding':
      return 'a parameter is not well-formed percent-encoded UTF-8';
    case 'null-character':
      return 'a parameter contains U+0000';
  }
}

/**
 * Whether a Content-Type header names exactly one media type, the wanted one, with no parameter but `charset=utf-8`.
 * `a, b` lists, look-alike types and unknown charsets are not it.
 */
export function isMediaType(contentType: string | null | undefined, wanted: string): boolean {
  if (contentType == null || contentType.length > 200) return false;
  const [type, ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  if (type !== wanted) return false;
  return parameters.every((parameter) => parameter === 'charset=utf-8' || parameter === 'charset="utf-8"');
}

export const FORM_MEDIA_TYPE = 'application/x-www-form-urlencoded';
export const JSON_MEDIA_TYPE = 'application/json';
