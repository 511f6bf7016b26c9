/**
 * Name of the session cookie. Behind https the `__Host-` prefix makes browsers refuse it from any other host, without
 * Secure or with a Domain; plain http (loopback only) cannot use the prefix.
 */
export function sessionCookieName(consoleOrigin: string): string {
  return consoleOrigin.startsWith('https:') ? '__Host-countersign' : 'countersign';
}
