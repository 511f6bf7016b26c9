import { createHash } from 'node:crypto';

/**
 * The one text of a JSON value (RFC 8785): names sorted by UTF-16 code unit, no
 * spaces, numbers and strings as ECMAScript writes them. Members that are
 * undefined are left out, as in JSON. Throws `TypeError` on a value JSON has no
 * word for.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('JSON has no such number');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
  }
  throw new TypeError(`JSON has no ${typeof value}`);
}

/** SHA-256 as base64url. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('base64url');
}

/** SHA-256 of the canonical JSON, base64url. */
export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}

/** Names the exact set of tools, whatever their order. */
export function toolSetDigest(names: readonly string[]): string {
  return digestOf([...new Set(names)].sort());
}

/**
 * Names what a reviewer saw of a tool: everything a server says about it but
 * `_meta` and icons, which change without meaning. Gate and guard compare these.
 */
export function toolDefinitionDigest(tool: object): string {
  const { name, title, description, inputSchema, outputSchema, annotations } = tool as Record<
    string,
    unknown
  >;
  return digestOf({ name, title, description, inputSchema, outputSchema, annotations });
}
