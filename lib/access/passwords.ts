import { z } from 'zod';
import { Invalid } from '#lib/platform/errors.ts';

/** One factor only, so length carries it (NIST SP 800-63B-4 §3.1.1 asks 15 for that; with rate limits we ask 12). */
export const shortestPassword = 12;
export const longestPassword = 200;

/** A password somebody chooses. Bytes are not looked at here; `requireGoodPassword` says what makes one too weak. */
export const newPasswordInput = z
  .string()
  .min(shortestPassword, `Use at least ${shortestPassword} characters.`)
  .max(longestPassword, `Use at most ${longestPassword} characters.`);

export const emailInput = z
  .string()
  .trim()
  .toLowerCase()
  .max(254)
  .regex(/^[^\s@<>"'(),:;\\[\]]+@[^\s@<>"'(),:;\\[\]]+$/, 'Enter an e-mail address.')
  .refine((email) => email === email.normalize('NFKC'), 'Enter the address in its plain spelling.');

export const displayNameInput = z
  .string()
  .trim()
  .min(1, 'Enter a name.')
  .max(100, 'Use at most 100 characters.')
  .refine((name) => !/\p{C}/u.test(name), 'A name has no control or hidden characters.');

/** Whole passwords, or what remains of one after digits at its end, that every guessing list starts with. */
const commonRoots = new Set(
  `password passwort passw0rd p@ssword p@ssw0rd qwertyuiop qwertyuiopas asdfghjkl zxcvbnm letmein welcome iloveyou
  administrator countersign changeme changemenow default secret mysecret trustno1 sunshine princess football baseball
  superman batman dragon monkey shadow master hunter correcthorsebatterystaple qwerty abc abcdef abcdefgh abcdefghijkl
  admin root test testtest demo guest login passwordpassword qwertyqwerty`.split(/\s+/),
);

/**
 * Refuses passwords that are guessed first: a common one with digits around it, a repeated or counted-up character,
 * or the person's own name or address. Throws `Invalid` naming the field, never repeating the password.
 */
export function requireGoodPassword(password: string, about: { email: string; displayName: string }): void {
  const folded = password.normalize('NFKC').toLowerCase();
  const root = folded.replace(/^[\d\W_]+|[\d\W_]+$/g, '');
  const [account = ''] = about.email.toLowerCase().split('@');
  const own = [account, about.email.toLowerCase(), ...about.displayName.toLowerCase().split(/\s+/)];
  const weak =
    new Set(folded).size < 5 ||
    commonRoots.has(root) ||
    commonRoots.has(folded) ||
    isSequence(folded) ||
    own.some((part) => part.length >= 4 && folded.replace(part, '').length < 6);
  if (weak) {
    throw new Invalid(
      'This password would be guessed early. Choose another one, such as four unrelated words.',
      {
        issues: [{ path: 'password', message: 'This password would be guessed early.' }],
      },
    );
  }
}

function isSequence(text: string): boolean {
  let steps = 0;
  for (let index = 1; index < text.length; index++) {
    const step = text.charCodeAt(index) - text.charCodeAt(index - 1);
    if (Math.abs(step) <= 1) steps++;
  }
  return steps >= text.length - 2;
}
