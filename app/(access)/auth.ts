import 'server-only';
import { createHash } from 'node:crypto';
import type { NextApiRequest, NextApiResponse } from 'next';
import NextAuth, { type NextAuthOptions } from 'next-auth';
import Credentials from 'next-auth/providers/credentials';
import type { OAuthConfig } from 'next-auth/providers/oauth';
import type { VerbOutput } from '#gate/verbs.ts';
import { type ProviderMetadata, readProviderMetadata } from '#lib/access/provider-metadata.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { readIdentityProviderSecret, readSignInSecret } from '#lib/platform/console-environment.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import { readCaller } from '../caller.ts';
import { consoleSite } from '../page-context.ts';
import { callVerb } from '../verbs.ts';

/**
 * The only module that knows next-auth. It runs the sign-in dance and nothing else: what comes out is our own one-time
 * hand-over, or an ID token for the gate to check, which becomes our own session row. Of next-auth's cookies only those
 * reach a browser that tie the way to the identity provider to the way back.
 */

export type SignInResult = VerbOutput<'access.signIn'>;

/** What the dance was asked, with only the parts next-auth looks at. */
type DanceRequest = {
  method: 'GET' | 'POST';
  action: readonly string[];
  body: Record<string, string>;
  query?: Readonly<Record<string, string>>;
  cookies?: Readonly<Record<string, string>>;
};

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

/** What ties the browser that leaves for the provider to the one that comes back: state, PKCE verifier and nonce. */
export type ProviderDance = { url: string; setCookies: readonly string[] };

/**
 * Where to send the browser so that the identity provider signs somebody in (OpenID Connect Core 1.0 §3.1.2.1, with
 * PKCE). `fresh` asks it to have them prove anew who they are, whatever session they have there. Throws the gate's
 * errors, or `Unavailable` when the provider cannot be asked.
 */
export async function beginWithProvider({ fresh }: { fresh: boolean }): Promise<ProviderDance> {
  const failures: unknown[] = [];
  const { options, metadata } = await providerOptions(failures, fresh);
  const answer = await dance({ method: 'POST', action: ['signin', providerId], body: {} }, options);
  // When it fails it sends to an error page instead.
  if (!answer.url?.startsWith(metadata.authorizationEndpoint)) throw new ProviderFailure(failures);
  return { url: answer.url, setCookies: answer.setCookies.filter(isDanceCookie) };
}

/**
 * Comes back from the provider: compares the state, exchanges the code with the PKCE verifier, compares the nonce, and
 * returns the ID token, which nobody has believed yet. Throws `ProviderFailure` when any of it does not fit.
 */
export async function finishWithProvider(
  query: Readonly<Record<string, string>>,
  cookies: Readonly<Record<string, string>>,
): Promise<string> {
  const failures: unknown[] = [];
  let idToken: string | undefined;
  const { options } = await providerOptions(failures);
  await dance(
    { method: 'GET', action: ['callback', providerId], body: {}, query, cookies },
    {
      ...options,
      callbacks: {
        signIn({ account }) {
          idToken = account?.id_token;
          return true;
        },
      },
    },
  );
  if (!idToken) throw new ProviderFailure(failures);
  return idToken;
}

/**
 * The exchange with the identity provider failed. The cause is for the operator's log only: next-auth has one logger for
 * the whole process, so of two dances at once it may be the other's.
 */
export class ProviderFailure extends Error {
  constructor(causes: readonly unknown[]) {
    super('The exchange with the identity provider failed', { cause: causes[0] });
  }
}

const providerId = 'oidc';
export const danceSeconds = 15 * 60;

/** Names of the cookies of a dance with the provider. `__Host-` where that is possible, as for our own. */
export function danceCookieNames(): Record<'state' | 'pkceCodeVerifier' | 'nonce', string> {
  const prefix = consoleSite().consoleOrigin.startsWith('https:') ? '__Host-' : '';
  return {
    state: `${prefix}countersign-oidc-state`,
    pkceCodeVerifier: `${prefix}countersign-oidc-verifier`,
    nonce: `${prefix}countersign-oidc-nonce`,
  };
}

function isDanceCookie(setCookie: string): boolean {
  return Object.values(danceCookieNames()).some((name) => setCookie.startsWith(`${name}=`));
}

async function providerOptions(
  failures: unknown[],
  fresh = false,
): Promise<{ options: NextAuthOptions; metadata: ProviderMetadata }> {
  const { identityProvider, consoleOrigin } = consoleSite();
  if (!identityProvider) throw new Error('no identity provider is configured');
  const { issuer, clientId, name, scope } = identityProvider;
  const metadata = await readProviderMetadata(issuer, systemClock);
  const clientSecret = readIdentityProviderSecret();
  const provider: OAuthConfig<{ sub: string }> = {
    id: providerId,
    name,
    type: 'oauth',
    issuer,
    authorization: {
      url: metadata.authorizationEndpoint,
      params: { scope, ...(fresh ? { prompt: 'login', max_age: 0 } : {}) },
    },
    token: { url: metadata.tokenEndpoint },
    jwks_endpoint: metadata.jwksUri,
    idToken: true,
    checks: ['pkce', 'state', 'nonce'],
    clientId,
    clientSecret: clientSecret ?? undefined,
    client: {
      token_endpoint_auth_method: clientSecret ? 'client_secret_basic' : 'none',
      id_token_signed_response_alg: metadata.idTokenAlgorithm,
    },
    httpOptions: { timeout: 5_000 },
    profile: ({ sub }) => ({ id: sub }),
  };
  const names = danceCookieNames();
  const cookieOptions = {
    httpOnly: true,
    // The way back is a navigation that another site began.
    sameSite: 'lax',
    path: '/',
    secure: consoleOrigin.startsWith('https:'),
    maxAge: danceSeconds,
  };
  const options: NextAuthOptions = {
    ...baseOptions(),
    providers: [provider],
    cookies: {
      state: { name: names.state, options: cookieOptions },
      pkceCodeVerifier: { name: names.pkceCodeVerifier, options: cookieOptions },
      nonce: { name: names.nonce, options: cookieOptions },
    },
    logger: {
      error(code, metadata) {
        failures.push(metadata instanceof Error ? metadata : new Error(code, { cause: metadata }));
      },
      warn() {},
      debug() {},
    },
  };
  return { options, metadata };
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
async function dance(
  asked: DanceRequest,
  options: NextAuthOptions,
): Promise<{ url: string | null; setCookies: readonly string[] }> {
  const csrfToken = randomToken();
  const csrfHash = createHash('sha256').update(`${csrfToken}${options.secret}`).digest('hex');
  const request = {
    method: asked.method,
    query: { ...asked.query, nextauth: [...asked.action] },
    body: { ...asked.body, csrfToken, json: 'true' },
    cookies: { ...asked.cookies, 'next-auth.csrf-token': `${csrfToken}|${csrfHash}` },
    headers: {},
  };
  let url: string | null = null;
  const setCookies: string[] = [];
  const response = {
    status: () => response,
    // It adds one cookie at a time to all that `getHeader` returns.
    setHeader(name: string, value: string | string[]) {
      if (name === 'Set-Cookie') setCookies.push(...[value].flat().slice(-1));
      return response;
    },
    getHeader: () => undefined,
    json(body: { url?: string }) {
      url = body.url ?? null;
      return response;
    },
    send: () => response,
    end: () => response,
  };
  await NextAuth(request as unknown as NextApiRequest, response as unknown as NextApiResponse, options);
  return { url, setCookies };
}
