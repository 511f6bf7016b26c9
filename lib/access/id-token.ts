import { errors, type JWTPayload, jwtVerify } from 'jose';
import type { Clock } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import { Unavailable } from '#lib/platform/errors.ts';
import type { IdentityProvider } from '#lib/platform/identity-provider.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { displayNameInput, emailInput } from './passwords.ts';
import { idTokenAlgorithms, providerKeys, readProviderMetadata } from './provider-metadata.ts';

/** Who the provider says has just signed in. */
export type ProviderIdentity = {
  issuer: string;
  subject: string;
  email: string;
  displayName: string;
  groups: readonly string[];
  /** When they last proved there who they are (`auth_time`), never later than now; null when the provider does not say. */
  authenticatedAt: Date | null;
  /** SHA-256 of what is signed, which signs in once until `expiresAt`: a signature can be written in several ways. */
  digest: string;
  expiresAt: Date;
};

export type IdTokenProblem =
  | { reason: 'token not valid'; detail: string }
  /** Nobody to write to, or an address the provider itself says is not verified. */
  | { reason: 'no verified e-mail address' };

const clockToleranceSeconds = 30;
/** It was asked for a moment ago. */
const maxAgeSeconds = 300;
const maxTokenLength = 16_384;
const maxGroups = 2_000;

/**
 * Checks an ID token as OpenID Connect Core 1.0 §3.1.3.7 says: signature by a key the configured issuer publishes,
 * issuer, audience, authorized party, age; and takes out of it who signed in. The nonce was compared by whoever ran the
 * dance; here the token counts once instead.
 *
 * @throws Unavailable when the provider's keys cannot be read.
 */
export async function verifyIdToken(
  provider: IdentityProvider,
  token: string,
  clock: Clock,
): Promise<Result<ProviderIdentity, IdTokenProblem>> {
  if (token.length > maxTokenLength) return err({ reason: 'token not valid', detail: 'too long' });
  const { jwksUri } = await readProviderMetadata(provider.issuer, clock);
  let claims: JWTPayload;
  try {
    const verified = await jwtVerify(token, providerKeys(jwksUri), {
      issuer: provider.issuer,
      audience: provider.clientId,
      algorithms: [...idTokenAlgorithms],
      clockTolerance: clockToleranceSeconds,
      maxTokenAge: maxAgeSeconds,
      requiredClaims: ['sub', 'exp', 'iat', 'nonce'],
      currentDate: clock.now(),
    });
    claims = verified.payload;
  } catch (error) {
    const isAboutToken =
      error instanceof errors.JOSEError &&
      !(error instanceof errors.JWKSTimeout) &&
      !(error instanceof errors.JWKSInvalid) &&
      error.code !== 'ERR_JOSE_GENERIC';
    if (isAboutToken) return err({ reason: 'token not valid', detail: error.message });
    throw new Unavailable("The identity provider's keys could not be read.", {}, { cause: error });
  }
  const { sub, azp, exp } = claims;
  if (typeof sub !== 'string' || sub === '' || sub.length > 255) {
    return err({ reason: 'token not valid', detail: 'no usable sub' });
  }
  // Named for several parties, it says which of them asked (Core §3.1.3.7, items 4 and 5).
  if ((Array.isArray(claims.aud) && claims.aud.length > 1) || azp !== undefined) {
    if (azp !== provider.clientId)
      return err({ reason: 'token not valid', detail: 'issued to another client' });
  }
  const email = emailInput.safeParse(claims.email);
  if (!email.success || !isVerified(claims.email_verified, provider)) {
    return err({ reason: 'no verified e-mail address' });
  }
  return ok({
    issuer: provider.issuer,
    subject: sub,
    email: email.data,
    displayName: displayNameOf(claims, email.data),
    groups: groupsOf(claims[provider.groupsClaim]),
    authenticatedAt: authenticatedAtOf(claims.auth_time, clock.now()),
    digest: sha256(token.slice(0, token.lastIndexOf('.'))),
    expiresAt: new Date((exp as number) * 1000 + clockToleranceSeconds * 1000),
  });
}

/** Some providers say nothing of their addresses; believing them then is the operator's word. */
function isVerified(claim: unknown, provider: IdentityProvider): boolean {
  return claim === true || claim === 'true' || (claim === undefined && provider.assumesVerifiedEmail);
}

/** A time ahead of ours by more than clocks differ is none. */
function authenticatedAtOf(claim: unknown, now: Date): Date | null {
  if (typeof claim !== 'number' || !Number.isFinite(claim) || claim < 0) return null;
  const at = claim * 1000;
  if (at > now.getTime() + clockToleranceSeconds * 1000) return null;
  return new Date(Math.min(at, now.getTime()));
}

/** The first of the names it carries that a person can be shown under. */
function displayNameOf(claims: JWTPayload, email: string): string {
  for (const given of [claims.name, claims.preferred_username]) {
    const name = displayNameInput.safeParse(given);
    if (name.success) return name.data;
  }
  return email.split('@')[0]?.slice(0, 100) || email.slice(0, 100);
}

/** A list of texts, or one text for somebody in a single group; anything else is no group. */
function groupsOf(claim: unknown): string[] {
  const given = Array.isArray(claim) ? claim.slice(0, maxGroups) : [claim];
  return given.filter((group) => typeof group === 'string');
}
