import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson } from '#lib/platform/canonical-json.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { Invalid } from '#lib/platform/errors.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { addKey, keyName } from './person-keys.ts';
import { requireRole } from './require.ts';
import { algorithmOf } from './signatures.ts';
import { requireStepUp } from './step-up.ts';

export const addCommandLineKeyInput = z.strictObject({
  name: keyName,
  /** Public JWK (RFC 7517), as text. */
  publicKey: z.string().trim().min(1, 'Paste the public key.').max(4_096),
});

/**
 * Registers the public half of a key that signs approvals on the command line, for the person at this browser. Whoever
 * holds the private half and an API token of this person can approve in their name, so it is as weighty as a passkey.
 */
export async function addCommandLineKey(
  ctx: Ctx,
  input: z.output<typeof addCommandLineKeyInput>,
): Promise<{ keyId: string }> {
  requireRole(ctx, 'approver');
  const person = requireStepUp(ctx);
  const read = readPublicJwk(input.publicKey);
  if (!read.ok) {
    throw new Invalid(read.error, { issues: [{ path: 'publicKey', message: read.error }] });
  }
  const { credentialId, publicKey } = read.value;
  return withTransaction(ctx, async (tx) => {
    const key = { kind: 'command line' as const, name: input.name, credentialId, publicKey };
    return { keyId: await addKey(tx, ctx, person.personId, key) };
  });
}

/** The members that make a public key, in one form, with their thumbprint (RFC 7638). The error is for people. */
export function readPublicJwk(text: string): Result<{ credentialId: string; publicKey: string }, string> {
  let jwk: JsonWebKey;
  try {
    jwk = JSON.parse(text) as JsonWebKey;
    if (jwk === null || typeof jwk !== 'object') throw new TypeError('no object');
  } catch {
    return err('This is not a JSON Web Key. Paste what “countersign keys new” printed.');
  }
  if (jwk.d !== undefined) {
    return err('This is the private half. Keep it where it is, and paste the public one.');
  }
  const alg = algorithmOf(jwk);
  if (alg === null) return err('Use an Ed25519 or a P-256 key.');
  const { kty, crv, x, y } = jwk;
  const material = alg === 'EdDSA' ? { kty, crv, x } : { kty, crv, x, y };
  try {
    createPublicKey({ key: material, format: 'jwk' });
  } catch {
    return err('The numbers in this key do not make one.');
  }
  const publicKey = canonicalJson(material);
  return ok({ credentialId: sha256(publicKey), publicKey });
}
