/**
 * The gate's half of the wire protocol: signing what guards believe and
 * verifying what guards say. No state: replay of `jti`, budgets and storage are
 * the gate's.
 */
import type { KeyObject } from 'node:crypto';
import { CompactEncrypt, importJWK } from 'jose';
import { canonicalJson, sha256 } from './canonical.ts';
import { keyIdOf, openCompact, openPublicKey, signCompact } from './jws.ts';
import {
  type Ack,
  type CatalogueClaims,
  type ClockReading,
  clockSkewSeconds,
  type Enrolment,
  type EnrolRequest,
  type FeedMessage,
  type GuardRefusalCode,
  guardAuthLifetimeSeconds,
  guardProtocolVersion,
  messageTypes,
  type PublicJwk,
  parseAck,
  parseEnrolProof,
  parseEnrolRequest,
  parseGuardAuth,
  parseReport,
  type Report,
  type ReportRecord,
  ShapeError,
} from './protocol.ts';

export { Slice, SliceDigest } from './slice.ts';

/** An Ed25519 private key and the id guards know it by. */
export type FeedKey = { kid: string; privateKey: KeyObject };

/** What is wrong with what a guard sent; `code` goes on the wire, the message into the log. */
export class GuardRefused extends Error {
  readonly code: GuardRefusalCode;
  constructor(code: GuardRefusalCode, message: string) {
    super(message);
    this.name = 'GuardRefused';
    this.code = code;
  }
}

const sign = ({ kid, privateKey }: FeedKey, typ: string, payload: object): string =>
  signCompact(privateKey, { typ, kid }, payload);

export const signFeedMessage = (key: FeedKey, message: FeedMessage) => sign(key, messageTypes.feed, message);
export const signClockReading = (key: FeedKey, reading: ClockReading) =>
  sign(key, messageTypes.clock, reading);
export const signEnrolment = (key: FeedKey, enrolment: Enrolment) =>
  sign(key, messageTypes.enrolment, enrolment);
/** For the gate's own MCP client, which reads a server's lists through its guard. */
export const signCatalogueToken = (key: FeedKey, claims: CatalogueClaims) =>
  sign(key, messageTypes.catalogue, claims);

/** Encrypts the headers an upstream asks for so that only this guard reads them. */
export async function sealUpstreamHeaders(
  encryptionKey: PublicJwk,
  headers: Record<string, string>,
): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(headers)))
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM' })
    .encrypt(await importJWK(encryptionKey, 'ECDH-ES'));
}

/**
 * The request of a guard that wants to join, its proof of possession verified.
 * Whether `joinSecret` is one of ours and unused is for the caller.
 * Throws `GuardRefused`.
 */
export async function verifyEnrolRequest(
  body: unknown,
  expect: { issuer: string; nowSeconds: number },
): Promise<EnrolRequest> {
  const request = shaped('guard_auth_invalid', () => parseEnrolRequest(body));
  if (request.protocol !== guardProtocolVersion)
    throw new GuardRefused('protocol_unsupported', `protocol ${request.protocol} is not spoken here`);
  if (request.signingKey.crv !== 'Ed25519' || request.encryptionKey.crv !== 'X25519')
    throw new GuardRefused('guard_auth_invalid', 'keys must be Ed25519 and X25519');
  const payload = verified(request.proof, messageTypes.enrolProof, request.signingKey);
  const claims = shaped('guard_auth_invalid', () => parseEnrolProof(payload));
  if (claims.aud !== expect.issuer || claims.sec !== sha256(request.joinSecret))
    throw new GuardRefused('guard_auth_invalid', 'the proof is for something else');
  requireFresh(claims, expect.nowSeconds);
  return request;
}

/**
 * Who sent a request under `/guards/`. `keyOf` finds the enrolled signing key or
 * throws `GuardRefused` (unknown, revoked). The caller must refuse a `jti` it
 * has seen before `exp`. `path` is path and query as received.
 */
export async function verifyGuardRequest(
  request: {
    authorization: string | null | undefined;
    method: string;
    path: string;
    body: Uint8Array | string;
  },
  expect: { issuer: string; nowSeconds: number; keyOf(guardId: string): Promise<PublicJwk> | PublicJwk },
): Promise<{ guardId: string; jti: string; exp: number }> {
  const jws = /^Guard ([A-Za-z0-9_.-]{1,4096})$/.exec(request.authorization ?? '')?.[1];
  if (!jws) throw new GuardRefused('guard_auth_invalid', 'no Guard credential');
  const guardId = guardIdOf(jws);
  const payload = verified(jws, messageTypes.auth, await expect.keyOf(guardId));
  const auth = shaped('guard_auth_invalid', () => parseGuardAuth(payload));
  if (auth.iss !== guardId || auth.aud !== expect.issuer)
    throw new GuardRefused('guard_auth_invalid', 'issuer or audience differ');
  if (auth.req !== `${request.method} ${request.path}` || auth.bod !== sha256(request.body))
    throw new GuardRefused('guard_auth_invalid', 'signed for another request');
  requireFresh(auth, expect.nowSeconds);
  return { guardId, jti: auth.jti, exp: auth.exp };
}

/** An ack, verified to be by this guard for this issuer. */
export async function verifyAck(
  jws: string,
  expect: { issuer: string; guardId: string; key: PublicJwk },
): Promise<Ack> {
  const payload = verified(jws, messageTypes.ack, expect.key);
  const ack = shaped('guard_auth_invalid', () => parseAck(payload));
  if (ack.iss !== expect.guardId || ack.aud !== expect.issuer)
    throw new GuardRefused('guard_auth_invalid', 'the ack is by or for someone else');
  return ack;
}

/**
 * A report, verified to be by this guard for this issuer, its records contiguous
 * and chained among themselves. That the first follows the last stored one is
 * checked by `followsRecord`.
 */
export async function verifyReport(
  jws: string,
  expect: { issuer: string; guardId: string; key: PublicJwk },
): Promise<Report> {
  const payload = verified(jws, messageTypes.report, expect.key);
  const report = shaped('guard_auth_invalid', () => parseReport(payload));
  if (report.iss !== expect.guardId || report.aud !== expect.issuer)
    throw new GuardRefused('guard_auth_invalid', 'the report is by or for someone else');
  for (let index = 1; index < report.records.length; index++) {
    const [before, record] = [report.records[index - 1], report.records[index]];
    if (before && record && !followsRecord(record, { number: before.number, digest: recordDigest(before) }))
      throw new GuardRefused(
        'guard_auth_invalid',
        `record ${record.number} does not follow ${before.number}`,
      );
  }
  return report;
}

/** Digest the next record must carry in `previous`. */
export function recordDigest(record: ReportRecord): string {
  return sha256(canonicalJson(record));
}

/** `last`: the last stored record of the guard, or null before the first. */
export function followsRecord(
  record: ReportRecord,
  last: { number: number; digest: string } | null,
): boolean {
  return last
    ? record.number === last.number + 1 && record.previous === last.digest
    : record.number === 1 && record.previous === sha256('');
}

function guardIdOf(jws: string): string {
  const kid = keyIdOf(jws);
  if (kid !== null && /^[A-Za-z0-9_-]{1,64}$/.test(kid)) return kid;
  throw new GuardRefused('guard_auth_invalid', 'no key id');
}

function verified(jws: string, typ: string, key: PublicJwk): unknown {
  const opened = publicKeyOf(key);
  const payload = opened && openCompact(jws, typ, opened);
  if (payload === null) throw new GuardRefused('guard_auth_invalid', 'the signature does not hold');
  return payload;
}

/** Null for a JWK that is no key: who enrols sends one of its own, and anything may try to. */
function publicKeyOf(jwk: PublicJwk): KeyObject | null {
  try {
    return openPublicKey(jwk);
  } catch {
    return null;
  }
}

function requireFresh(claims: { iat: number; exp: number }, nowSeconds: number): void {
  if (claims.exp - claims.iat > guardAuthLifetimeSeconds || claims.exp < claims.iat)
    throw new GuardRefused('guard_auth_invalid', 'lives too long');
  if (nowSeconds > claims.exp + clockSkewSeconds || nowSeconds < claims.iat - clockSkewSeconds)
    throw new GuardRefused('clock_skew', 'the clocks of guard and gate are too far apart');
}

function shaped<T>(code: GuardRefusalCode, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof ShapeError) throw new GuardRefused(code, cause.message);
    throw cause;
  }
}
