import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processIsAlive } from '../server/processes.ts';

export type ProductOptions = {
  /** Free ones are looked for unless given. The example servers take the ports after it when they are on. */
  port?: number;
  /** Settings beside PORT and COUNTERSIGN_DATA. The example servers are off unless COUNTERSIGN_EXAMPLES says so. */
  environment?: Record<string, string>;
  /** An existing data folder, to start again on it; a fresh one is made, and removed on stop, unless given. */
  dataFolder?: string;
  /** Further arguments of server.ts, such as --demo. */
  args?: readonly string[];
};

export type Product = {
  port: number;
  issuer: string;
  consoleOrigin: string;
  dataFolder: string;
  /** The one-time link for the first admin, null when there is one already. */
  enrolLink: string | null;
  /** Everything it printed so far. */
  output(): string;
  pid: number;
  /** Process ids of the console and of PostgreSQL, as they run at this moment. */
  consolePid(): Promise<number>;
  postgresPid(): Promise<number>;
  /** Ends the server process at once, as a crash would: nothing is cleaned up, PostgreSQL is left running. */
  kill(): Promise<void>;
  /** Starts it again on the same data and port after `kill` or `stop`. */
  restart(): Promise<Product>;
  /** Ends it in order; removes the data folder unless it was given or `keepData` is set. */
  stop(options?: { keepData?: boolean }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
};

const root = path.dirname(import.meta.dirname);
const startTimeoutMs = 180_000;

/**
 * Starts the whole product as a newcomer does, `server.ts` with everything in it, and waits until it says where to
 * open it. For journeys, black-box tests and crash loops; verbs and protocol alone are tested without a process
 * (tests/database.ts, tests/gate.ts).
 */
export async function startProduct(options: ProductOptions = {}): Promise<Product> {
  const port =
    options.port ?? (await freePortRange(options.environment?.COUNTERSIGN_EXAMPLES === '1' ? 5 : 1));
  // Reachable by the account PostgreSQL runs as when the tests run as root.
  const dataFolder = options.dataFolder ?? (await mkdtemp(path.join(os.tmpdir(), 'countersign-product-')));
  const ownsData = options.dataFolder === undefined;
  if (ownsData) await chmod(dataFolder, 0o711);
  const child = spawn(
    process.execPath,
    ['--import', './scripts/prepare.mjs', 'server.ts', ...(options.args ?? [])],
    {
      cwd: root,
      env: {
        ...withoutOurs(process.env),
        COUNTERSIGN_EXAMPLES: '0',
        ...options.environment,
        PORT: String(port),
        COUNTERSIGN_DATA: dataFolder,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      printed += chunk.toString('utf8');
    });
  }
  await untilReady(child, () => printed);
  const pid = child.pid as number;

  const product: Product = {
    port,
    issuer: lineOf(printed, 'issuer'),
    consoleOrigin: lineOf(printed, 'console'),
    dataFolder,
    enrolLink: /^\s*(http\S+\/enrol#\S+)$/m.exec(printed)?.[1] ?? null,
    output: () => printed,
    pid,
    consolePid: () => childOf(pid, 'console-child'),
    postgresPid: () => postgresOf(dataFolder),
    async kill() {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
    async restart() {
      const again = await startProduct({ ...options, port, dataFolder });
      const stop = again.stop;
      again.stop = async ({ keepData = false } = {}) => {
        await stop();
        if (ownsData && !keepData) await removeData(dataFolder);
      };
      return again;
    },
    async stop({ keepData = false } = {}) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
      }
      if (ownsData && !keepData) await removeData(dataFolder);
    },
    [Symbol.asyncDispose]: () => product.stop(),
  };
  return product;
}

async function untilReady(child: ChildProcess, printed: () => string): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  while (!/^\s*Open http/m.test(printed())) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`the product ended while starting:\n${printed()}`);
    }
    if (performance.now() > deadline) {
      child.kill('SIGTERM');
      throw new Error(`the product did not start in time:\n${printed()}`);
    }
    await sleep(50);
  }
  // The link for the first admin is printed after that line, in one piece with it.
  await sleep(20);
}

function lineOf(printed: string, label: string): string {
  const found = new RegExp(`^\\s*${label}\\s+(http\\S+)$`, 'm').exec(printed)?.[1];
  if (!found) throw new Error(`the boot report names no ${label}:\n${printed}`);
  return found;
}

/** A developer's own settings must not reach the product under test. */
function withoutOurs(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours = /^(?:COUNTERSIGN_|NEXTAUTH_|DATABASE_URL$|PORT$|npm_)/;
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !ours.test(name)),
  ) as NodeJS.ProcessEnv;
}

/** The first of `count` neighbouring ports nobody listens on. */
export async function freePortRange(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const first = 20_000 + Math.floor(Math.random() * 20_000);
    const free = await Promise.all(Array.from({ length: count }, (_, offset) => isFree(first + offset)));
    if (free.every(Boolean)) return first;
  }
  throw new Error('no free ports');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

async function childOf(parent: number, name: string): Promise<number> {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  for (const line of lines) {
    const [, pid, ppid, args = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    if (Number(ppid) === parent && args.includes(name)) return Number(pid);
  }
  throw new Error(`no child ${name}`);
}

async function postgresFolderOf(dataFolder: string): Promise<string> {
  const moved = await readFile(path.join(dataFolder, 'postgres-folder'), 'utf8').catch(() => null);
  return path.join(moved?.trim() ?? path.join(dataFolder, 'postgres'), 'data');
}

async function postgresOf(dataFolder: string): Promise<number> {
  const text = await readFile(path.join(await postgresFolderOf(dataFolder), 'postmaster.pid'), 'utf8');
  return Number.parseInt(text, 10);
}

/** Ends a PostgreSQL that a killed server left behind, then removes everything. */
async function removeData(dataFolder: string): Promise<void> {
  const pid = await postgresOf(dataFolder).catch(() => null);
  if (pid !== null && processIsAlive(pid)) {
    process.kill(pid, 'SIGINT');
    for (let waited = 0; processIsAlive(pid) && waited < 10_000; waited += 50) await sleep(50);
  }
  const moved = await readFile(path.join(dataFolder, 'postgres-folder'), 'utf8').catch(() => null);
  if (moved) await rm(moved.trim(), { recursive: true, force: true });
  await rm(dataFolder, { recursive: true, force: true, maxRetries: 3 });
}
