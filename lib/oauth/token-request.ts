import type { GrantType } from '#lib/oauth/client-metadata.ts';
import { deviceCodeGrant } from '#lib/oauth/device-grant.ts';
import { type OAuthErrorAnswer, oauthError } from '#lib/oauth/oauth-error.ts';
import {
  describeParametersReason,
  FORM_MEDIA_TYPE,
  isMediaType,
  type Parameters,
  readParameters,
} from '#lib/oauth/parameters.ts';
import { isCodeVerifier } from '#lib/oauth/pkce.ts';
import { parseResource } from '#lib/oauth/resource.ts';
import { type RequestedScope, readRequestedScope } from '#lib/oauth/scope.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';

/** A token request of a grant this server implements, checked in form. */
export type TokenRequest =
  | {
      grantType: 'authorization_code';
      code: string;
      codeVerifier: string;
      redirectUri: string | null;
      resource: string | null;
    }
  | {
      grantType: 'refresh_token';
      refreshToken: string;
      scope: RequestedScope | null;
      resource: string | null;
    }
  | { grantType: 'client_credentials'; scope: RequestedScope; resource: string | null }
  | { grantType: typeof deviceCodeGrant; deviceCode: string; resource: string | null };

/** Largest body of a token, revocation or introspection request; an assertion takes most of it. */
export const MAX_TOKEN_REQUEST_BYTES = 16_384;
/** Our codes and refresh tokens are far shorter. */
const MAX_CREDENTIAL_LENGTH = 1_024;
const MAX_TOKEN_LENGTH = 8_192;

/** Parameters that must never travel in a URL, where servers, proxies and histories keep them (RFC 6749 §2.3.1). */
const BODY_ONLY: ReadonlySet<string> = new Set([
  'grant_type',
  'code',
  'code_verifier',
  'redirect_uri',
  'refresh_token',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'token',
  'token_type_hint',
  'assertion',
  'subject_token',
  'actor_token',
  'device_code',
  'scope',
  'resource',
]);

/**
 * Reads the form body of a token, revocation or introspection request: the exact media type, nothing that belongs
 * into the body in the query, and every parameter once (RFC 6749 §3.2).
 */
export function readFormRequest(request: {
  contentType: string | null | undefined;
  query: string;
  body: string;
}): Result<Parameters, OAuthErrorAnswer> {
  if (!isMediaType(request.contentType, FORM_MEDIA_TYPE)) {
    return err(oauthError('invalid_request', `Content-Type must be ${FORM_MEDIA_TYPE}`, { status: 415 }));
  }
  const query = readParameters(request.query.replace(/^\?/, ''));
  if (!query.ok) return err(oauthError('invalid_request', describeParametersReason(query.error)));
  for (const name of [...query.value.values.keys(), ...query.value.repeated]) {
    if (BODY_ONLY.has(name)) return err(oauthError('invalid_request', `${name} must be sent in the body`));
  }
  const body = readParameters(request.body, { maxBytes: MAX_TOKEN_REQUEST_BYTES });
  if (!body.ok) {
    const status = body.error.reason === 'too-long' ? 413 : 400;
    return err(oauthError('invalid_request', describeParametersReason(body.error), { status }));
  }
  const [twice] = body.value.repeated;
  if (twice === 'resource') return err(oauthError('invalid_target', 'one resource at a time'));
  if (twice !== undefined) {
    const name = BODY_ONLY.has(twice) ? twice : 'a parameter';
    return err(oauthError('invalid_request', `${name} appears more than once`));
  }
  return ok(body.value.values);
}

/**
 * Parses a token request (RFC 6749 §4.1.3, §4.4.2, §6; RFC 7636 §4.5; RFC 8707 §2.2) of a grant this deployment
 * offers. Not checked: who the client is, whether the code or token exists, and which tools are approved.
 */
export function parseTokenRequest(
  form: Parameters,
  offered: readonly GrantType[],
): Result<TokenRequest, OAuthErrorAnswer> {
  const grantType = form.get('grant_type');
  if (grantType === undefined) return refuse('grant_type is missing');
  if (!offered.some((grant) => grant === grantType)) {
    return err(oauthError('unsupported_grant_type', 'grant_type is not one this server offers'));
  }
  const resource = form.get('resource') ?? null;
  if (resource !== null && !parseResource(resource).ok) {
    return err(
      oauthError('invalid_target', 'resource is not an absolute http or https URI without fragment'),
    );
  }
  switch (grantType) {
    case 'authorization_code':
      return parseCodeGrant(form, resource);
    case 'refresh_token': {
      const refreshToken = form.get('refresh_token');
      if (refreshToken === undefined) return refuse('refresh_token is missing');
      if (refreshToken.length > MAX_CREDENTIAL_LENGTH) {
        return err(oauthError('invalid_grant', 'the refresh token is not valid'));
      }
      const scope = form.get('scope');
      return ok({
        grantType,
        refreshToken,
        scope: scope === undefined ? null : readRequestedScope(scope),
        resource,
      });
    }
    case deviceCodeGrant: {
      const deviceCode = form.get('device_code');
      if (deviceCode === undefined) return refuse('device_code is missing');
      // Ours have the form of a verifier; anything else is worth no look-up.
      if (!isCodeVerifier(deviceCode)) {
        return err(oauthError('invalid_grant', 'the device code is not valid'));
      }
      return ok({ grantType: deviceCodeGrant, deviceCode, resource });
    }
    case 'client_credentials':
      return ok({ grantType, scope: readRequestedScope(form.get('scope')), resource });
    default:
      return err(oauthError('unsupported_grant_type', 'grant_type is not one this server offers'));
  }
}

function parseCodeGrant(form: Parameters, resource: string | null): Result<TokenRequest, OAuthErrorAnswer> {
  const code = form.get('code');
  const codeVerifier = form.get('code_verifier');
  if (code === undefined) return refuse('code is missing');
  if (codeVerifier === undefined) return refuse('code_verifier is missing');
  if (code.length > MAX_CREDENTIAL_LENGTH) return err(oauthError('invalid_grant', 'the code is not valid'));
  // A verifier of the wrong form cannot match (RFC 7636 §4.6), and is not worth a look-up.
  if (!isCodeVerifier(codeVerifier)) {
    return err(oauthError('invalid_grant', 'code_verifier does not belong to the code'));
  }
  const redirectUri = form.get('redirect_uri') ?? null;
  return ok({ grantType: 'authorization_code', code, codeVerifier, redirectUri, resource });
}

/** A revocation (RFC 7009 §2.1) or introspection (RFC 7662 §2.1) request. The hint is only a hint. */
export type TokenManagementRequest = {
  token: string;
  tokenTypeHint: 'access_token' | 'refresh_token' | null;
};

/** Parses a revocation or introspection request. A token too long to be ours is kept: it is simply unknown. */
export function parseTokenManagementRequest(
  form: Parameters,
): Result<TokenManagementRequest, OAuthErrorAnswer> {
  const token = form.get('token');
  if (token === undefined) return refuse('token is missing');
  const hint = form.get('token_type_hint');
  return ok({
    token: token.slice(0, MAX_TOKEN_LENGTH),
    tokenTypeHint: hint === 'access_token' || hint === 'refresh_token' ? hint : null,
  });
}

function refuse(description: string) {
  return err(oauthError('invalid_request', description));
}
