import { z } from 'zod';
import { Invalid } from './errors.ts';
import { isStorableText } from './query-text.ts';

/** Paging of every list: by key, never by offset, so that page 1,000 costs what page 1 costs. */
export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .meta({ description: 'Rows on a page, at most 200.' }),
  cursor: z.string().max(600).optional().meta({ description: 'From `nextCursor` of the page before.' }),
};

export type Page<Item> = { items: Item[]; nextCursor: string | null };

/** The response schema of a page of `item`. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

export function encodeCursor(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** The key a cursor holds, `length` parts as strings. Throws `Invalid` for anything this server did not hand out. */
export function decodeCursor(cursor: string | undefined, length: number): string[] | null {
  if (cursor === undefined) return null;
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    const isPart = (part: unknown) =>
      typeof part === 'number' || (typeof part === 'string' && isStorableText(part));
    if (Array.isArray(key) && key.length === length && key.every(isPart)) return key.map(String);
  } catch {
    // Falls through to the one answer.
  }
  throw new Invalid('This cursor is not one of ours. Start again without it.', {
    issues: [{ path: 'cursor', message: 'not a cursor of this list' }],
  });
}

/** Cuts the one row too many that was read to see whether there is a next page. */
export function toPage<Row>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => readonly (string | number)[],
): Page<Row> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last ? encodeCursor(keyOf(last)) : null };
}
