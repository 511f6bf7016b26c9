import { crc32 } from 'node:zlib';
import { newRandomBytes } from '#lib/platform/crypto.ts';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const randomLength = 40;
const checksumLength = 6;
const form = new RegExp(`^cs_([0-9A-Za-z]{${randomLength}})([0-9A-Za-z]{${checksumLength}})$`);

/**
 * A new API token: `cs_`, 40 characters of base62 (238 bits) and a checksum. The prefix and the checksum let secret
 * scanners find a leaked one without guessing, and let the server refuse a mistyped one without a look-up.
 */
export function newApiToken(): string {
  let random = '';
  while (random.length < randomLength) {
    // Bytes from 248 up would make the first characters of the alphabet likelier than the others.
    for (const byte of newRandomBytes(64)) {
      if (byte < 248 && random.length < randomLength) random += alphabet[byte % 62];
    }
  }
  return `cs_${random}${checksumOf(random)}`;
}

/** Whether a text has the form of an API token, its checksum included. Says nothing about whether it exists. */
export function isApiToken(text: string): boolean {
  const match = form.exec(text);
  return match !== null && checksumOf(match[1] as string) === match[2];
}

function checksumOf(random: string): string {
  let value = crc32(`cs_${random}`);
  let text = '';
  for (let index = 0; index < checksumLength; index++) {
    text = alphabet[value % 62] + text;
    value = Math.floor(value / 62);
  }
  return text;
}
