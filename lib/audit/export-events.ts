import { z } from 'zod';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Forbidden, Unauthenticated } from '#lib/platform/errors.ts';
import type { EventQuery } from './event-query.ts';
import { eventColumns, recordEvent } from './record.ts';
import { searchEvents } from './search-events.ts';

/** An export ends here; the file says so. Narrow the time for the rest. */
export const exportedEvents = 100_000;
const pageRows = 200;

/** Only auditors take history out of the house. */
export function requireExport(ctx: Pick<Ctx, 'actor'>): void {
  if (ctx.actor.kind !== 'person') throw new Unauthenticated();
  if (!ctx.actor.roles.includes('auditor')) {
    throw new Forbidden('Exporting history needs the role auditor. An admin can grant it under People.', {
      missingRole: ['auditor'],
    });
  }
}

export const beginExportInput = z.strictObject({
  format: z.enum(['csv', 'jsonl']),
  /** The search as the address had it, for the record. */
  query: z.record(z.string().max(20), z.unknown()),
});

/** Records that somebody takes a copy, and of what; called before the first row leaves. */
export async function beginExport(
  ctx: Ctx,
  input: z.output<typeof beginExportInput>,
): Promise<{ eventId: string }> {
  requireExport(ctx);
  const eventId = await ctx.db.prisma.$transaction((tx) =>
    recordEvent(tx, ctx, {
      kind: 'history.export',
      subjectId: 'log',
      data: { format: input.format, query: JSON.parse(JSON.stringify(input.query)) },
    }),
  );
  return { eventId };
}

type Exported = Record<string, unknown>;

/** Whole events of a search, newest first, page by page; at most `exportedEvents`. */
export async function* exportEvents(ctx: Ctx, query: EventQuery): AsyncGenerator<Exported[]> {
  requireExport(ctx);
  let cursor: string | undefined;
  for (let read = 0; read < exportedEvents; read += pageRows) {
    const page = await searchEvents(ctx, query, { limit: pageRows, cursor });
    if (page.items.length === 0) return;
    const ids = page.items.map((item) => item.id);
    const { rows } = await ctx.db.search.query<{ event: Exported; position: string | null }>(
      `SELECT to_jsonb(e) - 'words' - 'arrival' AS event, l.sequence::text AS position
         FROM audit_event e LEFT JOIN audit_leaf l ON l.event_id = e.id WHERE e.id = ANY ($1)`,
      [ids],
    );
    const byId = new Map(rows.map((row) => [row.event.id, row]));
    yield ids.flatMap((id) => {
      const row = byId.get(id);
      if (!row) return [];
      const covered = Object.fromEntries(eventColumns.map((column) => [column, row.event[column] ?? null]));
      // The instant in the form the digest was taken over, so that a reader can recompute it from the line.
      covered.at = new Date(String(row.event.at)).toISOString();
      return [{ ...covered, position: row.position === null ? null : Number(row.position) }];
    });
    if (!page.olderCursor) return;
    cursor = page.olderCursor;
  }
}

export const exportedColumns: readonly string[] = [...eventColumns, 'position'];

/**
 * One cell of a CSV file (RFC 4180) that no spreadsheet takes for a formula: whatever begins like one, also with a
 * full-width sign or behind white space, gets an apostrophe in front.
 */
export function csvCell(value: unknown): string {
  const text =
    value === null || value === undefined
      ? ''
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value);
  const safe =
    typeof value === 'string' && /^[\s\p{Cf}]*[=+\-@\t\r\n＝＋－＠|%]/u.test(text) ? `'${text}` : text;
  return /[",\r\n;\t]/.test(safe) || safe !== text ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csvLine(cells: readonly unknown[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}
