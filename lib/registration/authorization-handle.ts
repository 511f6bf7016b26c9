import { addSeconds } from '#lib/platform/clock.ts';
import { equalInConstantTime, hmac, randomToken, sha256, type Vault } from '#lib/platform/crypto.ts';
import { Invalid } from '#lib/platform/errors.ts';

/**
 * What one GET of the authorization endpoint hands to the browser. That endpoint stores nothing and reads no cookie,
 * so the whole request travels in a sealed value: nobody can alter or read it, and it works once, for ten minutes.
 */
export type AuthorizationHandle = {
  clientId: string;
  /** With the port of the listener that waits now. */
  redirectUri: string;
  codeChallenge: string;
  state: string | null;
  /** Canonical resource of the catalogue, or null when the client named none and there is more than one. */
  resource: string | null;
  scope: string;
  /** When the client's own clock started, as near as we can know: its registration if fresh, else the first GET. */
  firstSeenAt: Date;
  issuedAt: Date;
  address: string | null;
  /** For a sign-in by code (RFC 8628): the device that waits, and the session that typed its code and may claim it. */
  device: HandleDevice | null;
};

export type HandleDevice = {
  id: string;
  address: string | null;
  userAgent: string | null;
  askedAt: Date;
  expiresAt: Date;
  sessionId: string;
};

/** How long a handle can be claimed, in seconds: time to sign in and fill the form, and no standing invitation. */
export const handleLifetimeSeconds = 600;

/** Clients stop listening 300 s after they opened the browser (measured); the wait ends before, in seconds. */
export const waitSeconds = 285;
export const clientPatienceSeconds = 300;

const sealedAs = 'authorization handle v1';

/** As it travels: JSON turns the instants within `device` into text. */
type Sealed = Omit<AuthorizationHandle, 'firstSeenAt' | 'issuedAt'> & {
  t0: number;
  at: number;
  nonce: string;
};

export function sealHandle(vault: Vault, handle: AuthorizationHandle): string {
  const { firstSeenAt, issuedAt, ...rest } = handle;
  const payload: Sealed = {
    ...rest,
    t0: firstSeenAt.getTime(),
    at: issuedAt.getTime(),
    nonce: randomToken(9),
  };
  return vault.seal(JSON.stringify(payload), sealedAs);
}

/** The handle inside. Throws `Invalid` when it is not ours, was altered, or is too old. */
export function openSealedHandle(vault: Vault, sealed: string, now: Date): AuthorizationHandle {
  let payload: Sealed;
  try {
    payload = JSON.parse(vault.open(sealed, sealedAs));
  } catch {
    throw new Invalid('This sign-in link is not valid. Start the sign-in again from your client.', {
      reason: 'handle invalid',
    });
  }
  const { t0, at, nonce: _nonce, device, ...rest } = payload;
  if (now.getTime() - at > handleLifetimeSeconds * 1000 || now.getTime() < at - 60_000) {
    throw new Invalid(
      'This sign-in link is older than ten minutes. Start the sign-in again from your client.',
      {
        reason: 'handle expired',
      },
    );
  }
  return {
    ...rest,
    firstSeenAt: new Date(t0),
    issuedAt: new Date(at),
    device: device && {
      ...device,
      askedAt: new Date(device.askedAt),
      expiresAt: new Date(device.expiresAt),
    },
  };
}

function handleDigest(sealed: string): string {
  return sha256(`authorization handle ${sealed}`);
}

/** Stored with the transaction a handle became: one transaction a handle, and one a device however often it is opened. */
export function transactionDigest(sealed: string, handle: AuthorizationHandle): string {
  return handle.device ? deviceTransactionDigest(handle.device.id) : handleDigest(sealed);
}

export function deviceTransactionDigest(deviceRequestId: string): string {
  return sha256(`device request ${deviceRequestId}`);
}

/** Until when a wait for this sign-in makes sense: a little before its client stops listening, or its device asking. */
export function waitEndsAt(handle: AuthorizationHandle): Date {
  return handle.device
    ? addSeconds(handle.device.expiresAt, waitSeconds - clientPatienceSeconds)
    : addSeconds(handle.firstSeenAt, waitSeconds);
}

/**
 * Binds a handle to the session that opened it: the page that shows the claim form carries this key, and only the
 * same person in the same session can send it back. Possession of the link alone claims nothing.
 */
export function claimKeyOf(vault: Vault, sealed: string, sessionId: string): string {
  return hmac(vault.deriveKey('claim key'), `${handleDigest(sealed)} ${sessionId}`);
}

export function isClaimKey(vault: Vault, sealed: string, sessionId: string, presented: string): boolean {
  return equalInConstantTime(claimKeyOf(vault, sealed, sessionId), presented);
}
