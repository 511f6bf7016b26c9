import { createPublicKey } from 'node:crypto';
import type { JsonValue } from '#lib/platform/canonical-json.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { isJsonObject, type ParsedObject } from '#lib/platform/strict-json.ts';

/** Signature algorithms a client may use to prove itself. Asymmetric only; `none` and HMAC can never appear. */
export const ASSERTION_ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
] as const;
export type AssertionAlgorithm = (typeof ASSERTION_ALGORITHMS)[number];

/** A public key of a client, reduced to the members that make it a key; everything else it came with is dropped. */
export type ClientJwk = {
  kty: 'EC' | 'OKP' | 'RSA';
  kid?: string;
  alg?: AssertionAlgorithm;
  use?: 'sig';
  crv?: string;
  x?: string;
  y?: string;
  n?: string;
  e?: string;
};
export type ClientJwks = { keys: ClientJwk[] };

export type JwksProblem =
  | { reason: 'not-a-key-set' }
  | { reason: 'too-many-keys'; maxKeys: number }
  | { reason: 'no-signing-key' }
  | { reason: 'not-an-object'; index: number }
  | { reason: 'symmetric-key'; index: number }
  | { reason: 'private-key'; index: number }
  | { reason: 'member-invalid'; index: number; member: string }
  | { reason: 'rsa-modulus-size'; index: number; bits: number }
  | { reason: 'not-a-valid-key'; index: number }
  | { reason: 'duplicate-kid'; index: number }
  | { reason: 'kid-missing'; index: number };

/** Enough for an overlapping rotation on several hosts. */
const MAX_KEYS = 20;
const MAX_KID_LENGTH = 256;
const MIN_RSA_BITS = 2_048;
/** Verification cost grows with the square of the modulus; nobody needs more. */
const MAX_RSA_BITS = 8_192;
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth'];
const BASE64URL = /^[A-Za-z0-9_-]+$/;

const ALGORITHMS_OF_CURVE: { readonly [crv: string]: readonly AssertionAlgorithm[] } = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
  Ed25519: ['EdDSA', 'Ed25519'],
};
const RSA_ALGORITHMS: readonly AssertionAlgorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];

/**
 * Parses a client's key set (RFC 7517 §5, RFC 7591 §2 `jwks`) into signature keys that verification can trust as they
 * stand. A symmetric or private key anywhere refuses the set: the sender has published a secret. Keys for encryption
 * and unknown key types are passed over (RFC 7517 §5); at least one signature key must remain.
 */
export function parseClientJwks(value: JsonValue | undefined): Result<ClientJwks, JwksProblem> {
  if (!isJsonObject(value) || !Array.isArray(value.keys)) return err({ reason: 'not-a-key-set' });
  const entries: readonly JsonValue[] = value.keys;
  if (entries.length > MAX_KEYS) return err({ reason: 'too-many-keys', maxKeys: MAX_KEYS });
  const keys: ClientJwk[] = [];
  const kids = new Set<string>();
  let firstWithoutKid: number | null = null;
  for (const [index, entry] of entries.entries()) {
    const key = parseKey(entry, index);
    if (!key.ok) return key;
    if (key.value === null) continue;
    if (key.value.kid === undefined) firstWithoutKid ??= index;
    else if (kids.has(key.value.kid)) return err({ reason: 'duplicate-kid', index });
    else kids.add(key.value.kid);
    keys.push(key.value);
  }
  if (keys.length === 0) return err({ reason: 'no-signing-key' });
  if (keys.length > 1 && firstWithoutKid !== null)
    return err({ reason: 'kid-missing', index: firstWithoutKid });
  return ok({ keys });
}

/** The signature algorithms a key can verify: its own `alg` if it has one, else all its type allows. */
export function algorithmsOfKey(key: ClientJwk): readonly AssertionAlgorithm[] {
  if (key.alg !== undefined)
    return key.alg === 'EdDSA' || key.alg === 'Ed25519' ? ['EdDSA', 'Ed25519'] : [key.alg];
  if (key.kty === 'RSA') return RSA_ALGORITHMS;
  return ALGORITHMS_OF_CURVE[key.crv ?? ''] ?? [];
}

/** A sentence for the developer whose key set was refused. */
export function describeJwksProblem(problem: JwksProblem): string {
  switch (problem.reason) {
    case 'not-a-key-set':
      return 'jwks must be an object with an array of keys';
    case 'too-many-keys':
      return `jwks holds more than ${problem.maxKeys} keys`;
    case 'no-signing-key':
      return 'jwks holds no key that can verify a signature';
    case 'not-an-object':
      return `jwks key ${problem.index} is not an object`;
    case 'symmetric-key':
      return `jwks key ${problem.index} is a symmetric key, which is a secret`;
    case 'private-key':
      return `jwks key ${problem.index} contains private key members; publish the public key only`;
    case 'member-invalid':
      return `jwks key ${problem.index} has an invalid ${problem.member}`;
    case 'rsa-modulus-size':
      return `jwks key ${problem.index} has an RSA modulus of ${problem.bits} bits; ${MIN_RSA_BITS} to ${MAX_RSA_BITS} are allowed`;
    case 'not-a-valid-key':
      return `jwks key ${problem.index} is not a valid public key`;
    case 'duplicate-kid':
      return `jwks key ${problem.index} repeats the kid of an earlier key`;
    case 'kid-missing':
      return `jwks key ${problem.index} has no kid, which is needed when there are several keys`;
  }
}

function parseKey(entry: JsonValue, index: number): Result<ClientJwk | null, JwksProblem> {
  if (!isJsonObject(entry)) return err({ reason: 'not-an-object', index });
  if (entry.kty === 'oct' || entry.k !== undefined) return err({ reason: 'symmetric-key', index });
  if (PRIVATE_MEMBERS.some((member) => entry[member] !== undefined))
    return err({ reason: 'private-key', index });
  if (typeof entry.kty !== 'string') return err({ reason: 'member-invalid', index, member: 'kty' });
  if (entry.use !== undefined && entry.use !== 'sig') return ok(null);
  if (Array.isArray(entry.key_ops) && !entry.key_ops.includes('verify')) return ok(null);
  const { kid } = entry;
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH)) {
    return err({ reason: 'member-invalid', index, member: 'kid' });
  }
  const material = parseMaterial(entry, index);
  if (!material.ok || material.value === null) return material;
  const key: ClientJwk = { ...material.value, ...(kid === undefined ? {} : { kid }) };
  const { alg } = entry;
  if (alg === undefined) return ok(key);
  const named = algorithmsOfKey(key).find((allowed) => allowed === alg);
  // A key that names an algorithm of another kind is a key that would be used wrongly.
  if (named === undefined) return err({ reason: 'member-invalid', index, member: 'alg' });
  return ok({ ...key, alg: named });
}

function parseMaterial(entry: ParsedObject, index: number): Result<ClientJwk | null, JwksProblem> {
  const invalid = (member: string) => err({ reason: 'member-invalid' as const, index, member });
  const { kty, crv, x, y, n, e } = entry;
  if (kty === 'RSA') {
    if (!isBase64url(n)) return invalid('n');
    if (!isBase64url(e)) return invalid('e');
    const bits = bitLength(n);
    if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) return err({ reason: 'rsa-modulus-size', index, bits });
    // An exponent of 1 verifies everything; an even one is no exponent.
    const exponent = Buffer.from(e, 'base64url');
    if (exponent.length > 8 || bitLength(e) < 2 || ((exponent.at(-1) ?? 0) & 1) === 0) return invalid('e');
    return requireValid({ kty, n, e }, index);
  }
  if (kty !== 'EC' && kty !== 'OKP') return ok(null);
  if (typeof crv !== 'string') return invalid('crv');
  const isEdwards = crv === 'Ed25519';
  if (!Object.hasOwn(ALGORITHMS_OF_CURVE, crv) || isEdwards !== (kty === 'OKP')) return ok(null);
  if (!isBase64url(x)) return invalid('x');
  if (kty === 'OKP') return requireValid({ kty, crv, x }, index);
  if (!isBase64url(y)) return invalid('y');
  return requireValid({ kty, crv, x, y }, index);
}

/** Whether the numbers are a key at all: a point on the curve, a modulus of the stated size. */
function requireValid(key: ClientJwk, index: number): Result<ClientJwk, JwksProblem> {
  try {
    createPublicKey({ key: { ...key }, format: 'jwk' });
    return ok(key);
  } catch {
    return err({ reason: 'not-a-valid-key', index });
  }
}

function isBase64url(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value.length <= 2_048 && BASE64URL.test(value);
}

function bitLength(base64url: string): number {
  const bytes = Buffer.from(base64url, 'base64url');
  const first = bytes.findIndex((byte) => byte !== 0);
  if (first < 0) return 0;
  return (bytes.length - first - 1) * 8 + (32 - Math.clz32(bytes[first] as number));
}
