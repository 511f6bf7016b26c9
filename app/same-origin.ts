/**
 * Whether a mutation came from a page of this very console: Origin must be present and equal to the byte (a form of
 * another site, a sandboxed frame and a redirect all send another one or `null`), and Sec-Fetch-Site, which every
 * current browser sends and no page can set, must not contradict it.
 */
export function isSameOrigin(headers: Headers, consoleOrigin: string): boolean {
  if (consoleOrigin === '' || headers.get('origin') !== consoleOrigin) return false;
  const site = headers.get('sec-fetch-site');
  return site === null || site === 'same-origin';
}
