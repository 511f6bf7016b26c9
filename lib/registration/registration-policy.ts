import type { ClientMetadataPolicy, GrantType } from '#lib/oauth/client-metadata.ts';
import type { Site } from '#lib/platform/ctx.ts';

/** Grants a client can be registered for: exactly those the token endpoint answers. */
export const offeredGrantTypes: readonly GrantType[] = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
];

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/**
 * What is accepted as client metadata here, by every way in. The console's host carries sessions, so no redirect may
 * name it; the issuer's neither, unless it is the loopback name native clients listen on.
 */
export function metadataPolicy(site: Site): ClientMetadataPolicy {
  const issuerHost = new URL(site.issuer).hostname;
  return {
    grantTypes: offeredGrantTypes,
    reservedHosts: [
      new URL(site.consoleOrigin).hostname,
      ...(loopbackNames.includes(issuerHost) ? [] : [issuerHost]),
    ],
    ...(site.loopbackDocuments ? { allowLoopbackDocuments: true } : {}),
  };
}
