import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inheritedEnvironment } from '#lib/platform/env.ts';
import { contentStamp } from './content-stamp.ts';
import { processIsAlive } from './processes.ts';

const root = path.dirname(import.meta.dirname);
const buildFolder = path.join(root, '.next');
const stampFile = path.join(buildFolder, 'built-from');
const longestWaitMs = 300_000;
const lockFile = path.join(root, 'node_modules', '.countersign-build');

/** Everything the compiled console depends on. lib and gate count because pages import their types and readers. */
const sources = [
  'app',
  'components',
  'lib',
  'gate',
  'public',
  'guard/decide',
  'prisma/schema.prisma',
  'next.config.mjs',
  'postcss.config.mjs',
  'proxy.ts',
  'tsconfig.json',
  'package-lock.json',
];

/**
 * Builds the console when its sources changed since the last build, and returns whether it did. A build that was
 * killed leaves no stamp and is made again. Two programs that want it at once wait for one build.
 */
export async function buildConsoleIfStale(options: { quiet: boolean }): Promise<boolean> {
  const wanted = await contentStamp(root, sources);
  if ((await builtFrom()) === wanted) return false;
  const release = await lock();
  try {
    if ((await builtFrom()) === wanted) return false;
    await rm(stampFile, { force: true });
    // A first start would otherwise be silent for minutes.
    if (options.quiet)
      console.log('Building the console, because its sources are new. This takes a minute or two.');
    await build(options.quiet);
    await writeFile(stampFile, wanted);
    return true;
  } finally {
    await release();
  }
}

async function builtFrom(): Promise<string> {
  return readFile(stampFile, 'utf8').catch(() => '');
}

async function build(quiet: boolean): Promise<void> {
  for (const deadline = performance.now() + longestWaitMs; ; await sleep(1_000)) {
    const { code, output } = await runNextBuild(quiet);
    if (code === 0) return;
    // Left over from a start that was killed: it ends by itself, and Next lets no second one in before.
    const another = output.includes('Another next build process is already running');
    if (!another || performance.now() > deadline) {
      throw new Error(`next build failed (code ${code}).\n${output}`.trim());
    }
  }
}

async function runNextBuild(quiet: boolean): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [path.join(root, 'node_modules/next/dist/bin/next'), 'build'], {
    cwd: root,
    env: { ...inheritedEnvironment(), NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A start that is stopped takes its build with it.
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      if (!quiet) process.stdout.write(chunk);
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  process.off('exit', end);
  return { code, output };
}

async function lock(): Promise<() => Promise<void>> {
  await mkdir(path.dirname(lockFile), { recursive: true });
  for (;;) {
    try {
      await writeFile(lockFile, String(process.pid), { flag: 'wx' });
      return () => rm(lockFile, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number.parseInt(await readFile(lockFile, 'utf8').catch(() => ''), 10);
    if (Number.isNaN(holder) || !processIsAlive(holder)) await rm(lockFile, { force: true });
    else await sleep(300);
  }
}

if (import.meta.main) {
  const built = await buildConsoleIfStale({ quiet: false });
  console.log(built ? 'built the console' : 'the console is up to date');
}
