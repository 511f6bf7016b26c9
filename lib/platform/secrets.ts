import { hkdfSync, randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { OperatorError } from './operator-error.ts';

/** What an installation keeps secret on its host. Never in the database, never in a backup of it, never in a log. */
export type InstallationSecrets = {
  /** Seals signing keys and stored secrets (32 bytes). Whoever has it and the database can mint. */
  keyEncryptionKey: Buffer;
  /** Protects the sign-in exchange of the console. */
  sessionSecret: string;
  /** Encrypts what server actions carry (32 bytes, base64). Derived from the session secret, so consoles that share one agree. */
  serverActionsKey: string;
  databasePasswords: Record<'superuser' | 'owner' | 'gate' | 'console' | 'sequencer', string>;
};

const keyBytes = 32;

const password = z.string().regex(/^[0-9a-f]{64}$/);
const passwordsSchema = z.object({
  superuser: password,
  owner: password,
  gate: password,
  console: password,
  sequencer: password,
});

/**
 * Reads the secrets of an installation, generating each that is missing, once, readable by its owner only.
 * Values the operator configured win over the files and are not written.
 *
 * @throws when a file is damaged, or when the database exists and its key is gone: a new key could open nothing, and
 * silently making one would lose every sealed secret.
 */
export async function loadSecrets(
  folder: string,
  options: { keyEncryptionKey: Buffer | null; sessionSecret: string | null; databaseExists: boolean },
): Promise<InstallationSecrets> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const files = (name: string) => path.join(folder, name);

  const keyFile = files('key-encryption-key');
  const passwordsFile = files('database-passwords.json');
  if (options.databaseExists) {
    if (!options.keyEncryptionKey) await requireFile(keyFile, 'key-encryption key');
    await requireFile(passwordsFile, 'database passwords');
  }

  const keyEncryptionKey = options.keyEncryptionKey ?? decodeKey(await readOrMake(keyFile, newKey), keyFile);
  const sessionSecret = options.sessionSecret ?? (await readOrMake(files('session-secret'), newKey));
  const actionsKey = hkdfSync(
    'sha256',
    sessionSecret,
    new Uint8Array(0),
    'countersign server actions',
    keyBytes,
  );
  return {
    keyEncryptionKey,
    sessionSecret,
    serverActionsKey: Buffer.from(actionsKey).toString('base64'),
    databasePasswords: parsePasswords(await readOrMake(passwordsFile, newPasswords), passwordsFile),
  };
}

function newKey(): string {
  return randomBytes(keyBytes).toString('base64url');
}

function newPasswords(): string {
  const names = Object.keys(passwordsSchema.shape);
  return JSON.stringify(
    Object.fromEntries(names.map((name) => [name, randomBytes(keyBytes).toString('hex')])),
  );
}

function decodeKey(text: string, file: string): Buffer {
  const key = Buffer.from(text, 'base64url');
  if (key.length !== keyBytes)
    throw new OperatorError(`${file} is damaged: it must hold 32 bytes in base64url.`);
  return key;
}

function parsePasswords(text: string, file: string): InstallationSecrets['databasePasswords'] {
  try {
    return passwordsSchema.parse(JSON.parse(text));
  } catch {
    throw new OperatorError(`${file} is damaged.`);
  }
}

async function requireFile(file: string, what: string): Promise<void> {
  const present = await stat(file).catch(() => null);
  if (present) return;
  throw new OperatorError(
    `The database exists, but its ${what} is missing (${file}). Put the file back from where you keep it apart from ` +
      'backups; without it the sealed secrets cannot be opened.',
  );
}

/** Reads a secret, making it when absent. A loser of a race between two starts reads the winner's. */
async function readOrMake(file: string, make: () => string): Promise<string> {
  const present = await readFile(file, 'utf8').catch(() => null);
  if (present === null) {
    const unfinished = `${file}.${randomBytes(6).toString('hex')}`;
    const handle = await open(unfinished, 'wx', 0o600);
    try {
      await handle.writeFile(make());
      await handle.sync();
    } finally {
      await handle.close();
    }
    // A link fails when the name exists, and shows the name only with its whole content.
    await link(unfinished, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await rm(unfinished, { force: true });
  }
  const { mode } = await stat(file);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) await chmod(file, 0o600);
  return (await readFile(file, 'utf8')).trim();
}
