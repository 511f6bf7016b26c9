import { signInWithPassword } from '#app/(access)/auth.ts';
import { beginProviderSignIn, finishProviderSignIn } from '#app/(access)/provider-sign-in.ts';
import { startSession } from '#app/(access)/session-cookie.ts';
import { consoleSite } from '#app/page-context.ts';
import { isSameOrigin } from '#app/same-origin.ts';
import { returnPath } from '#lib/access/return-path.ts';
import { DomainError } from '#lib/platform/errors.ts';

const maxBodyBytes = 16 * 1024;
const noStore = { 'cache-control': 'no-store' };

type Context = { params: Promise<{ nextauth: string[] }> };

/**
 * `POST /api/auth/callback/credentials`: the one step of signing in. Takes a form or JSON with `email`, `password` and
 * `callbackUrl`; a form is answered by a redirect (303, so that the password is not sent again), a script by JSON.
 */
export async function POST(request: Request, { params }: Context): Promise<Response> {
  const step = (await params).nextauth.join('/');
  if (step !== 'callback/credentials') return new Response('Not found', { status: 404, headers: noStore });
  if (!isSameOrigin(request.headers, consoleSite().consoleOrigin)) {
    return Response.json({ error: 'origin' }, { status: 403, headers: noStore });
  }
  const given = await readFields(request);
  if (!given) return Response.json({ error: 'malformed' }, { status: 400, headers: noStore });
  const to = returnPath(given.callbackUrl);
  const wantsJson =
    given.json === 'true' || (request.headers.get('accept') ?? '').startsWith('application/json');
  try {
    const result = await signInWithPassword({ email: given.email ?? '', password: given.password ?? '' });
    if ('refused' in result) return refuse(result, to, wantsJson);
    await startSession(result.handoff);
    return wantsJson ? Response.json({ url: to }, { headers: noStore }) : seeOther(to);
  } catch (error) {
    if (error instanceof DomainError && error.code === 'invalid')
      return refuse({ refused: 'credentials' }, to, wantsJson);
    if (error instanceof DomainError && error.code === 'unauthenticated')
      return refuse({ refused: 'credentials' }, to, wantsJson);
    console.error('sign-in failed', error);
    return wantsJson
      ? Response.json({ error: 'unavailable' }, { status: 503, headers: { ...noStore, 'retry-after': '2' } })
      : seeOther(signInPage(to, 'unavailable'));
  }
}

/** The two navigations of a sign-in through the identity provider, and addresses a sign-in library's users know. */
export async function GET(request: Request, { params }: Context): Promise<Response> {
  const [step = '', provider] = (await params).nextauth;
  if (step === 'signin' && provider === 'oidc') return beginProviderSignIn(request);
  if (step === 'callback' && provider === 'oidc') return finishProviderSignIn(request);
  if (step === 'signin' || step === 'error') return seeOther('/sign-in');
  if (step === 'signout') return seeOther('/sign-out');
  return new Response('Not found', { status: 404, headers: noStore });
}

function refuse(
  result: { refused: 'credentials' } | { refused: 'too many tries'; retryAfterSeconds: number },
  to: string,
  wantsJson: boolean,
): Response {
  const isLimit = result.refused === 'too many tries';
  const retry: Record<string, string> = isLimit ? { 'retry-after': String(result.retryAfterSeconds) } : {};
  if (!wantsJson) return seeOther(signInPage(to, isLimit ? 'limit' : 'credentials'));
  return Response.json(
    {
      error: isLimit ? 'limit' : 'credentials',
      ...(isLimit ? { retryAfterSeconds: result.retryAfterSeconds } : {}),
    },
    { status: isLimit ? 429 : 401, headers: { ...noStore, ...retry } },
  );
}

function signInPage(to: string, error: string): string {
  return `/sign-in?${new URLSearchParams({ error, ...(to === '/' ? {} : { to }) })}`;
}

function seeOther(location: string): Response {
  return new Response(null, { status: 303, headers: { location, ...noStore } });
}

/** Text fields of a small form or JSON object; null for anything else. */
async function readFields(request: Request): Promise<Record<string, string> | null> {
  const type = (request.headers.get('content-type') ?? '').split(';')[0]?.trim();
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.byteLength > maxBodyBytes) return null;
  const text = new TextDecoder().decode(bytes);
  try {
    const entries =
      type === 'application/json'
        ? Object.entries(JSON.parse(text) as object)
        : type === 'application/x-www-form-urlencoded'
          ? [...new URLSearchParams(text)]
          : null;
    if (!entries) return null;
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    return null;
  }
}
