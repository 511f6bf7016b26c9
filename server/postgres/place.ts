import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { randomToken } from '#lib/platform/crypto.ts';
import { makePrivateFolder, privateSocketFolder } from '../private-folder.ts';
import { type Account, unprivilegedAccount } from './account.ts';
import { copyPostgresBinaries, findPostgresBinaries, type PostgresBinaries } from './binaries.ts';

/** Where one embedded PostgreSQL lives and as whom it runs. */
export type ClusterPlace = {
  /** The database folder (PGDATA). Holds no key of ours. */
  dataFolder: string;
  /** Folder of the unix socket, 0700; null on Windows, where PostgreSQL listens on a loopback port instead. */
  socketFolder: string | null;
  logFile: string;
  binaries: PostgresBinaries;
  account: Account | null;
  /** Sentences for the boot report: what was placed elsewhere than asked, and why. */
  notes: string[];
};

/** Folder for state that belongs to root's services and is reachable by other accounts. */
const systemStateFolder = '/var/lib/countersign';

/**
 * Chooses and prepares the folders of the embedded PostgreSQL below `home`. When Countersign runs as root and the
 * unprivileged account cannot reach `home` (a clone in root's own home, mode 0700), the database goes to a folder of
 * its own under /var/lib/countersign instead; nobody's folders are opened up for it.
 */
export async function placeCluster(home: string): Promise<ClusterPlace> {
  const account = await unprivilegedAccount();
  const notes: string[] = [];
  let binaries = await findPostgresBinaries();
  let base = path.join(path.resolve(home), 'postgres');

  if (account) {
    if (!(await canReach(account, path.dirname(binaries.postgres)))) {
      binaries = await copyPostgresBinaries(binaries, systemStateFolder);
      notes.push(`PostgreSQL was copied to ${binaries.root}, where the account ${account.name} can run it.`);
    }
    if (!(await canReach(account, path.resolve(home)))) {
      base = await systemFolderOf(path.resolve(home));
      notes.push(
        `The database lives in ${base}: PostgreSQL runs as ${account.name}, which cannot reach ${path.resolve(home)}.`,
      );
    } else {
      notes.push(`PostgreSQL runs as the account ${account.name}, because it refuses to run as root.`);
    }
  }

  // The base belongs to root and is only passed through; what lies below belongs to the account.
  await mkdir(base, { recursive: true, mode: 0o755 });
  if (account) await chmod(base, 0o711);
  const dataFolder = path.join(base, 'data');
  await makePrivateFolder(dataFolder, account);
  const logFolder = path.join(base, 'log');
  await makePrivateFolder(logFolder, account);

  let socketFolder: string | null = null;
  if (process.platform !== 'win32') {
    const wanted = path.join(base, 'run');
    socketFolder = await privateSocketFolder(wanted, account);
    if (socketFolder !== wanted) {
      notes.push(
        `The database socket lies in ${socketFolder}: the path of the data folder is too long for a socket.`,
      );
    }
  }
  return {
    dataFolder,
    socketFolder,
    logFile: path.join(logFolder, 'postgres.log'),
    binaries,
    account,
    notes,
  };
}

/**
 * The folder that stands in for `home`, remembered in a file there: a home that is made anew under an old name gets
 * a new database, not the old one whose keys went with the old home.
 */
async function systemFolderOf(home: string): Promise<string> {
  const pointer = path.join(home, 'postgres-folder');
  const known = (await readFile(pointer, 'utf8').catch(() => '')).trim();
  if (known.startsWith(`${systemStateFolder}/`) && (await stat(known).catch(() => null))) return known;
  const folder = path.join(systemStateFolder, newFolderName());
  await mkdir(folder, { recursive: true, mode: 0o711 });
  await writeFile(path.join(folder, 'belongs-to'), `${home}\n`);
  await writeFile(pointer, `${folder}\n`);
  return folder;
}

function newFolderName(): string {
  return randomToken(9).replaceAll(/[^A-Za-z0-9]/g, '0');
}

/** Whether the account may pass every folder from the root down to and including this one (nearest that exists). */
async function canReach(account: Account, folder: string): Promise<boolean> {
  const parts: string[] = [];
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    parts.unshift(at);
    if (at === path.dirname(at)) break;
  }
  for (const part of parts) {
    const found = await stat(part).catch(() => null);
    if (!found) return true;
    const bit = found.uid === account.uid ? 0o100 : found.gid === account.gid ? 0o010 : 0o001;
    if ((found.mode & bit) === 0) return false;
  }
  return true;
}
