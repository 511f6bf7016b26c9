import { toolSetDigest } from '#guard/canonical.ts';
import { type AccessTokenClaims, maxToolsInToken } from '#guard/protocol.ts';
import { longestTokenSeconds } from '#lib/agents/feed.ts';
import { BASE_SCOPE, toGrantedScope } from '#lib/oauth/scope.ts';
import { toNumericDate } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import { signCompact } from '#lib/platform/jws.ts';
import type { SigningKey } from './signing-keys.ts';

/** Below about 330 s one widespread client refreshes before every single request; see docs/decisions. */
const interactiveSeconds = longestTokenSeconds;
/** Nobody waits in front of a headless agent: it simply asks again. */
export const headlessSeconds = 300;
/** A token a person carries to where it is used. */
export const revealedSeconds = 300;

/** Tools are listed in the token up to this size; beyond it names the binding and the digest of its tool set. */
const maxToolBytesInToken = 4_096;

/** Longest life of a token for a class of agent, in seconds. */
export function tokenLifetimeSeconds(clientClass: string): number {
  return clientClass === 'interactive' ? interactiveSeconds : headlessSeconds;
}

export type AccessTokenFacts = {
  jti: string;
  issuer: string;
  /** The owner for a token a person stood behind, the client itself otherwise (RFC 9068 §2.2). */
  subject: string;
  audience: string;
  clientId: string;
  issuedAt: Date;
  /** Never later than the approval's own end. */
  endsAt: Date;
  lifetimeSeconds: number;
  agentId: string;
  epoch: number;
  bindingId: string;
  bindingVersion: number;
  family: string;
  sourceId: string;
  clientClass: string;
  tools: readonly string[];
};

export type AccessToken = {
  token: string;
  digest: string;
  issuedAt: Date;
  expiresAt: Date;
  expiresInSeconds: number;
  /** What the token answer says was granted; the token itself says less when its tools do not fit. */
  scope: string;
};

/** Makes and signs an access token (RFC 9068): one audience, exact tools, and what it dies with. */
export function signAccessToken(key: SigningKey, facts: AccessTokenFacts): AccessToken {
  const iat = toNumericDate(facts.issuedAt);
  const exp = Math.min(iat + facts.lifetimeSeconds, toNumericDate(facts.endsAt));
  const scope = toGrantedScope(facts.tools);
  const fits = facts.tools.length <= maxToolsInToken && scope.length <= maxToolBytesInToken;
  const claims: AccessTokenClaims = {
    iss: facts.issuer,
    sub: facts.subject,
    aud: facts.audience,
    client_id: facts.clientId,
    iat,
    exp,
    jti: facts.jti,
    scope: fits ? scope : BASE_SCOPE,
    cs: {
      agent: facts.agentId,
      epoch: facts.epoch,
      binding: facts.bindingId,
      version: facts.bindingVersion,
      family: facts.family,
      source: facts.sourceId,
      class: facts.clientClass,
      ...(fits ? { tools: [...facts.tools] } : { toolsDigest: toolSetDigest(facts.tools) }),
    },
  };
  const token = signCompact(key.privateKey, { typ: 'at+jwt', kid: key.kid }, claims);
  return {
    token,
    digest: sha256(token),
    issuedAt: facts.issuedAt,
    expiresAt: new Date(exp * 1000),
    expiresInSeconds: exp - iat,
    scope,
  };
}
