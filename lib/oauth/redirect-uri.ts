import { domainToUnicode } from 'node:url';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { looksLikeAscii } from '#lib/platform/text.ts';

/**
 * Where a code may be sent, and what kind of place that is: a website, a listener on the person's own machine, or an
 * app that owns a URI scheme. Any local process can own the last two.
 */
export type RedirectUri = {
  /** Exactly as registered; what is compared and what is redirected to. */
  uri: string;
  kind: 'https' | 'loopback' | 'private-use scheme';
  scheme: string;
  /** Host without port, as a reviewer should see it; empty for `com.example.app:/path`. */
  host: string;
  /** Port as written, or null. For loopback redirects it does not take part in matching. */
  port: string | null;
};

export type RedirectUriProblem =
  | 'not-a-string'
  | 'empty'
  | 'too-long'
  | 'forbidden-character'
  | 'not-absolute'
  | 'fragment'
  | 'wildcard'
  | 'userinfo'
  | 'scheme-not-allowed'
  | 'http-not-loopback'
  | 'host-missing'
  | 'host-not-normal'
  | 'look-alike-host'
  | 'reserved-host'
  | 'port-invalid'
  | 'not-normal'
  | 'reserved-query-parameter';

export type RedirectUriPolicy = {
  /** Hosts no client may redirect to: those whose pages carry our own sessions. */
  reservedHosts?: readonly string[];
  /** Private-use schemes accepted without a dot, for products that registered theirs before RFC 8252 was heeded. */
  vendorSchemes?: readonly string[];
  /** Whether `http://localhost` counts as loopback. RFC 8252 §8.3 advises against, most real clients use it. */
  allowLocalhost?: boolean;
};

/** Cursor is the one widely used MCP client that registers a scheme without a dot. */
export const VENDOR_SCHEMES: readonly string[] = ['cursor'];

const MAX_REDIRECT_URI_LENGTH = 2_000;
const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['127.0.0.1', '[::1]', 'localhost']);

/** RFC 3986 §2 without `#`, which is judged apart; percent signs must start an escape. */
const URI_CHARACTERS = /^(?:[A-Za-z0-9\-._~:/?[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*$/;
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;
/** RFC 8252 §7.1: a domain name under the app's control, in reverse, such as com.example.app. */
const REVERSE_DOMAIN_SCHEME = /^[a-z](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/;

/** Parameters of our own answer (RFC 6749 §4.1.2, RFC 9207 §2): a redirect URI that brings its own confuses readers. */
const RESPONSE_PARAMETERS: ReadonlySet<string> = new Set([
  'code',
  'state',
  'iss',
  'error',
  'error_description',
  'error_uri',
]);

/**
 * Parses one redirect URI for registration (RFC 7591 §2, RFC 8252 §7, RFC 9700 §4.1).
 *
 * An allowlist throughout: https to any host, http to a loopback literal, a private-use scheme with a dot or on the
 * vendor list. Stricter than RFC 3986 in one way: the text must already be in the form a browser would turn it into,
 * so that exact comparison, the reviewer's eye and the browser agree on where it leads.
 */
export function parseRedirectUri(
  value: unknown,
  policy: RedirectUriPolicy = {},
): Result<RedirectUri, RedirectUriProblem> {
  if (typeof value !== 'string') return err('not-a-string');
  if (value === '') return err('empty');
  if (value.length > MAX_REDIRECT_URI_LENGTH) return err('too-long');
  if (value.includes('#')) return err('fragment');
  if (!URI_CHARACTERS.test(value)) return err('forbidden-character');
  if (value.includes('*')) return err('wildcard');
  const scheme = SCHEME.exec(value)?.[1];
  if (scheme === undefined) return err('not-absolute');
  const kind = kindOfScheme(scheme, policy.vendorSchemes ?? VENDOR_SCHEMES);
  if (kind === null) return err('scheme-not-allowed');
  return kind === 'web' ? parseWebRedirect(value, scheme, policy) : parsePrivateUseRedirect(value, scheme);
}

/** What is wrong with a redirect URI, as a sentence for the developer of the client. */
export function describeRedirectUriProblem(problem: RedirectUriProblem): string {
  switch (problem) {
    case 'not-a-string':
      return 'is not a string';
    case 'empty':
      return 'is empty';
    case 'too-long':
      return `is longer than ${MAX_REDIRECT_URI_LENGTH} characters`;
    case 'forbidden-character':
      return 'contains a character that a URI may not contain; percent-encode it';
    case 'not-absolute':
      return 'is not an absolute URI';
    case 'fragment':
      return 'contains a fragment';
    case 'wildcard':
      return 'contains a wildcard; redirect URIs are compared exactly';
    case 'userinfo':
      return 'contains user information';
    case 'scheme-not-allowed':
      return 'has a scheme that is not allowed; use https, http on a loopback address, or a reverse-domain scheme';
    case 'http-not-loopback':
      return 'uses http with a host other than 127.0.0.1, [::1] or localhost';
    case 'host-missing':
      return 'has no host';
    case 'host-not-normal':
      return 'has a host that is not in its normal form';
    case 'look-alike-host':
      return 'has a host name that imitates another in look-alike characters';
    case 'reserved-host':
      return 'names a host of this server';
    case 'port-invalid':
      return 'has a port that is not valid';
    case 'not-normal':
      return 'is not in normal form: a browser would rewrite it';
    case 'reserved-query-parameter':
      return 'has a query parameter that belongs to the authorization response';
  }
}

function kindOfScheme(scheme: string, vendorSchemes: readonly string[]): 'web' | 'private-use' | null {
  if (scheme === 'https' || scheme === 'http') return 'web';
  if (vendorSchemes.includes(scheme) || REVERSE_DOMAIN_SCHEME.test(scheme)) return 'private-use';
  return null;
}

function parseWebRedirect(
  value: string,
  scheme: string,
  policy: RedirectUriPolicy,
): Result<RedirectUri, RedirectUriProblem> {
  // Judged on the text itself, not on a parser's repaired reading of it.
  const afterScheme = value.slice(scheme.length + 1);
  if (!afterScheme.startsWith('//')) return err('not-normal');
  const authority = /^[^/?]*/.exec(afterScheme.slice(2))?.[0] ?? '';
  if (authority === '') return err('host-missing');
  if (authority.includes('@')) return err('userinfo');
  const split = /^(\[[0-9A-Fa-f:.]*\]|[^:[\]]*)(?::([0-9]*))?$/.exec(authority);
  if (split === null) return err('host-not-normal');
  const host = split[1] as string;
  const port = split[2] ?? null;
  if (host === '') return err('host-missing');
  if (port !== null && !isPort(port)) return err('port-invalid');

  const isLoopback = LOOPBACK_HOSTS.has(host) && (host !== 'localhost' || policy.allowLocalhost !== false);
  if (scheme === 'http' && !isLoopback) return err('http-not-loopback');
  if (policy.reservedHosts?.some((reserved) => reserved.toLowerCase() === host.toLowerCase())) {
    return err('reserved-host');
  }

  const url = URL.parse(value);
  if (url === null || url.hostname !== host || host.endsWith('.')) return err('host-not-normal');
  if (host.includes('xn--') && host.split('.').some(imitatesAscii)) return err('look-alike-host');
  const rest = afterScheme.slice(2 + authority.length);
  if (`${url.pathname}${url.search}` !== (rest.startsWith('/') ? rest : `/${rest}`)) return err('not-normal');
  if (carriesResponseParameter(url.searchParams)) return err('reserved-query-parameter');
  return ok({ uri: value, kind: scheme === 'http' ? 'loopback' : 'https', scheme, host, port });
}

function parsePrivateUseRedirect(value: string, scheme: string): Result<RedirectUri, RedirectUriProblem> {
  const url = URL.parse(value);
  if (url === null) return err('not-normal');
  if (url.username !== '' || url.password !== '' || /^[^/?]*@/.test(value.slice(scheme.length + 3))) {
    return err('userinfo');
  }
  // `com.example.app:` followed by nothing would send the code to whatever the app does with an empty path.
  if (url.pathname === '' && url.host === '') return err('host-missing');
  if (url.href !== value) return err('not-normal');
  if (carriesResponseParameter(url.searchParams)) return err('reserved-query-parameter');
  return ok({ uri: value, kind: 'private-use scheme', scheme, host: url.hostname, port: url.port || null });
}

function isPort(port: string): boolean {
  return /^[1-9][0-9]{0,4}$/.test(port) && Number(port) <= 65_535;
}

function imitatesAscii(label: string): boolean {
  return label.startsWith('xn--') && looksLikeAscii(domainToUnicode(label));
}

function carriesResponseParameter(query: URLSearchParams): boolean {
  return [...query.keys()].some((name) => RESPONSE_PARAMETERS.has(name.toLowerCase()));
}

/**
 * Whether a requested redirect URI is one of the registered ones: equal as strings (RFC 9700 §2.1), except that the
 * port of a loopback redirect is free (RFC 8252 §7.3), because such clients listen wherever a port is free.
 * `localhost`, `127.0.0.1` and `[::1]` stay three different hosts.
 */
export function matchesRedirectUri(registered: string, requested: string): boolean {
  if (registered === requested) return true;
  const known = splitLoopback(registered);
  const asked = splitLoopback(requested);
  if (known === null || asked === null) return false;
  return known.host === asked.host && known.rest === asked.rest;
}

/** The registered URI a requested one matches, or null. */
export function findRegisteredRedirectUri(registered: readonly string[], requested: string): string | null {
  return registered.find((uri) => matchesRedirectUri(uri, requested)) ?? null;
}

function splitLoopback(uri: string): { host: string; rest: string } | null {
  const split = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::([0-9]{1,5}))?((?:[/?].*)?)$/.exec(uri);
  if (split === null || (split[2] !== undefined && !isPort(split[2]))) return null;
  return { host: split[1] as string, rest: split[3] as string };
}

/** The redirect URI without its loopback port: what stays the same between two runs of one client. */
export function toPortlessRedirectUri(uri: string): string {
  const loopback = splitLoopback(uri);
  return loopback === null ? uri : `http://${loopback.host}${loopback.rest}`;
}
