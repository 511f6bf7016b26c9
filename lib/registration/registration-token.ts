import { randomToken, sha256 } from '#lib/platform/crypto.ts';
import type { Site } from '#lib/platform/ctx.ts';

/** What a client manages its own registration with (RFC 7592 §3), as it is answered. */
export type RegistrationManagement = { accessToken: string; uri: string };

/** A new token, and the digest that is kept of it. */
export function createRegistrationToken(): { value: string; digest: string } {
  const value = `csr_${randomToken()}`;
  return { value, digest: sha256(value) };
}

/** Where a client manages its registration: below the registration endpoint, so that its token goes nowhere else. */
export function registrationUri(site: Pick<Site, 'issuer'>, clientId: string): string {
  return `${site.issuer}/register/${encodeURIComponent(clientId)}`;
}
