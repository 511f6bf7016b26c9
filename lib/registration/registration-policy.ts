import type { ClientMetadataPolicy, GrantType } from '#lib/oauth/client-metadata.ts';
import { deviceCodeGrant } from '#lib/oauth/device-grant.ts';
import type { Site } from '#lib/platform/ctx.ts';

/** Grants of this installation: what it publishes, what a client can be registered for and what the token endpoint answers. */
export function offeredGrants(site: Site): readonly GrantType[] {
  return [
    'authorization_code',
    'refresh_token',
    'client_credentials',
    ...(site.deviceGrant ? ([deviceCodeGrant] as const) : []),
  ];
}

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/**
 * What is accepted as client metadata here, by every way in. The console's host carries sessions, so no redirect may
 * name it; the issuer's neither, unless it is the loopback name native clients listen on.
 */
export function metadataPolicy(site: Site): ClientMetadataPolicy {
  const issuerHost = new URL(site.issuer).hostname;
  return {
    grantTypes: offeredGrants(site),
    reservedHosts: [
      new URL(site.consoleOrigin).hostname,
      ...(loopbackNames.includes(issuerHost) ? [] : [issuerHost]),
    ],
    ...(site.loopbackDocuments ? { allowLoopbackDocuments: true } : {}),
  };
}
