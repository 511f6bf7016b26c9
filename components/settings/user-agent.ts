/** A browser's own word for itself, shortened for people: claimed by the browser, so good for recognising, not for proof. */
export function describeUserAgent(userAgent: string | null): string {
  if (!userAgent) return 'Unknown browser';
  const browser =
    /(Edg|OPR|Firefox|Chrome|Safari)\/(\d+)/.exec(
      userAgent.replace(/Chrome\/(\d+)(.*)\b(Edg|OPR)\//, '$3/'),
    ) ?? null;
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera' };
  const system = /Windows|Mac OS X|Android|iPhone|iPad|CrOS|Linux/.exec(userAgent)?.[0];
  const systems: Record<string, string> = { 'Mac OS X': 'macOS', CrOS: 'ChromeOS' };
  if (!browser) return userAgent.length > 60 ? `${userAgent.slice(0, 60)}…` : userAgent;
  const name = names[browser[1] ?? ''] ?? browser[1];
  return system ? `${name} on ${systems[system] ?? system}` : String(name);
}
