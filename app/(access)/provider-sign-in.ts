import 'server-only';
import { cookies } from 'next/headers';
import { returnPath } from '#lib/access/return-path.ts';
import type { LinkRefusal, ProviderRefusal } from '#lib/access/sign-in-with-provider.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { readCaller } from '../caller.ts';
import { consoleSite } from '../page-context.ts';
import { callVerb } from '../verbs.ts';
import { beginWithProvider, danceCookieNames, danceSeconds, finishWithProvider } from './auth.ts';
import { sentSessionToken, startSession } from './session-cookie.ts';

const noStore = { 'cache-control': 'no-store' };

/** Where the settings show what came of linking. */
const settingsPath = '/settings/profile';

/** Why a sign-in through the provider came to nothing, as a word in the address of the page that says it. */
type Failure = ProviderRefusal | LinkRefusal | 'provider' | 'provider refused' | 'provider expired' | 'limit';

/**
 * `GET /api/auth/signin/oidc?to=…`: sends the browser to the identity provider. Only from a link of this console: a
 * foreign page must not send people through a sign-in they did not begin. `purpose=link` adds the provider to the
 * account that is signed in.
 */
export async function beginProviderSignIn(request: Request): Promise<Response> {
  const query = new URL(request.url).searchParams;
  const purpose = query.get('purpose') === 'link' ? 'link' : 'sign-in';
  const to = returnPath(query.get('to'));
  const back = purpose === 'link' ? settingsPath : signInPage(to);
  if (!consoleSite().identityProvider) return new Response('Not found', { status: 404, headers: noStore });
  // Every current browser says where a navigation comes from, and no page can say it in its place.
  const cameFrom = request.headers.get('sec-fetch-site');
  if (cameFrom !== null && cameFrom !== 'same-origin') return seeOther(back);
  try {
    const { url, setCookies } = await beginWithProvider();
    const response = seeOther(url);
    for (const cookie of setCookies) response.headers.append('set-cookie', cookie);
    const jar = await cookies();
    const parts = `${purpose} ${to}`.match(/.{1,2500}/g) ?? [];
    returnCookieNames().forEach((name, index) => {
      jar.set(name, parts[index] ?? '', { ...cookieOptions(), maxAge: parts[index] ? danceSeconds : 0 });
    });
    return response;
  } catch (error) {
    report(error);
    return seeOther(withFailure(back, 'provider'));
  }
}

/**
 * `GET /api/auth/callback/oidc`: the way back (OpenID Connect Core 1.0 §3.1.2.5). What the provider says is checked by
 * the gate; here the browser that comes back is tied to the one that left.
 */
export async function finishProviderSignIn(request: Request): Promise<Response> {
  if (!consoleSite().identityProvider) return new Response('Not found', { status: 404, headers: noStore });
  const jar = await cookies();
  const returning = returnCookieNames().map((name) => jar.get(name)?.value ?? '');
  const [purpose = '', to = '/'] = returning.join('').split(' ');
  const path = returnPath(to);
  const names = Object.values(danceCookieNames());
  const sent = Object.fromEntries(names.map((name) => [name, jar.get(name)?.value ?? '']));
  for (const name of [...names, ...returnCookieNames()]) jar.set(name, '', { ...cookieOptions(), maxAge: 0 });
  const failed = (failure: Failure) =>
    seeOther(withFailure(purpose === 'link' ? settingsPath : signInPage(path), failure));

  // Too long ago, already used, or begun in another browser: there is nothing to compare with.
  if (purpose === '' || Object.values(sent).includes('')) return failed('provider expired');
  const query = Object.fromEntries(new URL(request.url).searchParams);
  if (query.error !== undefined) {
    report(new Error(`${query.error}: ${query.error_description ?? ''}`.slice(0, 500)));
    return failed(query.error === 'access_denied' ? 'provider refused' : 'provider');
  }
  const { address, userAgent } = await readCaller();
  const nobody = { sessionToken: null, address, userAgent };
  try {
    await callVerb('access.admitProviderSignIn', {}, nobody);
    const idToken = await finishWithProvider(query, sent);
    if (purpose === 'link') {
      const somebody = { ...nobody, sessionToken: await sentSessionToken() };
      const result = await callVerb('access.linkProvider', { idToken }, somebody);
      return 'refused' in result ? failed(result.refused) : seeOther(`${settingsPath}?linked`);
    }
    const result = await callVerb('access.signInWithProvider', { idToken }, nobody);
    if ('refused' in result) return failed(result.refused);
    await startSession(result.handoff);
    return seeOther(path);
  } catch (error) {
    if (error instanceof DomainError && error.code === 'limit_exceeded') return failed('limit');
    report(error);
    return failed('provider');
  }
}

/** For the operator: what failed, by its messages alone, because the errors of the exchange carry the ID token. */
function report(error: unknown): void {
  const messages: string[] = [];
  for (let at = error; at instanceof Error && messages.length < 5; at = at.cause) messages.push(at.message);
  console.error(`sign-in through the identity provider failed: ${JSON.stringify(messages)}`);
}

/** Where to go afterwards, in pieces: a claim's address is longer than one cookie may be. */
function returnCookieNames(): string[] {
  const prefix = consoleSite().consoleOrigin.startsWith('https:') ? '__Host-' : '';
  return [1, 2, 3, 4].map((part) => `${prefix}countersign-oidc-return-${part}`);
}

function cookieOptions() {
  return {
    httpOnly: true,
    sameSite: 'lax' as const,
    secure: consoleSite().consoleOrigin.startsWith('https:'),
    path: '/',
  };
}

function signInPage(to: string): string {
  return to === '/' ? '/sign-in' : `/sign-in?${new URLSearchParams({ to })}`;
}

function withFailure(page: string, failure: Failure): string {
  return `${page}${page.includes('?') ? '&' : '?'}${new URLSearchParams({ error: failure.replaceAll(' ', '-') })}`;
}

function seeOther(location: string): Response {
  return new Response(null, { status: 303, headers: { location, ...noStore } });
}
