import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from '@simplewebauthn/server';
import { z } from 'zod';
import { sha256 } from '#lib/platform/crypto.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import type { RelyingParty } from './relying-party.ts';

export type { PublicKeyCredentialCreationOptionsJSON, PublicKeyCredentialRequestOptionsJSON };

/** Loaded at the first use: it brings 25 MB with it, and many processes never see a passkey. */
const library = () => import('@simplewebauthn/server');

/** COSE algorithms a passkey may use, the preferred first: Ed25519, ES256, RS256 (Windows Hello has nothing else). */
const algorithms = [-8, -7, -257];
/** What the browser gives the person, in milliseconds. */
const patienceMs = 4 * 60_000;

/** How a passkey may be reached, as the browser said when it was made: only ever shown back to a browser. */
const transports = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'] as const;
type Transport = (typeof transports)[number];

export function toTransports(values: readonly string[] | undefined): Transport[] {
  return transports.filter((transport) => values?.includes(transport));
}

export type KnownCredential = { credentialId: string; transports: readonly string[] };

export async function creationOptions(
  { rpId }: RelyingParty,
  person: { personId: string; email: string; displayName: string },
  challenge: Uint8Array<ArrayBuffer>,
  existing: readonly KnownCredential[],
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { generateRegistrationOptions } = await library();
  return generateRegistrationOptions({
    rpName: 'Countersign',
    rpID: rpId,
    userID: new Uint8Array(Buffer.from(person.personId)),
    userName: person.email,
    userDisplayName: person.displayName,
    challenge,
    timeout: patienceMs,
    attestationType: 'none',
    excludeCredentials: existing.map(toDescriptor),
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    supportedAlgorithmIDs: algorithms,
  });
}

export async function requestOptions(
  { rpId }: RelyingParty,
  challenge: Uint8Array<ArrayBuffer>,
  allowed: readonly KnownCredential[],
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { generateAuthenticationOptions } = await library();
  return generateAuthenticationOptions({
    rpID: rpId,
    challenge,
    timeout: patienceMs,
    userVerification: 'required',
    allowCredentials: allowed.map(toDescriptor),
  });
}

function toDescriptor({ credentialId, transports: known }: KnownCredential) {
  return { id: credentialId, transports: toTransports(known) };
}

const base64url = z
  .string()
  .max(8_192)
  .regex(/^[A-Za-z0-9_-]+$/);
const credentialIdSchema = z
  .string()
  .min(1)
  .max(1_366)
  .regex(/^[A-Za-z0-9_-]+$/);

/** `RegistrationResponseJSON` (Web Authentication Level 3 §5.1.2.1), as far as it is looked at. */
export const registrationResponseSchema = z.object({
  id: credentialIdSchema,
  rawId: credentialIdSchema,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: base64url,
    attestationObject: base64url,
    transports: z.array(z.string().max(32)).max(16).optional(),
  }),
});
export type RegistrationResponse = z.output<typeof registrationResponseSchema>;

/** `AuthenticationResponseJSON` (Web Authentication Level 3 §5.1.3), as far as it is looked at. */
export const assertionSchema = z.object({
  id: credentialIdSchema,
  rawId: credentialIdSchema,
  type: z.literal('public-key'),
  response: z.object({
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
  }),
});
export type Assertion = z.output<typeof assertionSchema>;

/** Digest of the challenge an answer is about, so that the row it belongs to can be found; null when it names none. */
export function challengeDigestOf(answer: { response: { clientDataJSON: string } }): string | null {
  try {
    const client: unknown = JSON.parse(
      Buffer.from(answer.response.clientDataJSON, 'base64url').toString('utf8'),
    );
    const challenge = (client as { challenge?: unknown } | null)?.challenge;
    return typeof challenge === 'string' ? digestOfChallenge(challenge) : null;
  } catch {
    return null;
  }
}

/** The form a challenge is stored in. */
export function digestOfChallenge(challenge: string | Uint8Array): string {
  return sha256(typeof challenge === 'string' ? Buffer.from(challenge, 'base64url') : challenge);
}

export type NewCredential = {
  credentialId: string;
  /** COSE key, base64url. */
  publicKey: string;
  signCount: number;
  backedUp: boolean;
  transports: Transport[];
};

/**
 * Checks what a browser answers to `creationOptions` (Web Authentication Level 3 §7.1): challenge, origin, relying party,
 * user present and verified, and that the key is one of our algorithms. Attestation is not asked for and not believed.
 */
export async function verifyRegistration(
  party: RelyingParty,
  challengeDigest: string,
  response: RegistrationResponse,
): Promise<Result<NewCredential, string>> {
  const { verifyRegistrationResponse } = await library();
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: { ...response, clientExtensionResults: {} } as unknown as RegistrationResponseJSON,
      expectedChallenge: (challenge) => digestOfChallenge(challenge) === challengeDigest,
      expectedOrigin: party.origin,
      expectedRPID: party.rpId,
      requireUserVerification: true,
      supportedAlgorithmIDs: algorithms,
    });
    if (!verified || !registrationInfo) return err('not verified');
    const { credential, credentialBackedUp } = registrationInfo;
    return ok({
      credentialId: credential.id,
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      signCount: credential.counter,
      backedUp: credentialBackedUp,
      transports: toTransports(response.response.transports),
    });
  } catch (error) {
    return err((error as Error).message);
  }
}

export type CheckedAssertion = { signCount: number; backedUp: boolean };

/**
 * Checks an assertion (Web Authentication Level 3 §7.2): credential, challenge, origin, relying party, user present and
 * verified, signature. Whether the counter went up is the caller's to judge, because what was signed long ago is
 * checked with this too.
 */
export async function verifyAssertion(
  party: RelyingParty,
  key: { credentialId: string; publicKey: string },
  challengeDigest: string,
  assertion: Assertion,
): Promise<Result<CheckedAssertion, string>> {
  if (assertion.id !== key.credentialId || assertion.rawId !== key.credentialId) {
    return err('another credential');
  }
  const { verifyAuthenticationResponse } = await library();
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...assertion, clientExtensionResults: {} } as unknown as AuthenticationResponseJSON,
      expectedChallenge: (challenge) => digestOfChallenge(challenge) === challengeDigest,
      expectedOrigin: party.origin,
      expectedRPID: party.rpId,
      requireUserVerification: true,
      credential: {
        id: key.credentialId,
        publicKey: new Uint8Array(Buffer.from(key.publicKey, 'base64url')),
        counter: 0,
      },
    });
    if (!verified) return err('the signature does not hold');
    return ok({ signCount: authenticationInfo.newCounter, backedUp: authenticationInfo.credentialBackedUp });
  } catch (error) {
    return err((error as Error).message);
  }
}
