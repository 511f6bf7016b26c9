import 'server-only';
import { createHash } from 'node:crypto';
import type { NextApiRequest, NextApiResponse } from 'next';
import NextAuth, { type NextAuthOptions } from 'next-auth';
import Credentials from 'next-auth/providers/credentials';
import type { VerbOutput } from '#gate/verbs.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import { readSignInSecret } from '#lib/platform/env.ts';
import { readCaller } from '../caller.ts';
import { callVerb } from '../verbs.ts';

/**
 * The only module that knows next-auth. It runs the sign-in dance and nothing else: what comes out is our own one-time
 * hand-over, which becomes our own session row. None of next-auth's cookies ever reaches a browser.
 */

export type SignInResult = VerbOutput<'access.signIn'>;

/** What the dance was asked, with only the parts next-auth looks at. */
type DanceRequest = { method: 'GET' | 'POST'; action: readonly string[]; body: Record<string, string> };

/** Signs in with an e-mail address and a password. Says what the verb said; opens no session. */
export async function signInWithPassword(given: { email: string; password: string }): Promise<SignInResult> {
  const caller = await readCaller();
  let outcome: SignInResult | null = null;
  let failure: unknown = null;
  let completed = false;
  const options: NextAuthOptions = {
    ...baseOptions(),
    providers: [
      Credentials({
        id: 'credentials',
        credentials: { email: {}, password: {} },
        async authorize() {
          try {
            outcome = await callVerb('access.signIn', given, {
              sessionToken: null,
              address: caller.address,
              userAgent: caller.userAgent,
            });
          } catch (error) {
            // next-auth would turn it into a query parameter.
            failure = error;
            return null;
          }
          // Not an identity, only the word that there is one: who it is travels in the hand-over.
          return 'handoff' in outcome ? { id: 'signed-in' } : null;
        },
      }),
    ],
    events: {
      signIn() {
        completed = true;
      },
    },
  };
  await dance({ method: 'POST', action: ['callback', 'credentials'], body: {} }, options);
  if (failure) throw failure;
  const result = outcome as SignInResult | null;
  if (!result) throw new Error('the sign-in exchange did not reach its check');
  if ('handoff' in result && !completed) throw new Error('the sign-in exchange did not complete');
  return result;
}

function baseOptions(): Omit<NextAuthOptions, 'providers'> {
  return {
    secret: readSignInSecret(),
    // Lives inside one request: its cookie is thrown away with the answer.
    session: { strategy: 'jwt', maxAge: 60 },
    pages: { signIn: '/sign-in', error: '/sign-in' },
    useSecureCookies: false,
    logger: { error() {}, warn() {}, debug() {} },
  };
}

/**
 * Runs one step of next-auth without a network around it. Its double-submit token is filled in here: the callers have
 * already required that the request comes from a page of this very origin, which says more.
 */
async function dance(asked: DanceRequest, options: NextAuthOptions): Promise<void> {
  const csrfToken = randomToken();
  const csrfHash = createHash('sha256').update(`${csrfToken}${options.secret}`).digest('hex');
  const request = {
    method: asked.method,
    query: { nextauth: [...asked.action] },
    body: { ...asked.body, csrfToken, json: 'true' },
    cookies: { 'next-auth.csrf-token': `${csrfToken}|${csrfHash}` },
    headers: {},
  };
  const response = {
    status: () => response,
    setHeader: () => response,
    getHeader: () => undefined,
    json: () => response,
    send: () => response,
    end: () => response,
  };
  await NextAuth(request as unknown as NextApiRequest, response as unknown as NextApiResponse, options);
}
