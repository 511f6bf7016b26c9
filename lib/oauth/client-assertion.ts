import type { KeyObject } from 'node:crypto';
import {
  ASSERTION_ALGORITHMS,
  type AssertionAlgorithm,
  algorithmsOfKey,
  type ClientJwk,
  type ClientJwks,
} from '#lib/oauth/jwks.ts';
import { toNumericDate } from '#lib/platform/clock.ts';
import { openPublicJwk, verifiesCompact } from '#lib/platform/jws.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { isJsonObject, type ParsedObject, parseStrictJson } from '#lib/platform/strict-json.ts';

/** A client assertion that holds in itself. Its jti must still be spent in the shared replay store, once, until `expiresAt`. */
export type ClientAssertion = {
  clientId: string;
  jti: string;
  expiresAt: Date;
  kid: string | null;
  alg: AssertionAlgorithm;
};

export type ClientAssertionReason =
  | { reason: 'malformed' }
  | { reason: 'header-not-allowed'; parameter: string }
  | { reason: 'algorithm-not-allowed' }
  | { reason: 'key-unknown' }
  | { reason: 'signature-invalid' }
  | { reason: 'issuer-not-client' }
  | { reason: 'audience-not-issuer' }
  | { reason: 'claim-invalid'; claim: string }
  | { reason: 'expired' }
  | { reason: 'not-yet-valid' }
  | { reason: 'lifetime-too-long'; maxLifetimeSeconds: number };

/** Longest assertion accepted, in characters. */
const MAX_ASSERTION_LENGTH = 8_192;
const MAX_JTI_LENGTH = 256;
/** Longest life of an assertion: a copied one is worth nothing soon after, and the replay store stays small. */
export const MAX_ASSERTION_LIFETIME_SECONDS = 300;
/** How far two honest clocks may be apart. */
export const ASSERTION_CLOCK_SKEW_SECONDS = 30;

/** Kinds of JWT that may serve here (RFC 7523, draft-ietf-oauth-rfc7523bis); tokens, proofs and statements name others. */
const ACCEPTED_TYPES: ReadonlySet<string> = new Set(['jwt', 'client-authentication+jwt']);
/** Header parameters that bring or point at a key, or change what is signed (RFC 8725 §3.8, §3.10; RFC 7797). */
const REFUSED_PARAMETERS = ['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256', 'crit', 'b64', 'zip', 'enc'];

/**
 * The client an assertion claims to come from, unverified: only for looking up whose keys to check it with.
 * Null when it is not a JWT whose issuer and subject are the same.
 */
export function readAssertedClientId(assertion: string): string | null {
  const claims = readClaims(assertion);
  if (claims === null || typeof claims.iss !== 'string' || claims.iss !== claims.sub) return null;
  return claims.iss === '' || claims.iss.length > 2_000 ? null : claims.iss;
}

/**
 * Checks a `private_key_jwt` assertion (RFC 7523 §3, RFC 8725) against the client's own keys.
 *
 * Stricter than RFC 7523: the audience is the issuer identifier as one string and nothing else, because an audience
 * that names an endpoint, or several servers, is an assertion another server could have been given
 * (draft-ietf-oauth-rfc7523bis); `jti` is required; life is bounded; the key is found in the client's registered
 * set alone. Every failure is `invalid_client` to the sender.
 */
export async function checkClientAssertion(input: {
  assertion: string;
  clientId: string;
  issuer: string;
  jwks: ClientJwks;
  now: Date;
  /** The client's registered token_endpoint_auth_signing_alg, if it registered one. */
  registeredAlg?: AssertionAlgorithm | null;
}): Promise<Result<ClientAssertion, ClientAssertionReason>> {
  const header = readHeader(input.assertion);
  if (!header.ok) return header;
  const { alg, kid } = header.value;
  if (input.registeredAlg && input.registeredAlg !== alg) return err({ reason: 'algorithm-not-allowed' });
  const key = findKey(input.jwks, kid, alg);
  if (key === null) return err({ reason: 'key-unknown' });

  if (!(await verifies(input.assertion, key, alg))) return err({ reason: 'signature-invalid' });
  const claims = readClaims(input.assertion);
  if (claims === null) return err({ reason: 'malformed' });
  return checkClaims(claims, input, header.value);
}

type Header = { alg: AssertionAlgorithm; kid: string | null };

function readHeader(assertion: string): Result<Header, ClientAssertionReason> {
  if (assertion.length > MAX_ASSERTION_LENGTH) return err({ reason: 'malformed' });
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(assertion)) {
    // Two parts and a dot is an unsigned JWT: refused like any algorithm not on the list.
    return err({ reason: /^[\w-]+\.[\w-]+\.$/.test(assertion) ? 'algorithm-not-allowed' : 'malformed' });
  }
  const encoded = assertion.slice(0, assertion.indexOf('.'));
  const header = parseClaims(Buffer.from(encoded, 'base64url'));
  if (header === null) return err({ reason: 'malformed' });
  const refused = REFUSED_PARAMETERS.find((parameter) => Object.hasOwn(header, parameter));
  if (refused !== undefined) return err({ reason: 'header-not-allowed', parameter: refused });
  const alg = ASSERTION_ALGORITHMS.find((allowed) => allowed === header.alg);
  if (alg === undefined) return err({ reason: 'algorithm-not-allowed' });
  if (header.typ !== undefined && !(typeof header.typ === 'string' && isAcceptedType(header.typ))) {
    return err({ reason: 'header-not-allowed', parameter: 'typ' });
  }
  if (header.kid !== undefined && typeof header.kid !== 'string') {
    return err({ reason: 'header-not-allowed', parameter: 'kid' });
  }
  return ok({ alg, kid: header.kid ?? null });
}

function isAcceptedType(typ: string): boolean {
  return ACCEPTED_TYPES.has(typ.toLowerCase().replace(/^application\//, ''));
}

/** A kid is a name in the client's own list; without one, exactly one key may fit. */
function findKey(jwks: ClientJwks, kid: string | null, alg: AssertionAlgorithm): ClientJwk | null {
  const fitting = jwks.keys.filter(
    (key) => (kid === null || key.kid === kid) && algorithmsOfKey(key).includes(alg),
  );
  return fitting.length === 1 ? (fitting[0] as ClientJwk) : null;
}

/** Imported keys by their numbers, oldest first; importing costs more than verifying, and agents come back often. */
const importedKeys = new Map<string, KeyObject>();
const MAX_IMPORTED_KEYS = 1_000;

async function verifies(assertion: string, key: ClientJwk, alg: AssertionAlgorithm): Promise<boolean> {
  try {
    return await verifiesCompact(assertion, importKey(key), alg);
  } catch {
    // Numbers that make no key; registration refuses them, so they came into the database some other way.
    return false;
  }
}

function importKey(key: ClientJwk): KeyObject {
  const name = [key.kty, key.crv, key.x, key.y, key.n, key.e].join(' ');
  const known = importedKeys.get(name);
  if (known !== undefined) return known;
  const { kid: _kid, alg: _alg, use: _use, ...numbers } = key;
  const imported = openPublicJwk(numbers);
  importedKeys.set(name, imported);
  const oldest = importedKeys.keys().next();
  if (importedKeys.size > MAX_IMPORTED_KEYS && !oldest.done) importedKeys.delete(oldest.value);
  return imported;
}

function checkClaims(
  claims: ParsedObject,
  expected: { clientId: string; issuer: string; now: Date },
  header: Header,
): Result<ClientAssertion, ClientAssertionReason> {
  const now = toNumericDate(expected.now);
  if (claims.iss !== expected.clientId || claims.sub !== expected.clientId) {
    return err({ reason: 'issuer-not-client' });
  }
  if (claims.aud !== expected.issuer) return err({ reason: 'audience-not-issuer' });
  const { jti, exp, nbf, iat } = claims;
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) {
    return err({ reason: 'claim-invalid', claim: 'jti' });
  }
  if (!isNumericDate(exp)) return err({ reason: 'claim-invalid', claim: 'exp' });
  if (nbf !== undefined && !isNumericDate(nbf)) return err({ reason: 'claim-invalid', claim: 'nbf' });
  if (iat !== undefined && !isNumericDate(iat)) return err({ reason: 'claim-invalid', claim: 'iat' });
  if (exp <= now - ASSERTION_CLOCK_SKEW_SECONDS) return err({ reason: 'expired' });
  if (exp > now + MAX_ASSERTION_LIFETIME_SECONDS + ASSERTION_CLOCK_SKEW_SECONDS) {
    return err({ reason: 'lifetime-too-long', maxLifetimeSeconds: MAX_ASSERTION_LIFETIME_SECONDS });
  }
  const notBefore = Math.max(nbf ?? 0, iat ?? 0);
  if (notBefore > now + ASSERTION_CLOCK_SKEW_SECONDS) return err({ reason: 'not-yet-valid' });
  return ok({
    clientId: expected.clientId,
    jti,
    // Kept for as long as this check would accept it, or a replay would fit into the skew.
    expiresAt: new Date((Math.ceil(exp) + ASSERTION_CLOCK_SKEW_SECONDS) * 1_000),
    kid: header.kid,
    alg: header.alg,
  });
}

function isNumericDate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < 1e11;
}

function readClaims(assertion: string): ParsedObject | null {
  if (assertion.length > MAX_ASSERTION_LENGTH) return null;
  const parts = assertion.split('.');
  const payload = parts[1];
  if (parts.length !== 3 || payload === undefined || !/^[A-Za-z0-9_-]+$/.test(payload)) return null;
  return parseClaims(Buffer.from(payload, 'base64url'));
}

function parseClaims(bytes: Uint8Array): ParsedObject | null {
  const parsed = parseStrictJson(bytes, { maxBytes: MAX_ASSERTION_LENGTH, maxDepth: 8 });
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : null;
}
