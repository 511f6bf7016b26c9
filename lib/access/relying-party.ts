import type { Site } from '#lib/platform/ctx.ts';

/** What a passkey is bound to: Web Authentication Level 3 §5.1.3. Named by configuration only, never by a request. */
export type RelyingParty = { rpId: string; origin: string };

export function relyingPartyOf(site: Pick<Site, 'consoleOrigin'>): RelyingParty {
  const { hostname, origin } = new URL(site.consoleOrigin);
  return { rpId: hostname, origin };
}

/**
 * The keys a person can prove it with at this console. A passkey of the host name it had before answers nobody here, so
 * it counts as none; what it signed stays signed.
 */
export function livingPasskeysOf(site: Pick<Site, 'consoleOrigin'>, personId: string) {
  return { personId, kind: 'passkey', endedAt: null, rpId: relyingPartyOf(site).rpId };
}
