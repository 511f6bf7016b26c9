import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { OperatorError } from '#lib/platform/operator-error.ts';

type Owner = { uid: number; gid: number };

/**
 * Makes a folder only its owner (this process's user unless given) can enter. A folder that exists must already
 * belong to that owner and be a real folder: under /tmp another user could have put a link or a folder there first.
 *
 * @throws when the folder is somebody else's.
 */
export async function makePrivateFolder(folder: string, owner: Owner | null = null): Promise<void> {
  const uid = owner?.uid ?? process.getuid?.();
  const gid = owner?.gid ?? process.getgid?.();
  const made = await mkdir(folder, { mode: 0o700 }).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
  if (process.platform === 'win32' || uid === undefined || gid === undefined) return;
  const found = await lstat(folder);
  const trusted = found.isDirectory() && (found.uid === uid || found.uid === process.getuid?.());
  if (!made && !trusted) {
    throw new OperatorError(`${folder} belongs to somebody else; remove it or move COUNTERSIGN_DATA.`);
  }
  if (found.uid !== uid) await chown(folder, uid, gid);
  if ((found.mode & 0o777) !== 0o700) await chmod(folder, 0o700);
}

/** sun_path holds 108 bytes with its final zero (104 on macOS); the longest name put into these folders is this one. */
const longestSocketFolderBytes = (process.platform === 'darwin' ? 103 : 107) - '/.s.PGSQL.5432'.length;

/**
 * Makes a private folder for unix sockets at `wanted`, or, where that path is too long for a socket, under a short
 * name in the user's runtime folder or /tmp. Returns the folder made.
 */
export async function privateSocketFolder(wanted: string, owner: Owner | null = null): Promise<string> {
  const folder =
    Buffer.byteLength(wanted) <= longestSocketFolderBytes ? wanted : await shortName(wanted, owner);
  await makePrivateFolder(folder, owner);
  return folder;
}

async function shortName(wanted: string, owner: Owner | null): Promise<string> {
  const digest = createHash('sha256').update(wanted).digest('hex').slice(0, 16);
  const uid = owner?.uid ?? process.getuid?.() ?? 0;
  const runtime = `/run/user/${uid}`;
  const own = await stat(runtime).catch(() => null);
  const parent = own?.isDirectory() && own.uid === uid ? runtime : '/tmp';
  return path.join(parent, `countersign-${uid}-${digest}`);
}
