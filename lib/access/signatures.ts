import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { z } from 'zod';
import { sha256Bytes } from '#lib/platform/crypto.ts';
import { readCompact, type VerifiableAlgorithm, verifiesCompact } from '#lib/platform/jws.ts';
import type { StoredKey } from './key-material.ts';
import { assertionSchema, digestOfChallenge, verifyAssertion } from './webauthn.ts';

/** What a person signed a text with, as it is sent and stored. */
export const signatureSchema = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('passkey'), assertion: assertionSchema }),
  z.strictObject({ by: z.literal('command line'), jws: z.string().max(8_192) }),
]);
export type Signature = z.output<typeof signatureSchema>;

/** `typ` of a signature made on the command line (RFC 7515 §4.1.9): no other signature of that key can pass for one. */
export const signedApprovalType = 'countersign-approval+jws';

/** The challenge a passkey is given for a text: SHA-256 over its UTF-8 bytes. */
export function challengeFor(text: string): Buffer {
  return sha256Bytes(Buffer.from(text, 'utf8'));
}

/** Algorithm of a registered key by its type; null for a key that cannot be registered. */
export function algorithmOf(jwk: JsonWebKey): Extract<VerifiableAlgorithm, 'EdDSA' | 'ES256'> | null {
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return 'EdDSA';
  if (jwk.kty === 'EC' && jwk.crv === 'P-256') return 'ES256';
  return null;
}

/**
 * Whether this key signed exactly this text. Says nothing of whose the key is or whether it still counts; and whatever
 * was signed long ago is checked with it, so a passkey's counter is not looked at. Pure but for the arithmetic.
 */
export async function isSignedBy(
  key: Pick<StoredKey, 'kind' | 'credentialId' | 'publicKey' | 'rpId' | 'origin'>,
  text: string,
  signature: Signature,
): Promise<boolean> {
  if (signature.by !== key.kind) return false;
  if (signature.by === 'passkey') {
    const checked = await verifyAssertion(
      key,
      key,
      digestOfChallenge(challengeFor(text)),
      signature.assertion,
    );
    return checked.ok;
  }
  const parts = readCompact(signature.jws);
  if (!parts || parts.header.typ !== signedApprovalType || parts.header.kid !== key.credentialId)
    return false;
  const [, payload = ''] = signature.jws.split('.');
  if (Buffer.from(payload, 'base64url').toString('utf8') !== text) return false;
  const jwk = JSON.parse(key.publicKey) as JsonWebKey;
  const alg = algorithmOf(jwk);
  if (alg === null || parts.header.alg !== alg) return false;
  return verifiesCompact(signature.jws, createPublicKey({ key: jwk, format: 'jwk' }), alg);
}
