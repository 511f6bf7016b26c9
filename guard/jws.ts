import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { PublicJwk } from './protocol.ts';

/**
 * What gate and guard tell each other, in compact form (RFC 7515 §7.1), signed with Ed25519 (RFC 8037 §3.1) on the thread
 * that asks: that takes 30 to 100 µs, where the way through the thread pool takes milliseconds on a machine that is busy,
 * and a revocation, a report and a call all wait for it.
 */
export function signCompact(key: KeyObject, header: { typ: string; kid?: string }, payload: object): string {
  const signed = `${encode({ alg: 'EdDSA', ...header })}.${encode(payload)}`;
  return `${signed}.${sign(null, Buffer.from(signed, 'ascii'), key).toString('base64url')}`;
}

/**
 * The payload of a compact JWS of exactly this type that this Ed25519 key signed; null for anything else. The algorithm
 * is the key's, whatever the header says, and a header that demands to be understood is not (RFC 7515 §4.1.11).
 */
export function openCompact(jws: string, typ: string, key: KeyObject): Record<string, unknown> | null {
  const [header = '', payload = '', signature = '', ...more] = jws.split('.');
  if (more.length > 0 || ![header, payload, signature].every((part) => /^[A-Za-z0-9_-]+$/.test(part)))
    return null;
  const said = decodePart(header);
  if (said?.alg !== 'EdDSA' || said.typ !== typ || 'crit' in said) return null;
  const bytes = Buffer.from(signature, 'base64url');
  if (key.asymmetricKeyType !== 'ed25519' || bytes.length !== 64) return null;
  return verify(null, Buffer.from(`${header}.${payload}`, 'ascii'), key, bytes) ? decodePart(payload) : null;
}

/** The key id a compact JWS names, unverified; null when it names none. */
export function keyIdOf(jws: string): string | null {
  const kid = decodePart(jws.split('.', 1)[0] ?? '')?.kid;
  return typeof kid === 'string' ? kid : null;
}

const opened = new WeakMap<PublicJwk, KeyObject>();

/** A public key ready to verify with, made once for each JWK object. Throws for one that is no key. */
export function openPublicKey(jwk: PublicJwk): KeyObject {
  let key = opened.get(jwk);
  if (!key) {
    key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    opened.set(jwk, key);
  }
  return key;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A part of a compact JWS that is a JSON object; null for anything else. */
export function decodePart(part: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
