import type { Site } from './ctx.ts';
import type { Config } from './env.ts';

/** The absolute names of this installation as verbs see them. */
export function siteOf(config: Config): Site {
  return {
    issuer: config.issuer,
    consoleOrigin: config.consoleOrigin,
    environment: config.environment,
    demo: config.demo,
    loopbackDocuments: config.allowLoopbackMetadata,
    deviceGrant: config.deviceGrant,
    upstreamNetworks: config.upstreamNetworks,
    identityProvider: config.identityProvider,
  };
}
