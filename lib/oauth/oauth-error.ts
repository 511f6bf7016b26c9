/**
 * Every error code this server answers with, its HTTP status, and where it comes from. The code decides how real
 * clients react (forget the client, open a browser, keep waiting), so it is chosen by state and never by taste.
 */
const STATUS_OF = {
  // RFC 6749 §4.1.2.1 and §5.2
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  invalid_scope: 400,
  access_denied: 400,
  server_error: 500,
  temporarily_unavailable: 503,
  // RFC 6750 §3.1
  invalid_token: 401,
  insufficient_scope: 403,
  // RFC 7009 §2.2.1
  unsupported_token_type: 400,
  // RFC 7591 §3.2.2
  invalid_redirect_uri: 400,
  invalid_client_metadata: 400,
  invalid_software_statement: 400,
  unapproved_software_statement: 400,
  // RFC 8628 §3.5
  authorization_pending: 400,
  slow_down: 400,
  expired_token: 400,
  // RFC 8707 §2
  invalid_target: 400,
  // RFC 9101 §6.2, OpenID Connect Core 1.0 §3.1.2.6
  invalid_request_object: 400,
  invalid_request_uri: 400,
  request_not_supported: 400,
  request_uri_not_supported: 400,
  interaction_required: 400,
  // RFC 9449 §5
  invalid_dpop_proof: 400,
  use_dpop_nonce: 400,
  // Used by registration endpoints in the wild for RFC 6585 §4
  too_many_requests: 429,
} as const;

export type OAuthErrorCode = keyof typeof STATUS_OF;

/** An error answer, independent of any web framework. */
export type OAuthErrorAnswer = {
  status: number;
  headers: Record<string, string>;
  body: { error: OAuthErrorCode; error_description?: string; error_uri?: string };
};

export type OAuthErrorOptions = {
  /** Where a person can read on or act; must come from configuration. */
  errorUri?: string;
  /** Overrides the code's own status: 413 and 415 go out as invalid_request, a metadata preflight as 400. */
  status?: number;
  /** Sent as Retry-After. */
  retryAfterSeconds?: number;
  /** The challenge to answer with when the client authenticated with the Authorization header (RFC 6749 §5.2). */
  challenge?: 'Basic' | 'DPoP';
};

/** Longest description: a sentence or two and a link. Clients print it on one line. */
const MAX_DESCRIPTION_LENGTH = 500;

/**
 * An OAuth error answer (RFC 6749 §5.2, RFC 7591 §3.2.2): JSON, never cached.
 * The description is for people; it never repeats what the sender sent unless the caller has made that inert.
 */
export function oauthError(
  code: OAuthErrorCode,
  description?: string,
  options: OAuthErrorOptions = {},
): OAuthErrorAnswer {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    pragma: 'no-cache',
  };
  if (options.retryAfterSeconds !== undefined) {
    headers['retry-after'] = String(Math.max(1, Math.ceil(options.retryAfterSeconds)));
  }
  if (options.challenge !== undefined) {
    headers['www-authenticate'] =
      options.challenge === 'Basic' ? 'Basic realm="token endpoint", charset="UTF-8"' : 'DPoP';
  }
  return {
    status: options.status ?? STATUS_OF[code],
    headers,
    body: {
      error: code,
      ...(description === undefined ? {} : { error_description: toErrorText(description) }),
      ...(options.errorUri === undefined ? {} : { error_uri: options.errorUri }),
    },
  };
}

/** The status a code is answered with unless something more specific applies. */
export function oauthErrorStatus(code: OAuthErrorCode): number {
  return STATUS_OF[code];
}

/**
 * Text an error_description may hold (RFC 6749 §5.2): printable ASCII without `"` and `\`. Quotes become single,
 * typographic dashes plain, anything else a question mark.
 */
export function toErrorText(text: string): string {
  return text
    .replace(/["“”]/g, "'")
    .replace(/[‘’]/g, "'")
    .replace(/[–—]/g, '-')
    .replace(/…/g, '...')
    .replace(/[^\x20-\x7e]|\\/gu, '?')
    .slice(0, MAX_DESCRIPTION_LENGTH);
}
