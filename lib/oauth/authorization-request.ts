import type { OAuthErrorCode } from '#lib/oauth/oauth-error.ts';
import { describeParametersReason, type ReadParameters, readParameters } from '#lib/oauth/parameters.ts';
import { isCodeChallenge } from '#lib/oauth/pkce.ts';
import { findRegisteredRedirectUri } from '#lib/oauth/redirect-uri.ts';
import { parseResource } from '#lib/oauth/resource.ts';
import { type RequestedScope, readRequestedScope } from '#lib/oauth/scope.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';

/**
 * An authorization request is judged in three steps, because who may be told of an error changes on the way:
 * `readAuthorizationRequest` (no client known: error page), `resolveRedirectUri` (client known, redirect not:
 * still an error page, never a redirect), `checkAuthorizationRequest` (redirect known: error goes to the client).
 */
export type AuthorizationParameters = ReadParameters & { clientId: string };

/** An error only the person in the browser may see: there is nowhere safe to send it. */
export type AuthorizationPageError = { error: OAuthErrorCode; description: string };

/** An error the client is told through its redirect URI. `state` is null when the request's own was unusable. */
export type AuthorizationRedirectError = { error: OAuthErrorCode; description: string; state: string | null };

/** A request that may be claimed, continued or refused on its merits. */
export type AuthorizationRequest = {
  clientId: string;
  /** With the port of the listener that waits now. */
  redirectUri: string;
  /** The registered URI it matched. */
  registeredRedirectUri: string;
  state: string | null;
  codeChallenge: string;
  scope: RequestedScope;
  /** Well-formed and not yet looked up; null when the client named none. */
  resource: string | null;
};

/** Longest state echoed, in bytes. Clients keep a random token in it, some a small JSON. */
const MAX_STATE_BYTES = 2_048;
const MAX_CLIENT_ID_LENGTH = 2_000;
/** Printable ASCII (RFC 6749 appendix A.1). */
const CLIENT_ID = /^[\x20-\x7e]+$/;

/** Step one: decode the query and find the client_id (RFC 6749 §4.1.1). Repetition of it leaves nobody to ask about. */
export function readAuthorizationRequest(
  query: string,
): Result<AuthorizationParameters, AuthorizationPageError> {
  const read = readParameters(query);
  if (!read.ok) return pageError('invalid_request', describeParametersReason(read.error));
  const { values, repeated } = read.value;
  if (repeated.has('client_id')) return pageError('invalid_request', 'client_id appears more than once');
  const clientId = values.get('client_id');
  if (clientId === undefined) return pageError('invalid_request', 'client_id is missing');
  if (clientId.length > MAX_CLIENT_ID_LENGTH || !CLIENT_ID.test(clientId)) {
    return pageError('invalid_request', 'client_id is not valid');
  }
  const state = values.get('state');
  if (state !== undefined && Buffer.byteLength(state, 'utf8') > MAX_STATE_BYTES) {
    return pageError('invalid_request', `state is longer than ${MAX_STATE_BYTES} bytes`);
  }
  return ok({ values, repeated, clientId });
}

/**
 * Step two: where the answer would go. Compared with what the client registered; it may be left out only when there
 * is a single candidate that needs no port (RFC 6749 §3.1.2.3).
 */
export function resolveRedirectUri(
  parameters: AuthorizationParameters,
  registeredRedirectUris: readonly string[],
): Result<{ redirectUri: string; registeredRedirectUri: string }, AuthorizationPageError> {
  if (parameters.repeated.has('redirect_uri')) {
    return pageError('invalid_request', 'redirect_uri appears more than once');
  }
  const requested = parameters.values.get('redirect_uri');
  if (requested === undefined) {
    const only = registeredRedirectUris.length === 1 ? registeredRedirectUris[0] : undefined;
    if (only === undefined) return pageError('invalid_request', 'redirect_uri is missing');
    return ok({ redirectUri: only, registeredRedirectUri: only });
  }
  const registered = findRegisteredRedirectUri(registeredRedirectUris, requested);
  if (registered === null) {
    return pageError('invalid_request', 'redirect_uri is not one of those this client registered');
  }
  return ok({ redirectUri: requested, registeredRedirectUri: registered });
}

/**
 * Step three: everything else, in the order of RFC 6749 §4.1.1, RFC 7636 §4.4.1, RFC 8707 §2. PKCE with S256 is
 * required of every client (RFC 9700 §2.1.1); a missing method would mean `plain` and is refused as such.
 * Not checked here: whether the resource exists, and everything about the client's state.
 */
export function checkAuthorizationRequest(
  parameters: AuthorizationParameters,
  redirect: { redirectUri: string; registeredRedirectUri: string },
): Result<AuthorizationRequest, AuthorizationRedirectError> {
  const { values, repeated } = parameters;
  const state = values.get('state') ?? null;
  const refuse = (error: OAuthErrorCode, description: string) => err({ error, description, state });

  const [twice] = [...repeated].filter((name) => name !== 'resource');
  if (twice !== undefined)
    return refuse('invalid_request', `${nameForDescription(twice)} appears more than once`);
  if (repeated.has('resource')) return refuse('invalid_target', 'one resource at a time');
  if (values.has('request')) return refuse('request_not_supported', 'request objects are not supported');
  if (values.has('request_uri')) return refuse('request_uri_not_supported', 'request_uri is not supported');

  const responseType = values.get('response_type');
  if (responseType === undefined) return refuse('invalid_request', 'response_type is missing');
  if (responseType !== 'code') return refuse('unsupported_response_type', 'response_type must be code');
  const responseMode = values.get('response_mode');
  if (responseMode !== undefined && responseMode !== 'query') {
    return refuse('invalid_request', 'response_mode must be query');
  }

  const codeChallenge = values.get('code_challenge');
  if (codeChallenge === undefined)
    return refuse('invalid_request', 'code_challenge is missing: PKCE is required');
  if (values.get('code_challenge_method') !== 'S256') {
    return refuse('invalid_request', 'code_challenge_method must be S256');
  }
  if (!isCodeChallenge(codeChallenge)) {
    return refuse('invalid_request', 'code_challenge is not the base64url SHA-256 of a verifier');
  }

  const requestedResource = values.get('resource');
  if (requestedResource !== undefined && !parseResource(requestedResource).ok) {
    return refuse('invalid_target', 'resource is not an absolute http or https URI without fragment');
  }
  if (values.get('prompt')?.split(' ').includes('none')) {
    return refuse('interaction_required', 'a person has to be present');
  }
  return ok({
    clientId: parameters.clientId,
    ...redirect,
    state,
    codeChallenge,
    scope: readRequestedScope(values.get('scope')),
    resource: requestedResource ?? null,
  });
}

/** Only names a request of this kind has are repeated back; anything else stays the sender's secret. */
function nameForDescription(name: string): string {
  return /^[a-z_]{1,40}$/.test(name) ? name : 'a parameter';
}

function pageError(error: OAuthErrorCode, description: string) {
  return err({ error, description });
}
