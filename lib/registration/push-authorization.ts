import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import {
  authenticateClient,
  presentedClientId,
  replayedAssertion,
  spendAssertion,
} from '#lib/credentials/authenticate-client.ts';
import { recallStanding } from '#lib/credentials/standing.ts';
import {
  type AuthorizationPageError,
  type AuthorizationParameters,
  readAuthorizationRequest,
} from '#lib/oauth/authorization-request.ts';
import {
  type PresentedClient,
  requireRegisteredMethod,
  toClientAuthenticationError,
} from '#lib/oauth/client-authentication.ts';
import type { TokenEndpointAuthMethod } from '#lib/oauth/client-metadata.ts';
import { type OAuthErrorAnswer, oauthError } from '#lib/oauth/oauth-error.ts';
import type { Parameters } from '#lib/oauth/parameters.ts';
import type { Vault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { judgeAuthorization } from './judge-authorization.ts';
import { findClient } from './known-client.ts';

/** How long a pushed request may be taken to the authorization endpoint, in seconds. Browsers are opened at once. */
export const pushedLifetimeSeconds = 90;

/** RFC 9126 §2.2. What follows is the request itself, sealed. */
const requestUriPrefix = 'urn:ietf:params:oauth:request_uri:';
const sealedAs = 'pushed authorization request v1';
/** Longest URN in characters: it has to fit, with a client_id, into what servers and proxies take as a request line. */
const maxRequestUriLength = 7_000;

/** The parameters of RFC 6749 §4.1.1 and its extensions this server reads; how a client proved itself is none of them. */
const carried = [
  'response_type',
  'response_mode',
  'redirect_uri',
  'state',
  'code_challenge',
  'code_challenge_method',
  'scope',
  'resource',
  'prompt',
  'request',
] as const;

export type PushedRequest = { requestUri: string; expiresInSeconds: number };

/**
 * A pushed authorization request (RFC 9126 §2): who sends it authenticates as at the token endpoint, and everything the
 * authorization endpoint would refuse is refused here. Nothing is stored. The request travels in its own URN, sealed, so
 * that pushing costs an unknown program nothing it could fill a table with; the person's browser may load it again for
 * as long as it lives, which is what reloading a page needs (RFC 9126 §4).
 */
export async function pushAuthorization(
  ctx: Ctx & { vault: Vault },
  presented: PresentedClient,
  form: Parameters,
): Promise<Result<PushedRequest, OAuthErrorAnswer>> {
  const refuse = (answer: OAuthErrorAnswer, reason: string = answer.body.error) => {
    noteAnonymousRefusal(ctx, 'push', reason);
    return err(answer);
  };
  if (form.has('request_uri')) return refuse(oauthError('invalid_request', 'request_uri cannot be pushed'));
  const clientId = presentedClientId(presented);
  const authenticated = clientId === null ? null : await authenticate(ctx, clientId, presented);
  if (clientId === null || authenticated === null) {
    return refuse(oauthError('invalid_client', 'This client is not known here. Register first.'));
  }
  if (!authenticated.ok) return refuse(authenticated.error);

  const query = new URLSearchParams({ client_id: clientId });
  for (const name of carried) {
    const value = form.get(name);
    if (value !== undefined) query.set(name, value);
  }
  const parameters = readAuthorizationRequest(query.toString());
  if (!parameters.ok) return refuse(oauthError(parameters.error.error, parameters.error.description));
  const judged = await judgeAuthorization(ctx, parameters.value);
  if (!judged.ok) {
    const fault = judged.error;
    if ('tombstone' in fault) {
      return refuse(oauthError('invalid_client', 'This client is no longer known here. Register again.'));
    }
    return refuse(oauthError(fault.error, fault.description));
  }
  const sealed = ctx.vault.seal(
    JSON.stringify({ clientId, query: query.toString(), at: ctx.clock.now().getTime() }),
    sealedAs,
  );
  const requestUri = `${requestUriPrefix}${sealed}`;
  if (requestUri.length > maxRequestUriLength) {
    return refuse(oauthError('invalid_request', 'The request is too large to be pushed.', { status: 413 }));
  }
  return ok({ requestUri, expiresInSeconds: pushedLifetimeSeconds });
}

/** As at the token endpoint, except that a metadata document nobody has asked for yet may push as well. */
async function authenticate(
  ctx: Ctx,
  clientId: string,
  presented: PresentedClient,
): Promise<Result<null, OAuthErrorAnswer> | null> {
  if (presented.method === 'none') {
    const found = await findClient(ctx, clientId);
    if (!found.found) {
      return found.because === 'document' ? err(oauthError('invalid_client', found.description)) : null;
    }
    const method = found.client.tokenEndpointAuthMethod as TokenEndpointAuthMethod;
    const asRegistered = requireRegisteredMethod(presented, method);
    return asRegistered.ok ? ok(null) : err(toClientAuthenticationError(asRegistered.error));
  }
  const standing = await recallStanding(ctx, clientId);
  const authenticated = await authenticateClient(ctx, standing, presented);
  const refusal = authenticated.ok
    ? (await spendAssertion(ctx, authenticated.value.spend))
      ? null
      : replayedAssertion
    : authenticated.error;
  if (!refusal) return ok(null);
  return err(
    oauthError(refusal.code, refusal.description, refusal.challenge ? { challenge: refusal.challenge } : {}),
  );
}

/**
 * The parameters of an authorization request: its own, or those pushed before when it carries our URN. Then nothing
 * beside it counts (RFC 9101 §6.3): two sets of parameters would be two requests. Any other request_uri stays in the
 * parameters, where it is refused; none is ever fetched.
 */
export function unfoldPushed(
  ctx: Pick<Ctx, 'clock'> & { vault: Vault },
  parameters: AuthorizationParameters,
): Result<AuthorizationParameters, AuthorizationPageError> {
  const requestUri = parameters.values.get('request_uri');
  if (!requestUri?.startsWith(requestUriPrefix)) return ok(parameters);
  const refuse = (description: string) => err({ error: 'invalid_request_uri' as const, description });
  let pushed: { clientId: string; query: string; at: number };
  try {
    pushed = JSON.parse(ctx.vault.open(requestUri.slice(requestUriPrefix.length), sealedAs));
  } catch {
    return refuse('This sign-in request is not one that was pushed here');
  }
  if (pushed.clientId !== parameters.clientId) return refuse('This sign-in request is of another client');
  const ageMs = ctx.clock.now().getTime() - pushed.at;
  if (ageMs > pushedLifetimeSeconds * 1000 || ageMs < -60_000) {
    return refuse('This sign-in request has expired. Start the sign-in again from your client');
  }
  return readAuthorizationRequest(pushed.query);
}
