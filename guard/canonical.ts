import { createHash } from 'node:crypto';

/**
 * The one text of a JSON value (RFC 8785): names sorted by UTF-16 code unit, no
 * spaces, numbers and strings as ECMAScript writes them. Members that are
 * undefined are left out, as in JSON. Throws `TypeError` on a value JSON has no
 * word for.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return stringJson(value);
  if (value === null || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('JSON has no such number');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object') {
    let text = '';
    // The default sort compares UTF-16 code units.
    for (const name of Object.keys(value).sort()) {
      const member = (value as Record<string, unknown>)[name];
      if (member === undefined) continue;
      text += `${text === '' ? '' : ','}${stringJson(name)}:${canonicalJson(member)}`;
    }
    return `{${text}}`;
  }
  throw new TypeError(`JSON has no ${typeof value}`);
}

/** Most strings need no escape, and every call pays for its records here. */
function stringJson(text: string): string {
  return /^[ !#-[\]-~]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
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

/** The hints MCP defines; what else a server puts beside them is shown to nobody. */
const knownHints = ['title', 'readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'];

/**
 * Names what a reviewer sees and a model is told of a tool. The gate's catalogue
 * computes the same, so that a guard notices a definition nobody reviewed.
 */
export function toolDefinitionDigest(tool: object): string {
  const { name, title, description, inputSchema, outputSchema, annotations } = tool as Record<
    string,
    unknown
  >;
  const hints =
    typeof annotations === 'object' && annotations !== null
      ? Object.fromEntries(Object.entries(annotations).filter(([hint]) => knownHints.includes(hint)))
      : null;
  return digestOf({
    name,
    title: title ?? hints?.title ?? null,
    description: description ?? '',
    inputSchema,
    outputSchema: outputSchema ?? null,
    annotations: hints,
  });
}
