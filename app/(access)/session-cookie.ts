import 'server-only';
import { cookies } from 'next/headers';
import { sessionCookieName } from '#gate/session-cookie.ts';
import { readCaller } from '../caller.ts';
import { consoleSite } from '../page-context.ts';
import { callVerb } from '../verbs.ts';

/** The session token this browser sent, if any. */
export async function sentSessionToken(): Promise<string | null> {
  return (await cookies()).get(sessionCookieName(consoleSite().consoleOrigin))?.value ?? null;
}

/**
 * Turns the proof of a sign-in into a session of this browser. The token is new on every sign-in, and the session the
 * browser came with ends, so that a cookie planted beforehand is worth nothing afterwards. HttpOnly, host-only, not
 * sent along from other sites except when following a link.
 */
export async function startSession(handoff: string): Promise<void> {
  const caller = await readCaller();
  const { token, expiresAt } = await callVerb(
    'access.openSession',
    { handoff, previousToken: await sentSessionToken() },
    { sessionToken: null, address: caller.address, userAgent: caller.userAgent },
  );
  await keepSessionToken(token, expiresAt);
}

/** Gives the browser the token of its session: at sign-in, and whenever the gate exchanges it for another. */
export async function keepSessionToken(token: string, expiresAt: string): Promise<void> {
  const { consoleOrigin } = consoleSite();
  (await cookies()).set(sessionCookieName(consoleOrigin), token, {
    httpOnly: true,
    sameSite: 'lax',
    secure: consoleOrigin.startsWith('https:'),
    path: '/',
    expires: new Date(expiresAt),
  });
}

/** Takes the cookie out of the browser; the session itself is ended by its verb. */
export async function dropSessionCookie(): Promise<void> {
  const { consoleOrigin } = consoleSite();
  (await cookies()).set(sessionCookieName(consoleOrigin), '', {
    httpOnly: true,
    sameSite: 'lax',
    secure: consoleOrigin.startsWith('https:'),
    path: '/',
    maxAge: 0,
  });
}
