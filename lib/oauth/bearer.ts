import { toErrorText } from '#lib/oauth/oauth-error.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';

export type BearerProblem = 'absent' | 'other-scheme' | 'malformed';

const MAX_BEARER_LENGTH = 16_384;

/** The token of an `Authorization: Bearer` header (RFC 6750 §2.1); never from a query or a form. */
export function parseBearer(authorization: string | null | undefined): Result<string, BearerProblem> {
  if (authorization == null || authorization === '') return err('absent');
  if (authorization.length > MAX_BEARER_LENGTH) return err('malformed');
  const split = /^([A-Za-z][A-Za-z0-9-]*)(?: +(.*))?$/s.exec(authorization);
  if (split === null) return err('malformed');
  if (split[1]?.toLowerCase() !== 'bearer') return err('other-scheme');
  return /^[A-Za-z0-9\-._~+/]+=*$/.test(split[2] ?? '') ? ok(split[2] as string) : err('malformed');
}

export type BearerChallenge = {
  /** Left out when the request carried no token at all (RFC 6750 §3.1). */
  error?: 'invalid_request' | 'invalid_token' | 'insufficient_scope';
  description?: string;
  /** All scopes the operation needs, at once: some clients ask for exactly these and lose the others. */
  scope?: string;
  /** Where the protected resource describes itself (RFC 9728 §5.1). */
  resourceMetadata?: string;
};

/**
 * A WWW-Authenticate value with a single Bearer challenge (RFC 6750 §3); clients read only the first scheme.
 * `resource_metadata` comes first, where clients that cut long headers still find it.
 */
export function toBearerChallenge(challenge: BearerChallenge): string {
  const parameters = [
    ['resource_metadata', challenge.resourceMetadata],
    ['error', challenge.error],
    [
      'error_description',
      challenge.description === undefined ? undefined : toErrorText(challenge.description),
    ],
    ['scope', challenge.scope],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${toQuoted(value)}"`]));
  return parameters.length === 0 ? 'Bearer' : `Bearer ${parameters.join(', ')}`;
}

/** No character that ends a quoted string or a header line. */
function toQuoted(text: string): string {
  return text.replace(/[^\x20-\x7e]|["\\]/gu, '');
}
