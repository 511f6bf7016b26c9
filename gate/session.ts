import type { IncomingMessage } from 'node:http';
import { findSession, findTokenHolder, type SessionFacts } from '#lib/access/read-actor.ts';
import { type Actor, anonymous } from '#lib/platform/actor.ts';
import { DomainError, Unauthenticated } from '#lib/platform/errors.ts';
import type { GateCtx } from './context.ts';
import { sessionCookieName } from './session-cookie.ts';

/** The session token of a Cookie header; null when absent or sent twice (a neighbouring host may have planted one). */
export function sessionTokenOf(cookieHeader: string | undefined, consoleOrigin: string): string | null {
  if (!cookieHeader) return null;
  const name = `${sessionCookieName(consoleOrigin)}=`;
  const values = cookieHeader
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(name));
  return values.length === 1 ? (values[0] as string).slice(name.length) || null : null;
}

/** The person of a session token, roles read now; anonymous when the session has ended. */
export async function actorOfSession(ctx: GateCtx, sessionToken: string): Promise<Actor> {
  return (await findSession(ctx, sessionToken))?.actor ?? anonymous;
}

/** The session a console request comes with, or null. */
export async function sessionOfRequest(
  ctx: GateCtx,
  incoming: IncomingMessage,
): Promise<SessionFacts | null> {
  const token = sessionTokenOf(incoming.headers.cookie, ctx.site.consoleOrigin);
  return token ? findSession(ctx, token) : null;
}

/** The REST API was called with both a cookie and a bearer token: whose rights were meant is anybody's guess. */
export class AmbiguousCaller extends DomainError {
  constructor() {
    super('invalid', 'Send either the session cookie or a bearer token, not both.');
  }
}

/**
 * Who calls the REST API: the holder of the bearer token (RFC 6750 §2.1), or the person of the session cookie where
 * cookies count (`readCookies`: the console host only). Throws `Unauthenticated` when a token was sent and is not alive.
 */
export async function actorOfApiCall(
  ctx: GateCtx,
  headers: { authorization: string | undefined; cookie: string | undefined },
  readCookies: boolean,
): Promise<Actor> {
  const sessionToken = readCookies ? sessionTokenOf(headers.cookie, ctx.site.consoleOrigin) : null;
  if (headers.authorization === undefined)
    return sessionToken ? actorOfSession(ctx, sessionToken) : anonymous;
  if (sessionToken) throw new AmbiguousCaller();
  const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(headers.authorization)?.[1];
  const holder = bearer ? await findTokenHolder(ctx, bearer) : null;
  if (!holder) throw new Unauthenticated('This API token is unknown, expired or ended.');
  return holder;
}
