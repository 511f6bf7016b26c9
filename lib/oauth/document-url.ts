import { err, ok, type Result } from '#lib/platform/result.ts';

/** Why a URL is not one we would fetch a document from or use as a client_id. */
export type DocumentUrlProblem =
  | 'too-long'
  | 'forbidden-character'
  | 'not-https'
  | 'userinfo'
  | 'fragment'
  | 'host-not-normal'
  | 'no-path'
  | 'dot-segment'
  | 'empty-segment'
  | 'not-normal';

export type DocumentUrlOptions = {
  /** Development only: http and loopback hosts count as well. */
  allowLoopback?: boolean;
  /** Whether a bare host will do; a client_id needs a path. */
  requirePath?: boolean;
};

const MAX_DOCUMENT_URL_LENGTH = 1_000;
const LOOPBACK_AUTHORITY = /^(?:127\.0\.0\.1|\[::1\]|localhost)(?::[0-9]{1,5})?$/;

/**
 * Judges the text of a URL that names a client or a key document: https, printable ASCII, no user information, no
 * fragment, no dot or empty segments, and already written as a browser would write it, so that string comparison is
 * comparison (draft-ietf-oauth-client-id-metadata-document §3). Says nothing about whether it may be fetched; that is
 * decided on the address at connect.
 */
export function parseDocumentUrl(
  text: string,
  options: DocumentUrlOptions = {},
): Result<URL, DocumentUrlProblem> {
  if (text.length > MAX_DOCUMENT_URL_LENGTH) return err('too-long');
  if (!/^[\x21-\x7e]*$/.test(text) || /[\\"<>^`{|}]/.test(text)) return err('forbidden-character');
  const split = /^(https?):\/\/([^/?#]*)([^?#]*)/.exec(text);
  if (split === null) return err('not-https');
  const [, scheme, authority = '', path = ''] = split;
  const isLoopback = options.allowLoopback === true && LOOPBACK_AUTHORITY.test(authority);
  if (scheme !== 'https' && !isLoopback) return err('not-https');
  if (authority.includes('@')) return err('userinfo');
  if (text.includes('#')) return err('fragment');
  if (options.requirePath === true && (path === '' || path === '/')) return err('no-path');
  const segments = path.split('/').slice(1);
  if (segments.some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment))) return err('dot-segment');
  if (segments.slice(0, -1).includes('')) return err('empty-segment');
  const url = URL.parse(text);
  if (url === null || url.host !== authority || url.hostname.endsWith('.')) return err('host-not-normal');
  if (url.href !== (path === '' ? text.replace(authority, `${authority}/`) : text)) return err('not-normal');
  return ok(url);
}
