import { createHash } from 'node:crypto';
import { equalInConstantTime } from '#lib/platform/crypto.ts';

/** RFC 7636 §4.1: 43 to 128 unreserved characters. */
const CODE_VERIFIER = /^[A-Za-z0-9\-._~]{43,128}$/;
/** RFC 7636 §4.2 with S256: 32 bytes in base64url. The last character carries four bits, so its low two are zero. */
const CODE_CHALLENGE = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

/** Whether a text can be an S256 code challenge. `plain` is never accepted (RFC 9700 §2.1.1). */
export function isCodeChallenge(text: string): boolean {
  return CODE_CHALLENGE.test(text);
}

/** Whether a text has the form of a code verifier. */
export function isCodeVerifier(text: string): boolean {
  return CODE_VERIFIER.test(text);
}

/** BASE64URL(SHA256(ASCII(code_verifier))), RFC 7636 §4.6. */
export function toCodeChallenge(codeVerifier: string): string {
  return createHash('sha256').update(codeVerifier, 'ascii').digest('base64url');
}

/** Whether the verifier belongs to the challenge. False for a verifier that is not one; failure is `invalid_grant`. */
export function matchesCodeChallenge(codeVerifier: string, codeChallenge: string): boolean {
  return isCodeVerifier(codeVerifier) && equalInConstantTime(toCodeChallenge(codeVerifier), codeChallenge);
}
