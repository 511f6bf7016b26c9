import type { Actor } from './actor.ts';
import type { Clock } from './clock.ts';
import type { Vault } from './crypto.ts';
import type { Db } from './db.ts';
import type { IdentityProvider } from './identity-provider.ts';

/** What every verb is told about the world: who acts, what time it is, where to read and write. */
export type Ctx = {
  readonly actor: Actor;
  readonly clock: Clock;
  readonly db: Db;
  /** Seals and opens secrets; only the gate and the worker hold one, never the console. */
  readonly vault: Vault | null;
  readonly site: Site;
  /** Id of the HTTP request or job run, shown to people who meet an error. */
  readonly traceId: string;
  /** Address of the caller as the trusted path established it. */
  readonly address: string | null;
  readonly userAgent: string | null;
};

/** The absolute names of this installation. They come from configuration only, never from a request. */
export type Site = {
  /** The OAuth issuer, without trailing slash. */
  readonly issuer: string;
  /** Origin of the console: sign-in, claim, waiting room, pages. Shares no cookie with the issuer. */
  readonly consoleOrigin: string;
  readonly environment: 'production' | 'staging' | 'sandbox';
  readonly demo: boolean;
  /** Development only, announced at start: client metadata documents may live on loopback over http. */
  readonly loopbackDocuments?: boolean;
  /** Whether clients may be registered for the device grant (RFC 8628), and devices ask for codes. */
  readonly deviceGrant?: boolean;
  /** Private networks (CIDR) MCP servers of the catalogue may be in; absent: any. */
  readonly upstreamNetworks?: readonly string[];
  /** Where people may sign in beside local accounts. */
  readonly identityProvider?: IdentityProvider | null;
};

export function consoleUrl(site: Site, path: string): string {
  return new URL(path, site.consoleOrigin).toString();
}
