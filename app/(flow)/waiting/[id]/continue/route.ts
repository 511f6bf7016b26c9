import { DomainError } from '#lib/platform/errors.ts';
import { callFlowVerb } from '../../../../flow-verb.ts';
import { consoleSite } from '../../../../page-context.ts';

/**
 * Where a wait ends: one navigation to the client, with a code or with the reason there is none (RFC 6749 §4.1.2), by
 * 303 and without telling the client's page where it came from (RFC 9700 §4.2). Without anywhere to go the waiting
 * room says why.
 */
export async function GET(
  request: Request,
  { params }: { params: Promise<{ id: string }> },
): Promise<Response> {
  const { id } = await params;
  const room = `/waiting/${encodeURIComponent(id)}`;
  if (!isOwnNavigation(request.headers)) return goTo(room);
  try {
    const { location } = await callFlowVerb('registration.continueTransaction', { transactionId: id });
    return goTo(location ?? room);
  } catch (error) {
    if (error instanceof DomainError) return goTo(`${room}?stuck`);
    throw error;
  }
}

/**
 * A browser of our own page that goes somewhere, as browsers tell (Fetch Metadata): no other site's link, and nothing
 * fetched in the background, which would take the one code and drop it.
 */
function isOwnNavigation(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site') ?? 'none';
  const mode = headers.get('sec-fetch-mode') ?? 'navigate';
  const purpose = headers.get('sec-purpose') ?? headers.get('purpose') ?? '';
  return (site === 'same-origin' || site === 'none') && mode === 'navigate' && !purpose.includes('prefetch');
}

function goTo(location: string): Response {
  const absolute = location.startsWith('/') ? new URL(location, consoleSite().consoleOrigin).href : location;
  return new Response(null, {
    status: 303,
    headers: { location: absolute, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' },
  });
}
