import { DomainError, httpStatusOf } from '#lib/platform/errors.ts';
import { readWaiting } from '#lib/registration/read-waiting.ts';
import { readPageCtx } from '../../../../page-context.ts';

const headers = { 'cache-control': 'no-store' };

/** The waiting room as data, for the page's own poll. */
export async function GET(
  _request: Request,
  { params }: { params: Promise<{ id: string }> },
): Promise<Response> {
  const [{ id }, ctx] = await Promise.all([params, readPageCtx()]);
  try {
    return Response.json(await readWaiting(ctx, id), { headers });
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return Response.json(
      { detail: error.message, requestId: ctx.traceId },
      { status: httpStatusOf(error), headers },
    );
  }
}
