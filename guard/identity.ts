import { createPrivateKey, type JsonWebKey, KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  type CryptoKey,
  calculateJwkThumbprint,
  compactVerify,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose';
import { sha256 } from './canonical.ts';
import type { Clock } from './clock.ts';
import {
  guardAuthLifetimeSeconds,
  guardPaths,
  guardProtocolVersion,
  messageTypes,
  type PublicJwk,
  type PublicJwks,
  parseEnrolment,
  parseJoinToken,
  type ServerFacts,
} from './protocol.ts';

/** Who this guard is. Kept in its state folder, readable by its own user only. */
export type Identity = {
  guardId: string;
  issuer: string;
  consoleOrigin: string;
  /** Keys whose signatures on the feed are believed; the first came with the join token. */
  feedKeys: PublicJwks;
  signingKey: KeyObject;
  encryptionKey: CryptoKey;
};

type StoredIdentity = Omit<Identity, 'signingKey' | 'encryptionKey'> & {
  signingKey: JWK;
  encryptionKey: JWK;
};

const identityFile = (stateDir: string) => path.join(stateDir, 'identity.json');

/** The identity stored by an earlier enrolment, or null. */
export async function loadIdentity(stateDir: string): Promise<Identity | null> {
  let stored: StoredIdentity;
  try {
    stored = JSON.parse(readFileSync(identityFile(stateDir), 'utf8'));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw cause;
  }
  return {
    ...stored,
    signingKey: createPrivateKey({ key: stored.signingKey as JsonWebKey, format: 'jwk' }),
    encryptionKey: (await importJWK(stored.encryptionKey, 'ECDH-ES')) as CryptoKey,
  };
}

/** What went wrong while enrolling, in words for whoever started the guard. */
export class EnrolmentError extends Error {}

/**
 * Spends a join token: makes keys, sends the public halves, and believes the
 * answer only if it is signed by the feed key the token names. The keys are on
 * disk before the token is spent.
 */
export async function enrol(
  joinTokenText: string,
  options: { stateDir: string; name: string; version: string; clock: Clock; fetch?: typeof fetch },
): Promise<{ identity: Identity; servers: ServerFacts[] }> {
  const token = parseJoinToken(joinTokenText);
  const signing = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const encryption = await generateKeyPair('ECDH-ES', { crv: 'X25519', extractable: true });
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });

  const iat = Math.floor(options.clock.wallMs() / 1000);
  const proof = await new SignJWT({ sec: sha256(token.sec), jti: crypto.randomUUID() })
    .setProtectedHeader({ alg: 'EdDSA', typ: messageTypes.enrolProof })
    .setAudience(token.iss)
    .setIssuedAt(iat)
    .setExpirationTime(iat + guardAuthLifetimeSeconds)
    .sign(signing.privateKey);
  const response = await (options.fetch ?? fetch)(`${token.iss}${guardPaths.enrol}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      protocol: guardProtocolVersion,
      version: options.version,
      name: options.name,
      joinSecret: token.sec,
      signingKey: publicJwk(await exportJWK(signing.publicKey)),
      encryptionKey: publicJwk(await exportJWK(encryption.publicKey)),
      proof,
    }),
    redirect: 'error',
    signal: AbortSignal.timeout(15_000),
  });
  const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  if (response.status !== 201)
    throw new EnrolmentError(
      `${token.iss} refused the join token: ${String(answer.code ?? response.status)} ${String(answer.detail ?? '')}`,
    );
  const enrolment = await openEnrolment(String(answer.enrolment), token.fkt);
  if (enrolment.iss !== token.iss) throw new EnrolmentError('the enrolment is of another issuer');

  const { guardId, feedKeys, consoleOrigin } = enrolment;
  const common = { guardId, issuer: token.iss, consoleOrigin, feedKeys };
  saveIdentity(options.stateDir, {
    ...common,
    signingKey: await exportJWK(signing.privateKey),
    encryptionKey: await exportJWK(encryption.privateKey),
  });
  return {
    identity: {
      ...common,
      signingKey: KeyObject.from(signing.privateKey),
      encryptionKey: encryption.privateKey,
    },
    servers: enrolment.servers,
  };
}

/** Stores feed keys and console origin as last announced. */
export function updateIdentity(stateDir: string, change: Pick<Identity, 'consoleOrigin' | 'feedKeys'>): void {
  const stored: StoredIdentity = JSON.parse(readFileSync(identityFile(stateDir), 'utf8'));
  saveIdentity(stateDir, { ...stored, ...change });
}

function saveIdentity(stateDir: string, identity: StoredIdentity): void {
  const file = identityFile(stateDir);
  writeFileSync(`${file}.new`, JSON.stringify(identity, null, 2), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/**
 * The key is taken from the answer and must have the thumbprint from the token:
 * whoever can answer without the gate's feed key cannot make one that has.
 */
async function openEnrolment(jws: string, thumbprint: string) {
  const payloadPart = jws.split('.')[1] ?? '';
  let claimed: ReturnType<typeof parseEnrolment>;
  try {
    claimed = parseEnrolment(JSON.parse(Buffer.from(payloadPart, 'base64url').toString('utf8')));
  } catch {
    throw new EnrolmentError('the gate answered with something else than an enrolment');
  }
  for (const key of claimed.feedKeys.keys) {
    if ((await calculateJwkThumbprint(key as JWK, 'sha256')) !== thumbprint) continue;
    const { protectedHeader } = await compactVerify(jws, await importJWK(key as JWK, 'EdDSA'), {
      algorithms: ['EdDSA'],
    }).catch(() => {
      throw new EnrolmentError('the enrolment is not signed by the key the join token names');
    });
    if (protectedHeader.typ === messageTypes.enrolment) return claimed;
  }
  throw new EnrolmentError('the enrolment does not hold the key the join token names');
}

function publicJwk({ kty, crv, x, y }: JWK): PublicJwk {
  return { kty, crv, x, ...(y ? { y } : {}) } as PublicJwk;
}
