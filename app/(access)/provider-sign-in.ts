import 'server-only';
import { cookies } from 'next/headers';
import type { ConfirmationRefusal } from '#lib/access/confirm-with-provider.ts';
import type { LinkRefusal } from '#lib/access/link-provider.ts';
import { returnPath } from '#lib/access/return-path.ts';
import type { ProviderRefusal } from '#lib/access/sign-in-with-provider.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { readCaller } from '../caller.ts';
import { consoleSite } from '../page-context.ts';
import { callVerb } from '../verbs.ts';
import {
  beginWithProvider,
  danceCookieNames,
  danceSeconds,
  finishWithProvider,
  ProviderFailure,
} from './auth.ts';
import { keepSessionToken, sentSessionToken, startSession } from './session-cookie.ts';

const noStore = { 'cache-control': 'no-store' };

/** Where the settings show what came of linking. */
const settingsPath = '/settings/profile';

/** Why a sign-in through the provider came to nothing, as a word in the address of the page that says it. */
type Failure =
  | ProviderRefusal
  | LinkRefusal
  | ConfirmationRefusal
  | 'provider'
  | 'provider refused'
  | 'provider expired'
  | 'limit'
  | 'not confirmed'
  | 'unavailable';

type Purpose = 'sign-in' | 'link' | 'confirm';

/** What the browser that leaves is to do when it comes back. */
type Errand = {
  purpose: Purpose;
  to: string;
  /** Digest of the session that asked to link or to confirm; a session begun meanwhile, somebody else's perhaps, is another. */
  session: string | null;
};

/** The exchange at the provider may take this long; the browser waits no longer than half a minute for an answer. */
const exchangeTimeoutMs = 12_000;
/** Longer than any address of ours a person is sent to; what is longer ends at Home. */
const maxReturnLength = 4_000;

/**
 * `GET /api/auth/signin/oidc?to=…`: sends the browser to the identity provider. Only from a link of this console: a
 * foreign page must not send people through a sign-in they did not begin. `purpose=link` adds the provider to the
 * account that is signed in, `purpose=confirm` has its person prove anew who they are.
 */
export async function beginProviderSignIn(request: Request): Promise<Response> {
  if (!consoleSite().identityProvider) return notFound();
  const query = new URL(request.url).searchParams;
  const purpose = purposeOf(query.get('purpose'));
  const given = returnPath(query.get('to'));
  const to = given.length > maxReturnLength ? '/' : given;
  const back = purpose === 'sign-in' ? signInPage(to) : settingsPath;
  if (!cameFromThisConsole(request.headers)) return seeOther(back);
  try {
    const { url, setCookies } = await beginWithProvider({ fresh: purpose === 'confirm' });
    const token = await sentSessionToken();
    await setErrand({ purpose, to, session: purpose !== 'sign-in' && token ? sha256(token) : null });
    const response = seeOther(url);
    for (const cookie of setCookies) response.headers.append('set-cookie', cookie);
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
  if (!consoleSite().identityProvider) return notFound();
  const jar = await cookies();
  const errand = await sentErrand();
  const names = Object.values(danceCookieNames());
  const sent = Object.fromEntries(names.map((name) => [name, jar.get(name)?.value ?? '']));
  const page = !errand || errand.purpose === 'sign-in' ? signInPage(errand?.to ?? '/') : settingsPath;
  const failed = (failure: Failure) => seeOther(withFailure(page, failure));
  // Too long ago, already used, or begun in another browser: there is nothing to compare with.
  if (!errand || Object.values(sent).includes('')) return failed('provider expired');

  const { address, userAgent, person } = await readCaller();
  const caller = { sessionToken: null, address, userAgent };
  const query = Object.fromEntries(new URL(request.url).searchParams);
  try {
    await callVerb('access.admitProviderSignIn', {}, caller);
    if (query.error !== undefined) {
      // Its state is not compared, so a foreign page may have written it: it ends nothing that is under way.
      report(new Error(`${query.error}: ${query.error_description ?? ''}`.slice(0, 500)));
      return failed(query.error === 'access_denied' ? 'provider refused' : 'provider');
    }
    for (const name of [...names, ...errandCookieNames()])
      jar.set(name, '', { ...cookieOptions(), maxAge: 0 });
    const idToken = await inTime(finishWithProvider(query, sent));
    if (errand.purpose !== 'sign-in') {
      const token = await sentSessionToken();
      if (!person || !token || sha256(token) !== errand.session) return failed('provider expired');
      if (errand.purpose === 'confirm') {
        const confirmed = await callVerb(
          'access.confirmWithProvider',
          { idToken },
          { ...caller, sessionToken: token },
        );
        await keepSessionToken(confirmed.token, confirmed.expiresAt);
        return seeOther(errand.to);
      }
      await callVerb('access.linkProvider', { idToken }, { ...caller, sessionToken: token });
      return seeOther(`${settingsPath}?linked`);
    }
    const result = await callVerb('access.signInWithProvider', { idToken }, caller);
    if ('refused' in result) return failed(result.refused);
    await startSession(result.handoff);
    return seeOther(errand.to);
  } catch (error) {
    if (error instanceof DomainError && error.code === 'limit_exceeded') return failed('limit');
    if (error instanceof DomainError && error.code === 'step_up_required') return failed('not confirmed');
    if (error instanceof DomainError && typeof error.detail.refused === 'string')
      return failed(error.detail.refused as LinkRefusal | ConfirmationRefusal);
    report(error);
    return failed(error instanceof ProviderFailure ? 'provider' : 'unavailable');
  }
}

/**
 * Every current browser says where a navigation comes from, and no page can say it in its place. A browser that says
 * nothing may still name the page by its referrer, which our own pages send to their own origin.
 */
function cameFromThisConsole(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site === 'same-origin';
  return URL.parse(headers.get('referer') ?? '')?.origin === consoleSite().consoleOrigin;
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ProviderFailure([new Error('no answer in time')])),
      exchangeTimeoutMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** For the operator: what failed, by its messages alone, because the errors of the exchange carry the ID token. */
function report(error: unknown): void {
  const messages: string[] = [];
  for (let at = error; at instanceof Error && messages.length < 5; at = at.cause) messages.push(at.message);
  console.error(`sign-in through the identity provider failed: ${JSON.stringify(messages)}`);
}

/** The errand travels in two pieces: the address of a claim can be longer than one cookie may be. */
function errandCookieNames(): string[] {
  const prefix = consoleSite().consoleOrigin.startsWith('https:') ? '__Host-' : '';
  return [`${prefix}countersign-oidc-errand-1`, `${prefix}countersign-oidc-errand-2`];
}

const cookieLength = 3_500;

async function setErrand(errand: Errand): Promise<void> {
  const jar = await cookies();
  const text = Buffer.from(JSON.stringify(errand)).toString('base64url');
  errandCookieNames().forEach((name, index) => {
    const part = text.slice(index * cookieLength, (index + 1) * cookieLength);
    jar.set(name, part, { ...cookieOptions(), maxAge: part === '' ? 0 : danceSeconds });
  });
}

/** The errand this browser left on; null when it left on none, or its cookies were tampered with. */
async function sentErrand(): Promise<Errand | null> {
  const jar = await cookies();
  const parts = errandCookieNames().map((name) => jar.get(name)?.value ?? '');
  try {
    const { purpose, to, session } = JSON.parse(
      Buffer.from(parts.join(''), 'base64url').toString('utf8'),
    ) as Errand;
    return {
      purpose: purposeOf(purpose),
      to: returnPath(to),
      session: typeof session === 'string' ? session : null,
    };
  } catch {
    return null;
  }
}

function purposeOf(given: unknown): Purpose {
  return given === 'link' || given === 'confirm' ? given : 'sign-in';
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

function notFound(): Response {
  return new Response('Not found', { status: 404, headers: noStore });
}

function seeOther(location: string): Response {
  return new Response(null, { status: 303, headers: { location, ...noStore } });
}
