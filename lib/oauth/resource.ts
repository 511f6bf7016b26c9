import { err, ok, type Result } from '#lib/platform/result.ts';

export type ResourceProblem = 'too-long' | 'not-absolute' | 'fragment' | 'not-http' | 'not-normal';

const MAX_RESOURCE_LENGTH = 2_000;

/**
 * A resource indicator (RFC 8707 §2): an absolute https or http URI without fragment, in normal form.
 * Which resources exist is the catalogue's to say; failure of either is `invalid_target`.
 */
export function parseResource(text: string): Result<string, ResourceProblem> {
  if (text.length > MAX_RESOURCE_LENGTH) return err('too-long');
  if (text.includes('#')) return err('fragment');
  const url = URL.parse(text);
  if (url === null) return err('not-absolute');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return err('not-http');
  if (url.username !== '' || url.password !== '') return err('not-normal');
  // `https://host` is written with and without its slash; everything else must be as a parser would write it.
  if (url.href !== text && url.href !== `${text}/`) return err('not-normal');
  return ok(text);
}

/**
 * The known resource a client means, or null. Equal strings, except that one trailing slash more or less does not
 * count: some SDKs write the URL of a server without path with one, some without. Nothing else is forgiven, no
 * prefix, no case, no default port.
 */
export function findResource(known: readonly string[], requested: string): string | null {
  return (
    known.find((resource) => resource === requested) ??
    known.find((resource) => withoutTrailingSlash(resource) === withoutTrailingSlash(requested)) ??
    null
  );
}

function withoutTrailingSlash(uri: string): string {
  return uri.endsWith('/') ? uri.slice(0, -1) : uri;
}
