import { cookies } from 'next/headers';
import { loadAuditAddress, toQueryInput } from '#components/audit/address.ts';
import { sessionCookieName } from '#gate/session-cookie.ts';
import { eventQuerySchema } from '#lib/audit/event-query.ts';
import { csvLine, exportEvents, exportedColumns, requireExport } from '#lib/audit/export-events.ts';
import { DomainError, httpStatusOf } from '#lib/platform/errors.ts';
import { consoleSite, readPageCtx } from '../../../page-context.ts';
import { callVerb } from '../../../verbs.ts';

const noStore = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** The current search as a file. History says who took it before the first line leaves. */
export async function GET(request: Request): Promise<Response> {
  const ctx = await readPageCtx();
  const search = new URL(request.url).searchParams;
  const format = search.get('format') === 'csv' ? 'csv' : 'jsonl';
  try {
    requireExport(ctx);
    const input = toQueryInput(await loadAuditAddress(search));
    const query = eventQuerySchema.safeParse(input);
    if (!query.success) return plain(422, 'The filters of this address cannot be read.');
    const session = (await cookies()).get(sessionCookieName(consoleSite().consoleOrigin))?.value ?? null;
    await callVerb(
      'audit.beginExport',
      { format, query: input },
      { sessionToken: session, address: ctx.address, userAgent: ctx.userAgent },
    );
    const pages = exportEvents(ctx, query.data);
    const encoder = new TextEncoder();
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        if (format === 'csv') controller.enqueue(encoder.encode(csvLine(exportedColumns)));
      },
      async pull(controller) {
        const { done, value } = await pages.next();
        if (done) return controller.close();
        const text =
          format === 'csv'
            ? value.map((event) => csvLine(exportedColumns.map((column) => event[column]))).join('')
            : value.map((event) => `${JSON.stringify(event)}\n`).join('');
        controller.enqueue(encoder.encode(text));
      },
      async cancel() {
        await pages.return(undefined);
      },
    });
    const day = ctx.clock.now().toISOString().slice(0, 10);
    return new Response(stream, {
      headers: {
        ...noStore,
        'content-type':
          format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/jsonl; charset=utf-8',
        'content-disposition': `attachment; filename="countersign-audit-${day}.${format}"`,
      },
    });
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return plain(httpStatusOf(error), error.message);
  }
}

function plain(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { ...noStore, 'content-type': 'text/plain; charset=utf-8' },
  });
}
