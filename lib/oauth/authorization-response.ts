import { type OAuthErrorCode, toErrorText } from '#lib/oauth/oauth-error.ts';

/** Where the browser goes with a code (RFC 6749 §4.1.2); `iss` against mix-up (RFC 9207). Answer with status 303. */
export function toCodeRedirect(answer: {
  redirectUri: string;
  code: string;
  state: string | null;
  issuer: string;
}): string {
  return appendToQuery(answer.redirectUri, [
    ['code', answer.code],
    ['state', answer.state],
    ['iss', answer.issuer],
  ]);
}

/**
 * Where the browser goes without a code (RFC 6749 §4.1.2.1); `iss` on errors too (RFC 9207 §2). The description is
 * what the person at the client will read.
 */
export function toErrorRedirect(answer: {
  redirectUri: string;
  error: OAuthErrorCode;
  description?: string;
  errorUri?: string;
  state: string | null;
  issuer: string;
}): string {
  return appendToQuery(answer.redirectUri, [
    ['error', answer.error],
    ['error_description', answer.description === undefined ? null : toErrorText(answer.description)],
    ['error_uri', answer.errorUri ?? null],
    ['state', answer.state],
    ['iss', answer.issuer],
  ]);
}

/** The registered text stays as it is, to the byte; our parameters follow it (RFC 6749 §3.1.2). */
function appendToQuery(
  redirectUri: string,
  parameters: readonly (readonly [string, string | null])[],
): string {
  const query = new URLSearchParams();
  for (const [name, value] of parameters) if (value !== null) query.append(name, value);
  const joint = redirectUri.includes('?') ? (/[?&]$/.test(redirectUri) ? '' : '&') : '?';
  return `${redirectUri}${joint}${query}`;
}
