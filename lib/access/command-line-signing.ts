import { createPrivateKey, type JsonWebKey, sign } from 'node:crypto';
import { readPublicJwk } from './command-line-keys.ts';
import { algorithmOf, type Signature, signedApprovalType } from './signatures.ts';

/**
 * Signs the statement of an approval with a private JWK, for whoever holds one: the command line, and the demo. The
 * payload is the statement's very bytes. Throws TypeError for a key that cannot be registered.
 */
export function signStatement(
  privateJwk: JsonWebKey,
  statement: string,
): Extract<Signature, { by: 'command line' }> {
  const alg = algorithmOf(privateJwk);
  const { d, ...publicJwk } = privateJwk;
  const known = readPublicJwk(JSON.stringify(publicJwk));
  if (alg === null || !known.ok || d === undefined) throw new TypeError('not a private Ed25519 or P-256 key');
  const header = { alg, typ: signedApprovalType, kid: known.value.credentialId };
  const encode = (text: string) => Buffer.from(text, 'utf8').toString('base64url');
  const signed = `${encode(JSON.stringify(header))}.${encode(statement)}`;
  const key = createPrivateKey({ key: privateJwk, format: 'jwk' });
  const signature = sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(signed, 'ascii'), {
    key,
    dsaEncoding: 'ieee-p1363',
  });
  return { by: 'command line', jws: `${signed}.${signature.toString('base64url')}` };
}
