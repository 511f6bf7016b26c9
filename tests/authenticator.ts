import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server';
import type { Assertion, RegistrationResponse } from '#lib/access/webauthn.ts';

const flags = { present: 0x01, verified: 0x04, backupEligible: 0x08, backedUp: 0x10, attested: 0x40 };

export type AnswerOptions = {
  /** What the browser writes into the client data; the page's own origin unless a phishing page stands in. */
  origin?: string;
  /** The relying party whose hash goes into the authenticator data. */
  rpId?: string;
  /** False: the person only touched it. */
  verified?: boolean;
  /** The counter it claims; one more than last time unless given. */
  signCount?: number;
};

/**
 * A P-256 authenticator with one credential, in software: it makes the attestation ("none") and the assertions a
 * browser would hand over (Web Authentication Level 3 §6), genuinely signed. What an attacker controls can be chosen.
 */
export class Authenticator {
  readonly credentialId = randomBytes(32).toString('base64url');
  readonly #key: { publicKey: KeyObject; privateKey: KeyObject };
  readonly #origin: string;
  readonly #backedUp: boolean;
  /** Zero for good: as passkeys that are shared between devices do, it does not count. */
  readonly #counts: boolean;
  #signCount = 0;

  constructor(origin: string, { backedUp = false, counts = true } = {}) {
    this.#key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#origin = origin;
    this.#backedUp = backedUp;
    this.#counts = counts;
  }

  create(options: PublicKeyCredentialCreationOptionsJSON, answer: AnswerOptions = {}): RegistrationResponse {
    const { x = '', y = '' } = this.#key.publicKey.export({ format: 'jwk' });
    const id = Buffer.from(this.credentialId, 'base64url');
    // COSE_Key (RFC 9052 §7, RFC 9053 §7.1): kty EC2, alg ES256, crv P-256, x, y.
    const coseKey = Buffer.concat([
      Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
      cborBytes(Buffer.from(x, 'base64url')),
      Buffer.from([0x22]),
      cborBytes(Buffer.from(y, 'base64url')),
    ]);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(id.length);
    const authData = Buffer.concat([
      this.#authenticatorData(answer, flags.attested),
      Buffer.alloc(16),
      length,
      id,
      coseKey,
    ]);
    const attestationObject = Buffer.concat([
      Buffer.from([0xa3]),
      cborText('fmt'),
      cborText('none'),
      cborText('attStmt'),
      Buffer.from([0xa0]),
      cborText('authData'),
      cborBytes(authData),
    ]);
    return {
      id: this.credentialId,
      rawId: this.credentialId,
      type: 'public-key',
      response: {
        clientDataJSON: this.#clientData('webauthn.create', options.challenge, answer).toString('base64url'),
        attestationObject: attestationObject.toString('base64url'),
        transports: ['internal'],
      },
    };
  }

  get(
    options: Pick<PublicKeyCredentialRequestOptionsJSON, 'challenge'>,
    answer: AnswerOptions = {},
  ): Assertion {
    if (this.#counts) this.#signCount = answer.signCount ?? this.#signCount + 1;
    const authenticatorData = this.#authenticatorData(answer, 0);
    const clientData = this.#clientData('webauthn.get', options.challenge, answer);
    const signed = Buffer.concat([authenticatorData, createHash('sha256').update(clientData).digest()]);
    return {
      id: this.credentialId,
      rawId: this.credentialId,
      type: 'public-key',
      response: {
        clientDataJSON: clientData.toString('base64url'),
        authenticatorData: authenticatorData.toString('base64url'),
        signature: sign('sha256', signed, this.#key.privateKey).toString('base64url'),
      },
    };
  }

  #clientData(type: string, challenge: string, { origin = this.#origin }: AnswerOptions): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  }

  #authenticatorData({ rpId, verified = true }: AnswerOptions, more: number): Buffer {
    const party = rpId ?? new URL(this.#origin).hostname;
    const backup = this.#backedUp ? flags.backupEligible | flags.backedUp : 0;
    const count = Buffer.alloc(4);
    count.writeUInt32BE(this.#signCount);
    return Buffer.concat([
      createHash('sha256').update(party).digest(),
      Buffer.from([flags.present | (verified ? flags.verified : 0) | backup | more]),
      count,
    ]);
  }
}

function cborBytes(bytes: Buffer): Buffer {
  return Buffer.concat([cborHead(0x40, bytes.length), bytes]);
}

function cborText(text: string): Buffer {
  return Buffer.concat([cborHead(0x60, text.length), Buffer.from(text)]);
}

/** Head of a CBOR item of less than 64 KiB (RFC 8949 §3). */
function cborHead(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([major | length]);
  if (length < 256) return Buffer.from([major | 24, length]);
  return Buffer.from([major | 25, length >> 8, length & 0xff]);
}
