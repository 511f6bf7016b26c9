import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { OperatorError } from '#lib/platform/operator-error.ts';

const run = promisify(execFile);

/** An account of the operating system that PostgreSQL runs as when Countersign itself runs as root. */
export type Account = { name: string; uid: number; gid: number };

const ownAccount = 'countersign';

/**
 * PostgreSQL refuses to run as root. Returns null for an ordinary user (PostgreSQL then runs as that user), otherwise
 * the account "countersign", made on first use, or, where accounts cannot be made, an existing "postgres" or "nobody".
 *
 * @throws when root has no account to step down to.
 */
export async function unprivilegedAccount(): Promise<Account | null> {
  if (process.platform === 'win32' || process.getuid?.() !== 0) return null;
  const existing = await findAccount(ownAccount);
  if (existing) return existing;
  await createAccount().catch(() => undefined);
  for (const name of [ownAccount, 'postgres', 'nobody']) {
    const account = await findAccount(name);
    if (account) return account;
  }
  throw new OperatorError(
    'PostgreSQL cannot run as root, and no unprivileged account could be found or made. ' +
      'Start Countersign as an ordinary user, or set DATABASE_URL.',
  );
}

async function findAccount(name: string): Promise<Account | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { name, uid: Number.parseInt(uid.stdout, 10), gid: Number.parseInt(gid.stdout, 10) };
  } catch {
    return null;
  }
}

async function createAccount(): Promise<void> {
  const shell = '/usr/sbin/nologin';
  try {
    await run('useradd', ['--system', '--user-group', '--no-create-home', '--shell', shell, ownAccount]);
  } catch {
    // BusyBox has adduser only.
    await run('adduser', ['-S', '-D', '-H', '-s', '/sbin/nologin', ownAccount]);
  }
}
