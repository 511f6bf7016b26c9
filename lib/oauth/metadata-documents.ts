import type { GrantType, TokenEndpointAuthMethod } from '#lib/oauth/client-metadata.ts';
import { ASSERTION_ALGORITHMS } from '#lib/oauth/jwks.ts';
import { BASE_SCOPE } from '#lib/oauth/scope.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';

/** What this deployment has switched on. Only what is named here is published. */
export type AuthorizationServerFeatures = {
  issuer: string;
  endpoints: {
    authorization: string;
    token: string;
    jwks: string;
    registration?: string;
    revocation?: string;
    introspection?: string;
    pushedAuthorizationRequest?: string;
    deviceAuthorization?: string;
  };
  grantTypes: readonly GrantType[];
  authMethods: readonly TokenEndpointAuthMethod[];
  clientIdMetadataDocuments: boolean;
  /** A page for developers, if there is one. */
  serviceDocumentation?: string;
};

export type IssuerProblem = 'not-a-url' | 'not-https' | 'not-normal' | 'query-or-fragment' | 'trailing-slash';

/**
 * Judges an issuer identifier (RFC 8414 §2): an https URL without query or fragment; http only on loopback. Clients
 * compare it byte for byte, so it must be in normal form and without trailing slash.
 */
export function parseIssuer(text: string): Result<URL, IssuerProblem> {
  const url = /^[\x21-\x7e]+$/.test(text) ? URL.parse(text) : null;
  if (url === null) return err('not-a-url');
  const isLoopback = url.hostname === 'localhost' || url.hostname === '127.0.0.1' || url.hostname === '[::1]';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) return err('not-https');
  if (url.username !== '' || url.password !== '') return err('not-normal');
  if (/[?#]/.test(text)) return err('query-or-fragment');
  if (text.endsWith('/')) return err('trailing-slash');
  if (url.href !== text && url.href !== `${text}/`) return err('not-normal');
  return ok(url);
}

/**
 * Authorization server metadata (RFC 8414 §2, RFC 9207 §3, draft-ietf-oauth-client-id-metadata-document §5).
 * Throws TypeError for an endpoint that is not a plain http(s) URL: some clients hand it to a shell.
 * `offline_access` is left out of the scopes on purpose: SDKs that see it ask for consent on every sign-in.
 */
export function toAuthorizationServerMetadata(
  features: AuthorizationServerFeatures,
): Record<string, unknown> {
  const { endpoints, authMethods } = features;
  for (const endpoint of Object.values(endpoints)) requirePlainUrl(endpoint);
  const signsAssertions = authMethods.includes('private_key_jwt');
  const endpointAuth = {
    methods: authMethods,
    // RFC 8414 §2: required whenever private_key_jwt is among the methods.
    ...(signsAssertions ? { algorithms: [...ASSERTION_ALGORITHMS] } : {}),
  };
  return {
    issuer: features.issuer,
    authorization_endpoint: endpoints.authorization,
    token_endpoint: endpoints.token,
    ...optional('registration_endpoint', endpoints.registration),
    ...optional('revocation_endpoint', endpoints.revocation),
    ...optional('introspection_endpoint', endpoints.introspection),
    ...optional('pushed_authorization_request_endpoint', endpoints.pushedAuthorizationRequest),
    ...optional('device_authorization_endpoint', endpoints.deviceAuthorization),
    jwks_uri: endpoints.jwks,
    scopes_supported: [BASE_SCOPE],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: [...features.grantTypes],
    ...authMetadata('token_endpoint', endpointAuth),
    ...(endpoints.revocation === undefined ? {} : authMetadata('revocation_endpoint', endpointAuth)),
    ...(endpoints.introspection === undefined
      ? {}
      : authMetadata('introspection_endpoint', {
          ...endpointAuth,
          // RFC 7662 §2.1: callers prove themselves.
          methods: authMethods.filter((method) => method !== 'none'),
        })),
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: features.clientIdMetadataDocuments,
    ...optional('service_documentation', features.serviceDocumentation),
  };
}

/**
 * The same in the form of OpenID Connect Discovery 1.0 §3, for clients that only look there. The two members that
 * specification requires are present because SDK schemas insist on them; no ID token is ever issued.
 */
export function toOpenIdConfiguration(features: AuthorizationServerFeatures): Record<string, unknown> {
  return {
    ...toAuthorizationServerMetadata(features),
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}

/**
 * Paths under which clients look for the two documents, in the order they try: with the issuer's path inserted
 * (RFC 8414 §3.1), appended (OpenID Connect Discovery 1.0 §4), or absent.
 */
export function metadataPaths(issuer: string): { authorizationServer: string[]; openId: string[] } {
  const path = new URL(issuer).pathname.replace(/\/$/, '');
  return {
    authorizationServer: [`/.well-known/oauth-authorization-server${path}`],
    openId:
      path === ''
        ? ['/.well-known/openid-configuration']
        : [`/.well-known/openid-configuration${path}`, `${path}/.well-known/openid-configuration`],
  };
}

function authMetadata(endpoint: string, auth: { methods: readonly string[]; algorithms?: string[] }) {
  return {
    [`${endpoint}_auth_methods_supported`]: [...auth.methods],
    ...(auth.algorithms === undefined
      ? {}
      : { [`${endpoint}_auth_signing_alg_values_supported`]: auth.algorithms }),
  };
}

function requirePlainUrl(text: string | undefined): void {
  if (text === undefined) return;
  if (
    !/^https?:\/\/[A-Za-z0-9.\-_~:[\]]+(?:\/[A-Za-z0-9.\-_~%/]*)?$/.test(text) ||
    URL.parse(text) === null
  ) {
    throw new TypeError('an endpoint is not a plain URL');
  }
}

function optional(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}
