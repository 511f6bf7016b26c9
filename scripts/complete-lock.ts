import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * Completes package-lock.json with the packages of other platforms. npm leaves out an optional package that the
 * registry at hand does not serve, and `npm ci` then refuses the whole file, on every platform. The entry says version
 * and platform; the digest is added by the first `npm install` that can fetch the package. Run after changing
 * dependencies.
 */

type LockedPackage = {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
};

const platforms = /(?:^|[-/])(android|darwin|freebsd|linux|netbsd|openbsd|openharmony|win32|wasm32)(?=-|$)/;
const processors = /-(arm64|arm|ia32|loong64|ppc64|riscv64|s390x|x64)(?=-|$)/;

export function completeLock(packages: Record<string, LockedPackage>): string[] {
  const added: string[] = [];
  for (const [place, locked] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(locked.optionalDependencies ?? {})) {
      if (isLocked(packages, place, name) || !/^\d+\.\d+\.\d+/.test(version)) continue;
      const platform = platforms.exec(name)?.[1];
      if (!platform) continue;
      const processor = processors.exec(name)?.[1];
      const libc = /musl/.test(name) ? 'musl' : /-gnu/.test(name) && platform === 'linux' ? 'glibc' : null;
      packages[`node_modules/${name}`] = {
        version,
        cpu: [platform === 'wasm32' ? 'wasm32' : (processor ?? '!any')],
        ...(locked.dev ? { dev: true } : {}),
        ...(libc ? { libc: [libc] } : {}),
        optional: true,
        ...(platform === 'wasm32' ? {} : { os: [platform] }),
      };
      added.push(name);
    }
  }
  return added;
}

/** Whether the package is found from `place` the way Node looks for it: in each enclosing node_modules. */
function isLocked(packages: Record<string, LockedPackage>, place: string, name: string): boolean {
  for (let at = place; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    if (packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`]) return true;
    if (at === '') return false;
  }
}

if (import.meta.main) {
  const file = path.join(path.dirname(import.meta.dirname), 'package-lock.json');
  const lock = JSON.parse(await readFile(file, 'utf8')) as { packages: Record<string, LockedPackage> };
  const added = completeLock(lock.packages);
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  await writeFile(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(added.length === 0 ? 'package-lock.json is complete' : `added ${added.join(', ')}`);
}
