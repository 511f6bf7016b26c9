import {
  argon2,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hash,
  hkdfSync,
  randomBytes,
  randomInt,
  timingSafeEqual,
} from 'node:crypto';
import { promisify } from 'node:util';
import { randomText } from './random.ts';

/** SHA-256, base64url without padding: the form in which digests of tokens and documents are stored. */
export function sha256(value: string | Uint8Array): string {
  return hash('sha256', value, 'base64url');
}

export function sha256Bytes(...parts: readonly Uint8Array[]): Buffer {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return digest.digest();
}

/** HMAC-SHA-256, base64url. */
export function hmac(key: Uint8Array, value: string): string {
  return createHmac('sha256', key).update(value).digest('base64url');
}

/** Compares two strings in time that depends on neither content nor on where they differ. */
export function equalInConstantTime(a: string, b: string): boolean {
  const left = hash('sha256', a, 'buffer');
  const right = hash('sha256', b, 'buffer');
  return timingSafeEqual(left, right);
}

/** Whether this is the value behind a stored `sha256` digest, in time that does not depend on the digest. */
export function matchesDigest(value: string, digest: string): boolean {
  const expected = Buffer.from(digest, 'base64url');
  const actual = hash('sha256', value, 'buffer');
  return expected.length === actual.length && timingSafeEqual(actual, expected);
}

/** `count` random bytes. */
export function newRandomBytes(count: number): Buffer {
  return randomBytes(count);
}

/** A random whole number from 0 up to, and without, `limit`. */
export function randomBelow(limit: number): number {
  return randomInt(limit);
}

/** `bytes` of randomness as base64url; 32 bytes (256 bits) unless told otherwise. */
export function randomToken(bytes = 32): string {
  return randomText(bytes, 'base64url');
}

/**
 * Seals small secrets at rest with AES-256-GCM. The row's id is bound in as additional data, so that a sealed value
 * moved to another row does not open. Keys for different purposes are derived (HKDF) from one key-encryption key.
 */
export type Vault = {
  seal(plaintext: string, rowId: string): string;
  /** Throws when the value was sealed for another row, under another key, or altered. */
  open(sealed: string, rowId: string): string;
  /** A key of 32 bytes for one named purpose, for HMACs that must survive a restart. */
  deriveKey(purpose: string): Buffer;
};

const sealVersion = 'v1';

export function openVault(keyEncryptionKey: Uint8Array): Vault {
  if (keyEncryptionKey.length !== 32) throw new TypeError('the key-encryption key must be 32 bytes');
  const deriveKey = (purpose: string) =>
    Buffer.from(hkdfSync('sha256', keyEncryptionKey, new Uint8Array(0), `countersign ${purpose}`, 32));
  const sealingKey = deriveKey('seal v1');
  return {
    deriveKey,
    seal(plaintext, rowId) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', sealingKey, nonce);
      cipher.setAAD(Buffer.from(`${sealVersion}:${rowId}`));
      const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
      return `${sealVersion}.${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')}`;
    },
    open(sealed, rowId) {
      const [version, encoded] = sealed.split('.');
      if (version !== sealVersion || !encoded) throw new TypeError('sealed value of an unknown version');
      const bytes = Buffer.from(encoded, 'base64url');
      // One spelling of each sealed value: who counts uses by its text must not be shown the same one twice.
      if (bytes.toString('base64url') !== encoded) throw new TypeError('sealed value in another spelling');
      const decipher = createDecipheriv('aes-256-gcm', sealingKey, bytes.subarray(0, 12));
      decipher.setAAD(Buffer.from(`${sealVersion}:${rowId}`));
      decipher.setAuthTag(bytes.subarray(12, 28));
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
    },
  };
}

const argon2Async = promisify(argon2);
/** OWASP's second recommended setting for argon2id: 19 MiB, two passes, one lane. */
const passwordCost = { memoryKiB: 19_456, passes: 2, lanes: 1 } as const;

/** At most two hashes run at once: 19 MiB and a core each, so that a login flood cannot starve the rest. */
const hashing = { running: 0, waiting: [] as (() => void)[] };
async function withHashSlot<T>(run: () => Promise<T>): Promise<T> {
  while (hashing.running >= 2) await new Promise<void>((resolve) => hashing.waiting.push(resolve));
  hashing.running++;
  try {
    return await run();
  } finally {
    hashing.running--;
    hashing.waiting.shift()?.();
  }
}

async function argon2id(
  password: string,
  salt: Buffer,
  cost: { memoryKiB: number; passes: number; lanes: number },
) {
  return withHashSlot(() =>
    argon2Async('argon2id', {
      message: Buffer.from(password.normalize('NFKC'), 'utf8'),
      nonce: salt,
      parallelism: cost.lanes,
      tagLength: 32,
      memory: cost.memoryKiB,
      passes: cost.passes,
    }),
  );
}

/** argon2id (RFC 9106) in PHC string form. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const tag = await argon2id(password, salt, passwordCost);
  const b64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${passwordCost.memoryKiB},t=${passwordCost.passes},p=${passwordCost.lanes}$${b64(salt)}$${b64(Buffer.from(tag))}`;
}

/** Whether the password matches. `null` (nobody by that name) costs the same time as a wrong password. */
export async function verifyPassword(password: string, phc: string | null): Promise<boolean> {
  const parsed = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(
    phc ?? '',
  );
  if (!parsed) {
    await argon2id(password, Buffer.alloc(16), passwordCost);
    return false;
  }
  const [, memory, passes, lanes, salt = '', expected = ''] = parsed;
  const tag = await argon2id(password, Buffer.from(salt, 'base64'), {
    memoryKiB: Number(memory),
    passes: Number(passes),
    lanes: Number(lanes),
  });
  return timingSafeEqual(Buffer.from(tag), Buffer.from(expected, 'base64'));
}
