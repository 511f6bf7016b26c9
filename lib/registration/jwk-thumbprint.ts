import type { ClientJwk } from '#lib/oauth/jwks.ts';
import { canonicalJson } from '#lib/platform/canonical-json.ts';
import { sha256 } from '#lib/platform/crypto.ts';

const members = { EC: ['crv', 'kty', 'x', 'y'], OKP: ['crv', 'kty', 'x'], RSA: ['e', 'kty', 'n'] } as const;

/** The SHA-256 thumbprint of a public key (RFC 7638 §3): the same for the same key, however it is written. */
export function jwkThumbprint(key: ClientJwk): string {
  const required = members[key.kty];
  return sha256(canonicalJson(Object.fromEntries(required.map((member) => [member, key[member] ?? '']))));
}
