import type { TokenEndpointAuthMethod } from '#lib/oauth/client-metadata.ts';
import { type OAuthErrorAnswer, oauthError } from '#lib/oauth/oauth-error.ts';
import { decodeFormText, type Parameters } from '#lib/oauth/parameters.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';

/** What a request presented to say which client it is. Nothing here has been verified. */
export type PresentedClient =
  | { method: 'none'; clientId: string }
  | { method: 'client_secret_basic'; clientId: string; clientSecret: string }
  | { method: 'client_secret_post'; clientId: string; clientSecret: string }
  /** The client_id is the one beside the assertion, or null: then the assertion's subject names the client. */
  | { method: 'private_key_jwt'; clientId: string | null; assertion: string };

export type ClientAuthenticationReason =
  | { reason: 'client-missing' }
  | { reason: 'several-methods' }
  | { reason: 'malformed-authorization' }
  | { reason: 'unknown-scheme' }
  | { reason: 'client-id-mismatch' }
  | { reason: 'assertion-type-unsupported' }
  | { reason: 'assertion-incomplete' }
  | { reason: 'method-not-registered'; usedAuthorizationHeader: boolean };

/** RFC 7523 §2.2. */
export const JWT_BEARER_ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

const MAX_AUTHORIZATION_LENGTH = 4_096;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Finds the one way a request says which client it is (RFC 6749 §2.3, RFC 7521 §4.2). Two ways at once are refused
 * (RFC 6749 §2.3: "MUST NOT use more than one"), except that a client_id beside Basic credentials may repeat theirs.
 */
export function readClientAuthentication(
  authorization: string | null | undefined,
  form: Parameters,
): Result<PresentedClient, ClientAuthenticationReason> {
  const clientId = form.get('client_id');
  const postedSecret = form.get('client_secret');
  const assertion = form.get('client_assertion');
  const assertionType = form.get('client_assertion_type');
  const usesHeader = authorization != null && authorization !== '';
  const usesAssertion = assertion !== undefined || assertionType !== undefined;
  if ([usesHeader, postedSecret !== undefined, usesAssertion].filter(Boolean).length > 1) {
    return err({ reason: 'several-methods' });
  }
  if (usesHeader) {
    const basic = parseBasic(authorization);
    if (!basic.ok) return basic;
    if (clientId !== undefined && clientId !== basic.value.clientId)
      return err({ reason: 'client-id-mismatch' });
    return ok({ method: 'client_secret_basic', ...basic.value });
  }
  if (usesAssertion) {
    if (assertionType !== JWT_BEARER_ASSERTION_TYPE) return err({ reason: 'assertion-type-unsupported' });
    if (assertion === undefined) return err({ reason: 'assertion-incomplete' });
    return ok({ method: 'private_key_jwt', clientId: clientId ?? null, assertion });
  }
  if (clientId === undefined) return err({ reason: 'client-missing' });
  if (postedSecret !== undefined) {
    return ok({ method: 'client_secret_post', clientId, clientSecret: postedSecret });
  }
  return ok({ method: 'none', clientId });
}

/**
 * Whether the client used the method it registered, and no other: a public client that sends a secret, or a
 * confidential one that sends none, is not the client it says it is.
 */
export function requireRegisteredMethod(
  presented: PresentedClient,
  registered: TokenEndpointAuthMethod,
): Result<PresentedClient, ClientAuthenticationReason> {
  if (presented.method === registered) return ok(presented);
  return err({
    reason: 'method-not-registered',
    usedAuthorizationHeader: presented.method === 'client_secret_basic',
  });
}

/** The answer to failed client authentication (RFC 6749 §5.2): a Basic challenge when the header was used. */
export function toClientAuthenticationError(reason: ClientAuthenticationReason): OAuthErrorAnswer {
  switch (reason.reason) {
    case 'client-missing':
      return oauthError('invalid_client', 'the request does not say which client it comes from');
    case 'several-methods':
      return oauthError('invalid_request', 'the client authenticates in more than one way');
    case 'client-id-mismatch':
      return oauthError('invalid_request', 'client_id differs from the one in the Authorization header');
    case 'malformed-authorization':
      return oauthError('invalid_client', 'the Authorization header is malformed', { challenge: 'Basic' });
    case 'unknown-scheme':
      return oauthError('invalid_client', 'the Authorization scheme is not supported', {
        challenge: 'Basic',
      });
    case 'assertion-type-unsupported':
      return oauthError('invalid_client', 'client_assertion_type is not supported');
    case 'assertion-incomplete':
      return oauthError('invalid_request', 'client_assertion is missing');
    case 'method-not-registered':
      return oauthError(
        'invalid_client',
        'the client did not authenticate the way it registered',
        reason.usedAuthorizationHeader ? { challenge: 'Basic' } : {},
      );
  }
}

/** RFC 7617 §2 and RFC 6749 §2.3.1: both halves are form-encoded before they are joined and base64-encoded. */
function parseBasic(
  authorization: string,
): Result<{ clientId: string; clientSecret: string }, ClientAuthenticationReason> {
  if (authorization.length > MAX_AUTHORIZATION_LENGTH) return err({ reason: 'malformed-authorization' });
  const split = /^([A-Za-z][A-Za-z0-9-]*)(?: +(\S*))?$/.exec(authorization);
  if (split === null) return err({ reason: 'malformed-authorization' });
  if (split[1]?.toLowerCase() !== 'basic') return err({ reason: 'unknown-scheme' });
  const token = split[2] ?? '';
  if (token === '' || !BASE64.test(token)) return err({ reason: 'malformed-authorization' });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(token, 'base64'));
  } catch {
    return err({ reason: 'malformed-authorization' });
  }
  const colon = text.indexOf(':');
  if (colon < 1) return err({ reason: 'malformed-authorization' });
  const clientId = decodeFormText(text.slice(0, colon));
  const clientSecret = decodeFormText(text.slice(colon + 1));
  // An empty secret is no authentication; a control character never came from us.
  if (!clientId || !clientSecret || /\p{Cc}/u.test(clientId + clientSecret)) {
    return err({ reason: 'malformed-authorization' });
  }
  return ok({ clientId, clientSecret });
}
