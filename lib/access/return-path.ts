/**
 * Where to go after signing in: a path on this console, or Home. Everything a browser could read as another origin is
 * refused (`//host`, `/\host`, a scheme, control characters that browsers drop), encoded or not.
 */
export function returnPath(given: string | string[] | null | undefined): string {
  if (typeof given !== 'string' || given.length > 8_000) return '/';
  if (!/^\/(?![/\\])[\x21-\x7e]*$/.test(given) || given.includes('\\')) return '/';
  const base = 'http://console.invalid';
  const url = URL.parse(given, base);
  if (
    url?.origin !== base ||
    decodedOnce(url.pathname).startsWith('//') ||
    /^\/(?:%2f|%5c)/i.test(url.pathname)
  )
    return '/';
  // Signing in to be sent to sign-in again would be a loop.
  if (/^\/(?:sign-in|sign-out|api)(?:\/|$)/.test(url.pathname)) return '/';
  return `${url.pathname}${url.search}${url.hash}`;
}

function decodedOnce(path: string): string {
  try {
    return decodeURIComponent(path).replaceAll('\\', '/');
  } catch {
    return '//';
  }
}
