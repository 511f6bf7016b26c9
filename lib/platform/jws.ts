import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  verify,
} from 'node:crypto';

import { decodePart } from '#guard/jws.ts';

export { signCompact } from '#guard/jws.ts';

/** An Ed25519 public key as a JWK (RFC 8037), with the members a verifier looks it up by. */
export type Ed25519PublicJwk = {
  kty: 'OKP';
  crv: 'Ed25519';
  x: string;
  kid: string;
  alg: 'EdDSA';
};

/** A new Ed25519 pair under the given key id. The private JWK is a secret: seal it before it is stored. */
export function generateEd25519(kid: string): { publicJwk: Ed25519PublicJwk; privateJwk: JsonWebKey } {
  const pair = generateKeyPairSync('ed25519');
  const { x } = pair.publicKey.export({ format: 'jwk' });
  if (!x) throw new TypeError('Ed25519 export without x');
  return {
    publicJwk: { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA' },
    privateJwk: pair.privateKey.export({ format: 'jwk' }),
  };
}

export function openPrivateJwk(jwk: JsonWebKey): KeyObject {
  return createPrivateKey({ key: jwk, format: 'jwk' });
}

export function openPublicJwk(jwk: JsonWebKey): KeyObject {
  return createPublicKey({ key: jwk, format: 'jwk' });
}

export type CompactParts = {
  header: Record<string, unknown>;
  payload: Record<string, unknown>;
  /** What the signature is over, as it came. */
  signed: string;
  signature: Buffer;
};

/** Longest token looked at; ours stay below 6 KB. */
const maxTokenLength = 16_384;

/**
 * Takes a compact JWS apart and checks nothing else: nobody may act on the result before `verifiesEd25519`. Null for
 * anything that is not three base64url parts with two JSON objects.
 */
export function readCompact(token: string): CompactParts | null {
  if (token.length > maxTokenLength || !/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(token))
    return null;
  const [header, payload, signature] = token.split('.') as [string, string, string];
  const headerObject = decodePart(header);
  const payloadObject = decodePart(payload);
  if (!headerObject || !payloadObject) return null;
  return {
    header: headerObject,
    payload: payloadObject,
    signed: `${header}.${payload}`,
    signature: Buffer.from(signature, 'base64url'),
  };
}

/** Whether the signature is this Ed25519 key's. The algorithm is the key's, whatever the header says. */
export function verifiesEd25519(parts: CompactParts, key: KeyObject): boolean {
  if (parts.header.alg !== 'EdDSA' || key.asymmetricKeyType !== 'ed25519' || parts.signature.length !== 64) {
    return false;
  }
  return verify(null, Buffer.from(parts.signed, 'ascii'), key, parts.signature);
}

/** How each algorithm of RFC 7518 §3.1 and RFC 8037 §3.1 is verified, and by which kind of key alone. */
const verifications = {
  ES256: { hash: 'sha256', key: 'ec', curve: 'prime256v1', signatureBytes: 64 },
  ES384: { hash: 'sha384', key: 'ec', curve: 'secp384r1', signatureBytes: 96 },
  ES512: { hash: 'sha512', key: 'ec', curve: 'secp521r1', signatureBytes: 132 },
  EdDSA: { hash: null, key: 'ed25519', signatureBytes: 64 },
  Ed25519: { hash: null, key: 'ed25519', signatureBytes: 64 },
  PS256: { hash: 'sha256', key: 'rsa', saltBytes: 32 },
  PS384: { hash: 'sha384', key: 'rsa', saltBytes: 48 },
  PS512: { hash: 'sha512', key: 'rsa', saltBytes: 64 },
  RS256: { hash: 'sha256', key: 'rsa' },
  RS384: { hash: 'sha384', key: 'rsa' },
  RS512: { hash: 'sha512', key: 'rsa' },
} as const;
export type VerifiableAlgorithm = keyof typeof verifications;

/**
 * Whether a compact JWS is signed by this key with this algorithm. The caller has taken the algorithm from a list of
 * its own and found that the key is for it; a key of another kind or curve verifies nothing here either.
 */
export async function verifiesCompact(
  token: string,
  key: KeyObject,
  alg: VerifiableAlgorithm,
): Promise<boolean> {
  const lastDot = token.lastIndexOf('.');
  const signed = Buffer.from(token.slice(0, lastDot), 'ascii');
  const signature = Buffer.from(token.slice(lastDot + 1), 'base64url');
  const how = verifications[alg];
  if (key.asymmetricKeyType !== how.key) return false;
  if ('curve' in how && key.asymmetricKeyDetails?.namedCurve !== how.curve) return false;
  if ('signatureBytes' in how && signature.length !== how.signatureBytes) return false;
  if (how.key === 'ed25519') return verifyAside(null, signed, key, signature);
  if (how.key === 'ec') return verifyAside(how.hash, signed, key, toDerSignature(signature));
  const padding =
    'saltBytes' in how
      ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: how.saltBytes }
      : { padding: constants.RSA_PKCS1_PADDING };
  return verifyAside(how.hash, signed, { key, ...padding }, signature);
}

/** Verifies in the thread pool: the thread that answers requests, which is what is scarce, goes on meanwhile. */
function verifyAside(
  hash: string | null,
  signed: Buffer,
  key: Parameters<typeof verify>[2],
  signature: Buffer,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    verify(hash, signed, key, signature, (error, isValid) => (error ? reject(error) : resolve(isValid)));
  });
}

/**
 * R and S of RFC 7518 §3.4, side by side, as the ASN.1 sequence OpenSSL verifies (RFC 3279 §2.2.3). Node turns the one
 * into the other as well, by way of big numbers: 30 µs of the 110 µs that verifying took.
 */
function toDerSignature(rs: Buffer): Buffer {
  const half = rs.length / 2;
  const body = Buffer.concat([toDerInteger(rs.subarray(0, half)), toDerInteger(rs.subarray(half))]);
  // Of P-521 alone the sequence is longer than 127 bytes, and then below 256.
  const head = body.length < 128 ? [0x30, body.length] : [0x30, 0x81, body.length];
  return Buffer.concat([Buffer.from(head), body]);
}

/** A non-negative DER INTEGER: no leading zero but the one that keeps the first bit from meaning a sign. */
function toDerInteger(bytes: Buffer): Buffer {
  let first = 0;
  while (first < bytes.length - 1 && bytes[first] === 0) first++;
  const sign = (bytes[first] as number) & 0x80 ? [0] : [];
  const length = bytes.length - first + sign.length;
  return Buffer.concat([Buffer.from([0x02, length, ...sign]), bytes.subarray(first)]);
}
