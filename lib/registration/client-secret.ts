import type { ClientMetadata } from '#lib/oauth/client-metadata.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { randomToken } from '#lib/platform/crypto.ts';

/** Secrets of dynamic clients live at most this long, in seconds, and are inert before an approval. */
const secretLifetimeSeconds = 30 * 24 * 3600;

export function needsSecret(metadata: Pick<ClientMetadata, 'tokenEndpointAuthMethod'>): boolean {
  return metadata.tokenEndpointAuthMethod.startsWith('client_secret_');
}

/** Shown once; only its digest is kept. */
export function createClientSecret(now: Date): { value: string; expiresAt: Date } {
  return { value: `css_${randomToken()}`, expiresAt: addSeconds(now, secretLifetimeSeconds) };
}
