import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { describeRedirect } from '#lib/evidence/dossier.ts';
import { type AuthorizationPageError, readAuthorizationRequest } from '#lib/oauth/authorization-request.ts';
import { toErrorRedirect } from '#lib/oauth/authorization-response.ts';
import type { OAuthErrorCode } from '#lib/oauth/oauth-error.ts';
import { sha256, type Vault } from '#lib/platform/crypto.ts';
import { type Ctx, consoleUrl } from '#lib/platform/ctx.ts';
import { sealHandle } from './authorization-handle.ts';
import { forgottenBecause } from './forgotten.ts';
import { judgeAuthorization, type RequestFault } from './judge-authorization.ts';
import type { KnownClient } from './known-client.ts';
import { unfoldPushed } from './push-authorization.ts';

/** What the browser at the authorization endpoint is answered. Nothing was written to decide it. */
export type AuthorizationAnswer =
  /** Go on to the console, with everything in a sealed one-use handle. */
  | { kind: 'continue'; location: string }
  /** Tell the client, where its redirect can be trusted with an error. */
  | { kind: 'redirect'; location: string }
  /** Tell the person only. `invalid_client` makes a client that asks for JSON register again. */
  | { kind: 'page'; error: OAuthErrorCode; title: string; description: string; tombstone: boolean };

/** A client that registered this recently started its own clock then; seconds. */
const freshRegistrationSeconds = 120;

/** First sight of an authorize URL, so that a reload does not restart the client's clock. Memory only, bounded. */
const firstSeen = new Map<string, number>();
const maxFirstSeen = 20_000;

/**
 * The authorization endpoint (RFC 6749 §3.1, RFC 9700 §2.1): checks the request in an order in which nobody is
 * redirected anywhere a person has not reason to go, and hands the browser on to the console. Reads only; every GET
 * of one URL gives the same answer.
 */
export async function beginAuthorization(
  ctx: Ctx & { vault: Vault },
  query: string,
): Promise<AuthorizationAnswer> {
  const asked = readAuthorizationRequest(query);
  if (!asked.ok) return page(ctx, asked.error);
  const parameters = unfoldPushed(ctx, asked.value);
  if (!parameters.ok) return page(ctx, parameters.error);
  const judged = await judgeAuthorization(ctx, parameters.value);
  if (!judged.ok) {
    const fault = judged.error;
    if (fault.tells === 'client') return refuseRequest(ctx, fault);
    return 'tombstone' in fault ? tombstone(ctx, fault.tombstone) : page(ctx, fault);
  }
  const { client, request, resource } = judged.value;
  const { redirectUri, codeChallenge, state } = request;
  const now = ctx.clock.now();
  const sealed = sealHandle(ctx.vault, {
    clientId: client.id,
    redirectUri,
    codeChallenge,
    state,
    resource,
    scope: (parameters.value.values.get('scope') ?? '').slice(0, 500),
    firstSeenAt: firstSeenAt(client, sha256(`${client.id} ${redirectUri} ${codeChallenge} ${state}`), now),
    issuedAt: now,
    address: ctx.address,
    device: null,
  });
  return { kind: 'continue', location: consoleUrl(ctx.site, `/claim?handle=${sealed}`) };
}

/** A fresh registration is when the client's clock started; else the first time anybody opened this very URL. */
function firstSeenAt(client: KnownClient, key: string, now: Date): Date {
  if (client.kind === 'dynamic' && client.registeredAt) {
    const age = now.getTime() - client.registeredAt.getTime();
    if (age >= 0 && age < freshRegistrationSeconds * 1000) return client.registeredAt;
  }
  const known = firstSeen.get(key);
  if (known !== undefined && known <= now.getTime()) return new Date(known);
  const oldest = firstSeen.keys().next();
  if (firstSeen.size >= maxFirstSeen && !oldest.done) firstSeen.delete(oldest.value);
  firstSeen.set(key, now.getTime());
  return now;
}

/**
 * A faulty request from a known client with a matching redirect. Clients nobody has approved must not turn this
 * endpoint into an open redirector (RFC 9700 §4.11.2): their people read the error here. A loopback redirect leads to
 * the person's own machine and is always told.
 */
async function refuseRequest(
  ctx: Ctx,
  fault: Extract<RequestFault, { tells: 'client' }>,
): Promise<AuthorizationAnswer> {
  noteAnonymousRefusal(ctx, 'authorize', fault.error);
  const { client, redirectUri, error, description, state } = fault;
  const isTrusted =
    describeRedirect(redirectUri).place === 'this computer' ||
    (await ctx.db.prisma.instance.findFirst({
      where: { clientId: client.id, state: 'active' },
      select: { id: true },
    })) !== null;
  if (!isTrusted) {
    return {
      kind: 'page',
      error,
      title: 'This sign-in request is faulty',
      description: toSentence(description),
      tombstone: false,
    };
  }
  const location = toErrorRedirect({ redirectUri, error, description, state, issuer: ctx.site.issuer });
  return { kind: 'redirect', location };
}

function page(ctx: Ctx, error: AuthorizationPageError): AuthorizationAnswer {
  noteAnonymousRefusal(ctx, 'authorize', error.error);
  return {
    kind: 'page',
    error: error.error,
    title:
      error.error === 'invalid_client' ? 'This client is not known here' : 'This sign-in request is faulty',
    description: toSentence(error.description),
    tombstone: false,
  };
}

function toSentence(description: string): string {
  return /[.!?]$/.test(description) ? description : `${description}.`;
}

function tombstone(ctx: Ctx, client: KnownClient): AuthorizationAnswer {
  noteAnonymousRefusal(ctx, 'authorize', 'forgotten client');
  const because = forgottenBecause[client.forgottenCause ?? 'forgotten'];
  return {
    kind: 'page',
    error: 'invalid_client',
    title: 'This client is no longer registered',
    description: `${because} Remove its stored sign-in from your client and connect again: it will then register anew.`,
    tombstone: true,
  };
}
