import { type OAuthErrorAnswer, oauthError } from '#lib/oauth/oauth-error.ts';
import type { Parameters } from '#lib/oauth/parameters.ts';
import { parseResource } from '#lib/oauth/resource.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';

/** RFC 8628 §3.4. */
export const deviceCodeGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/**
 * Where a device's sign-in leads: nowhere. It stands for a redirect URI wherever an authorization transaction has one,
 * and no client can register it, since it is no address a browser could be sent to.
 */
export const deviceRedirectUri = deviceCodeGrant;

/** A device asks for a pair of codes (RFC 8628 §3.1). */
export type DeviceAuthorizationRequest = { scope: string; resource: string | null };

/** Longest scope kept: a hint which tools are wanted, never a grant. */
const maxScopeLength = 500;

/** Parses a device authorization request in form. Not checked: who the client is, and whether the resource is known. */
export function parseDeviceAuthorizationRequest(
  form: Parameters,
): Result<DeviceAuthorizationRequest, OAuthErrorAnswer> {
  const resource = form.get('resource') ?? null;
  if (resource !== null && !parseResource(resource).ok) {
    return err(
      oauthError('invalid_target', 'resource is not an absolute http or https URI without fragment'),
    );
  }
  return ok({ scope: (form.get('scope') ?? '').slice(0, maxScopeLength), resource });
}

/** Letters that are not taken for each other and spell no words (RFC 8628 §6.1). */
export const userCodeLetters = 'BCDFGHJKLMNPQRSTVWXZ';
export const userCodeLength = 8;

/**
 * What a device shows: the letters a person types, and a number they compare. `BCDF-GHJK-07`: clients print one text
 * and nothing beside it, so the number travels in it.
 */
export function toUserCode(letters: string, number: number): string {
  return `${letters.slice(0, 4)}-${letters.slice(4)}-${String(number).padStart(2, '0')}`;
}

/**
 * The letters of a typed user code, however they were typed (RFC 8628 §6.1): case, spaces and dashes do not matter, and
 * the number may be there. Null when they cannot be one.
 */
export function readUserCode(typed: string): string | null {
  const letters = typed
    .toUpperCase()
    .replace(/[\s\-–—_.]/g, '')
    .replace(/\d{2}$/, '');
  return letters.length === userCodeLength && [...letters].every((letter) => userCodeLetters.includes(letter))
    ? letters
    : null;
}
