import { decodeProtectedHeader, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { sha256 } from './canonical.ts';
import {
  type AccessTokenClaims,
  type AgentFacts,
  type BindingFacts,
  type CatalogueClaims,
  catalogueTokenLifetimeSeconds,
  clockSkewSeconds,
  messageTypes,
  parseAccessTokenClaims,
  parseCatalogueClaims,
  ShapeError,
} from './protocol.ts';
import type { Slice } from './slice.ts';

/** Why a token opens nothing. `code` goes into reports, `text` to the caller. */
export type TokenRefusal = { code: string; text: string; agentId?: string; claims?: AccessTokenClaims };

/** Whoever calls, as far as token and feed agree. */
export type Principal = {
  claims: AccessTokenClaims;
  agent: AgentFacts;
  binding: BindingFacts;
  /** Exactly the tools both the token and the binding name. */
  tools: ReadonlyMap<string, BindingFacts['tools'][number]>;
};

const maxTokenLength = 16_384;
const maxRemembered = 10_000;

/**
 * Verifies signatures once per token and remembers the claims; everything that
 * can change after issuance is `resolvePrincipal`'s, at every call.
 */
export class TokenVerifier {
  readonly #issuer: string;
  readonly #remembered = new Map<string, { claims: AccessTokenClaims; keys: JWTVerifyGetKey }>();

  constructor(issuer: string) {
    this.#issuer = issuer;
  }

  /**
   * The claims of an access token for this resource (RFC 9068 §4), or why not.
   * Algorithms are EdDSA and ES256 only, keys are looked up by `kid` among those
   * the feed brought, keys inside the token are refused, `aud` is one string and
   * equal to the byte.
   */
  async verify(token: string, slice: Slice, nowMs: number): Promise<AccessTokenClaims | TokenRefusal> {
    const keys = slice.keySet();
    const digest = sha256(`${slice.server.resource}\n${token}`);
    const known = this.#remembered.get(digest);
    if (known && known.keys === keys) return expired(known.claims, nowMs) ?? known.claims;

    const verified = await verifyJwt(token, keys, messageTypes.accessToken, ['EdDSA', 'ES256']);
    if ('code' in verified) return verified;
    let claims: AccessTokenClaims;
    try {
      claims = parseAccessTokenClaims(verified.payload);
    } catch (cause) {
      if (cause instanceof ShapeError)
        return refusal('token_malformed', 'The access token lacks what Countersign puts in.');
      throw cause;
    }
    if (claims.iss !== this.#issuer) return refusal('token_issuer', 'The access token is of another issuer.');
    if (claims.aud !== slice.server.resource)
      return refusal('token_audience', 'The access token is for another MCP server.');
    if (claims.iat * 1000 > nowMs + clockSkewSeconds * 1000)
      return refusal('token_future', 'The access token was issued in the future.');
    const late = expired(claims, nowMs);
    if (late) return late;
    if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
    this.#remembered.set(digest, { claims, keys });
    return claims;
  }
}

/** Whether the token's key is one this guard has not heard of, so that a sync could help. */
export function namesUnknownKey(token: string, slice: Slice): boolean {
  if (token.length > maxTokenLength) return false;
  try {
    const { kid } = decodeProtectedHeader(token);
    return typeof kid === 'string' && !slice.knowsKey(kid);
  } catch {
    return false;
  }
}

/**
 * What a verified token is good for right now: agent active and of the token's
 * epoch, binding in force and of the token's version, tools exactly those both
 * name. `newer` means that the token knows more than the feed has told: sync,
 * then ask again.
 */
export function resolvePrincipal(
  claims: AccessTokenClaims,
  slice: Slice,
  floors: { epoch(agentId: string): number; version(bindingId: string): number },
  nowMs: number,
): Principal | (TokenRefusal & { newer?: boolean }) {
  const { cs } = claims;
  const refuse = (code: string, text: string, newer = false) => ({
    code,
    text,
    newer,
    agentId: cs.agent,
    claims,
  });
  const agent = slice.agents.get(cs.agent);
  if (!agent) return refuse('agent_unknown', 'The agent of this access token is not known here.', true);
  if (cs.epoch > agent.epoch)
    return refuse('epoch_newer', 'The agent changed a moment ago; try again.', true);
  if (cs.epoch < agent.epoch || cs.epoch < floors.epoch(cs.agent) || agent.state !== 'active')
    return refuse(`agent_${agent.state === 'active' ? 'epoch_ended' : agent.state}`, deadAgentText(agent));
  if (slice.endedCredentials.has(claims.jti) || slice.endedCredentials.has(cs.family))
    return refuse('credential_ended', 'This access token was ended before its time.');
  const binding = slice.bindings.get(cs.binding);
  if (!binding) {
    const ended = floors.version(cs.binding) > 0;
    return refuse('binding_ended', 'The approval behind this access token has ended.', !ended);
  }
  if (binding.agentId !== agent.id)
    return refuse('binding_foreign', 'The approval belongs to another agent.');
  if (cs.version > binding.version)
    return refuse('version_newer', 'The approval changed a moment ago; try again.', true);
  if (cs.version < binding.version || cs.version < floors.version(cs.binding))
    return refuse('binding_changed', 'The approval changed; get a new access token.');
  if (nowMs < binding.validFromMs) return refuse('binding_not_yet', 'The approval is not in force yet.');
  if (binding.endsAtMs !== undefined && nowMs >= binding.endsAtMs)
    return refuse('binding_expired', 'The approval has expired.');

  const granted = slice.grantedTools(binding);
  if (cs.tools === undefined) {
    if (cs.toolsDigest === undefined || cs.toolsDigest !== binding.toolsDigest)
      return refuse('tools_differ', 'The access token names other tools than were approved.');
    return { claims, agent, binding, tools: granted };
  }
  if (cs.tools.length === granted.size && cs.tools.every((name) => granted.has(name)))
    return { claims, agent, binding, tools: granted };
  return {
    claims,
    agent,
    binding,
    tools: new Map(
      cs.tools.flatMap((name) => {
        const tool = granted.get(name);
        return tool ? [[name, tool] as const] : [];
      }),
    ),
  };
}

/** The claims of a catalogue token, which the gate's own client reads lists with; or why not. */
export async function verifyCatalogueToken(
  token: string,
  expect: { feedKeys: JWTVerifyGetKey; issuer: string; resource: string; nowMs: number },
): Promise<CatalogueClaims | TokenRefusal> {
  const verified = await verifyJwt(token, expect.feedKeys, messageTypes.catalogue, ['EdDSA']);
  if ('code' in verified) return verified;
  let claims: CatalogueClaims;
  try {
    claims = parseCatalogueClaims(verified.payload);
  } catch {
    return refusal('token_malformed', 'Not a catalogue token.');
  }
  if (claims.iss !== expect.issuer || claims.aud !== expect.resource)
    return refusal('token_audience', 'The catalogue token is for another MCP server.');
  if (claims.exp - claims.iat > catalogueTokenLifetimeSeconds || claims.exp * 1000 <= expect.nowMs)
    return refusal('token_expired', 'The catalogue token has expired.');
  return claims;
}

/** The type a token claims to be, before anything is verified. */
export function tokenType(token: string): string | null {
  if (token.length > maxTokenLength) return null;
  try {
    const { typ } = decodeProtectedHeader(token);
    return typeof typ === 'string' ? typ : null;
  } catch {
    return null;
  }
}

async function verifyJwt(
  token: string,
  keys: JWTVerifyGetKey,
  typ: string,
  algorithms: string[],
): Promise<{ payload: unknown } | TokenRefusal> {
  if (token.length > maxTokenLength) return refusal('token_malformed', 'The access token is too long.');
  try {
    const header = decodeProtectedHeader(token);
    if (typeof header.kid !== 'string' || header.typ !== typ)
      return refusal('token_type', 'This is not an access token of Countersign.');
    for (const name of ['jwk', 'jku', 'x5c', 'x5u', 'crit', 'b64'])
      if (Object.hasOwn(header, name)) return refusal('token_header', 'The token header is not acceptable.');
    // Times are judged by the caller, on the gate's clock.
    const { payload } = await jwtVerify(token, keys, { algorithms, currentDate: new Date(0) });
    return { payload };
  } catch {
    return refusal('token_signature', 'The access token cannot be verified.');
  }
}

function expired(claims: AccessTokenClaims, nowMs: number): TokenRefusal | null {
  if (claims.exp * 1000 > nowMs) return null;
  return { ...refusal('token_expired', 'The access token has expired.'), claims };
}

function deadAgentText(agent: AgentFacts): string {
  switch (agent.state) {
    case 'suspended':
      return 'This agent is suspended.';
    case 'revoked':
      return 'This agent was revoked.';
    case 'expired':
      return "This agent's approval has expired.";
    case 'pending':
      return 'This agent is not approved yet.';
    case 'active':
      return 'This access token was ended; get a new one.';
  }
}

function refusal(code: string, text: string): TokenRefusal {
  return { code, text };
}
