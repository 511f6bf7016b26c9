import { DomainError } from '#lib/platform/errors.ts';
import { callFlowVerb } from '../../../../flow-verb.ts';
import { consoleSite } from '../../../../page-context.ts';

/**
 * Where a wait ends: one navigation to the client, with a code or with the reason there is none (RFC 6749 §4.1.2), by
 * 303 and without telling the client's page where it came from (RFC 9700 §4.2). Other sites cannot send a browser
 * here; without anywhere to go the waiting room says why.
 */
export async function GET(
  request: Request,
  { params }: { params: Promise<{ id: string }> },
): Promise<Response> {
  const { id } = await params;
  const site = request.headers.get('sec-fetch-site');
  const room = `/waiting/${encodeURIComponent(id)}`;
  if (site !== null && site !== 'same-origin' && site !== 'none') return goTo(room);
  try {
    const { location } = await callFlowVerb('registration.continueTransaction', { transactionId: id });
    return goTo(location ?? room);
  } catch (error) {
    if (error instanceof DomainError) return goTo(`${room}?stuck`);
    throw error;
  }
}

function goTo(location: string): Response {
  const absolute = location.startsWith('/') ? new URL(location, consoleSite().consoleOrigin).href : location;
  return new Response(null, {
    status: 303,
    headers: { location: absolute, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  });
}
