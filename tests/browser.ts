import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type LaunchOptions } from '@playwright/test';

/**
 * Starts a Chromium that behaves like a user's: web security and site isolation stay on, so that tests of cookies,
 * CORS and content security policy mean something. Tries, in order, the executable named by CHROMIUM_PATH,
 * Playwright's own browser, one installed on the system, and the one packed in npm (Linux on x64), which needs no
 * download. Throws when there is none.
 */
export async function launchBrowser(options: LaunchOptions = {}): Promise<Browser> {
  const installed = findInstalled();
  if (installed) return launch(installed, options, {});
  packed ??= unpackChromium();
  const folder = await packed;
  const executable = join(folder, 'chromium');
  const fonts: Record<string, string> = existsSync('/etc/fonts')
    ? {}
    : { FONTCONFIG_PATH: join(folder, 'fonts') };
  try {
    return await launch(executable, options, fonts);
  } catch (error) {
    // A bare machine lacks NSS and friends; the package carries them, but they must not shadow a system's own.
    if (!/error while loading shared libraries/.test(String(error))) throw error;
    return launch(executable, options, { ...fonts, LD_LIBRARY_PATH: join(folder, 'al2023', 'lib') });
  }
}

async function launch(
  executablePath: string,
  options: LaunchOptions,
  env: Record<string, string>,
): Promise<Browser> {
  const start = (sandbox: boolean) =>
    chromium.launch({
      ...options,
      executablePath,
      chromiumSandbox: sandbox,
      args: [
        '--disable-dev-shm-usage',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-gpu',
        '--font-render-hinting=none',
        '--no-first-run',
        ...(options.args ?? []),
      ],
      env: { ...process.env, ...env, ...options.env },
    });
  // Root has no sandbox to drop into; everyone else keeps it where the kernel allows one.
  if (process.getuid?.() === 0) return start(false);
  try {
    return await start(true);
  } catch (error) {
    if (!/sandbox/i.test(String(error))) throw error;
    return start(false);
  }
}

function findInstalled(): string | undefined {
  return [
    process.env.CHROMIUM_PATH,
    chromium.executablePath(),
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
  ].find((path) => path && existsSync(path));
}

let packed: Promise<string> | undefined;

/**
 * Unpacks the browser from npm and returns its folder. The package writes to a fixed name in the temporary folder
 * and takes whatever already lies there, even another version's, so it gets a folder per version and user; the
 * folder appears whole by a rename, so that test workers starting together never run half a file.
 */
async function unpackChromium(): Promise<string> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      'No Chromium found. Install one with `npx playwright install chromium`, or name one in CHROMIUM_PATH.',
    );
  }
  const bin = fileURLToPath(new URL('../bin', import.meta.resolve('@sparticuz/chromium')));
  const manifest = JSON.parse(readFileSync(join(bin, '..', 'package.json'), 'utf8')) as { version: string };
  const user = createHash('sha256').update(String(process.getuid?.())).digest('hex').slice(0, 8);
  const folder = join(tmpdir(), `countersign-chromium-${manifest.version}-${user}`);
  if (existsSync(join(folder, 'chromium'))) return folder;

  const scratch = `${folder}-${randomBytes(4).toString('hex')}`;
  mkdirSync(scratch, { mode: 0o700 });
  const before = process.env.TMPDIR;
  process.env.TMPDIR = scratch;
  try {
    const { inflate } = await import('@sparticuz/chromium');
    for (const archive of ['chromium.br', 'fonts.tar.br', 'swiftshader.tar.br', 'al2023.tar.br']) {
      await inflate(join(bin, archive));
    }
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
  try {
    renameSync(scratch, folder);
  } catch (error) {
    // Another worker was first.
    if (!existsSync(join(folder, 'chromium'))) throw error;
    rmSync(scratch, { recursive: true });
  }
  return folder;
}
