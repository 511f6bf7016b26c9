import type { FeedClient } from './feed-client.ts';
import { messageTypes } from './protocol.ts';
import { holderOf } from './sessions.ts';
import type { Slice } from './slice.ts';
import {
  namesUnknownKey,
  type Principal,
  resolvePrincipal,
  type TokenRefusal,
  TokenVerifier,
  tokenType,
  verifyCatalogueToken,
} from './token.ts';

/** Holder of the sessions the gate's own client begins. */
const catalogueHolder = 'catalogue';

/** Who is calling: an agent, or the gate reading the catalogue. */
export type Caller = { kind: 'agent'; principal: Principal } | { kind: 'catalogue' };

/** Whose sessions and tasks a caller may name. */
export function holderOfCaller(caller: Caller): string {
  return caller.kind === 'agent' ? holderOf(caller.principal) : catalogueHolder;
}

/** Finds out who presents a token to one server. */
export class Callers {
  readonly #serverId: string;
  readonly #feed: FeedClient;
  readonly #issuer: string;
  readonly #verifier: TokenVerifier;

  constructor(options: { serverId: string; feed: FeedClient; issuer: string }) {
    this.#serverId = options.serverId;
    this.#feed = options.feed;
    this.#issuer = options.issuer;
    this.#verifier = new TokenVerifier(options.issuer);
  }

  /** A token that knows more than the feed has told makes the guard ask the gate, once. */
  async identify(token: string, slice: Slice): Promise<Caller | TokenRefusal> {
    if (tokenType(token) === messageTypes.catalogue) {
      const { server } = slice;
      const expect = { feedKeys: this.#feed.feedKeys, issuer: this.#issuer, resource: server.resource };
      const claims = await verifyCatalogueToken(token, { ...expect, nowMs: this.#feed.lease.gateNowMs() });
      return 'code' in claims ? claims : { kind: 'catalogue' };
    }
    if (namesUnknownKey(token, slice)) await this.#feed.sync();
    let current = this.#feed.slices.get(this.#serverId) ?? slice;
    const claims = await this.#verifier.verify(token, current, this.#feed.lease.gateNowMs());
    if ('code' in claims) return claims;
    let resolved = resolvePrincipal(claims, current, this.#feed.floors(), this.#feed.lease.gateNowMs());
    if ('code' in resolved && resolved.newer) {
      await this.#feed.sync();
      current = this.#feed.slices.get(this.#serverId) ?? current;
      resolved = resolvePrincipal(claims, current, this.#feed.floors(), this.#feed.lease.gateNowMs());
    }
    return 'code' in resolved ? resolved : { kind: 'agent', principal: resolved };
  }
}
