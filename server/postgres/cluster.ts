import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, rmdir, stat, truncate, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { commandOfProcess, processIsAlive, signalProcess } from '../processes.ts';
import type { ClusterPlace } from './place.ts';

export type ClusterOptions = {
  /** Password of the superuser "postgres", used for nothing but making the roles and the database. */
  superuserPassword: string;
  /** False only for throw-away clusters of tests: no fsync, so a crash of the machine loses them. */
  durable: boolean;
  sharedBuffersMb: number;
  /** Loopback port where there is no unix socket; a free one is taken unless given. */
  port?: number;
  /** Called when PostgreSQL ends without having been asked to. */
  onUnexpectedExit(detail: { code: number | null; signal: NodeJS.Signals | null }): void;
};

export type Cluster = {
  place: ClusterPlace;
  host: string;
  port: number;
  pid: number;
  /** Fast shutdown: open transactions are rolled back, everything committed is checkpointed. */
  stop(): Promise<void>;
};

export const superuserName = 'postgres';
/** Every pool of all processes stays below 100 together; the rest is room for backups and an operator's psql. */
const maxConnections = 120;
const socketPort = 5432;
const startTimeoutMs = 60_000;
const stopTimeoutMs = 20_000;
const longestLogBytes = 16 * 1024 * 1024;

/**
 * Starts PostgreSQL in its place, initialising the folder on the first start. A PostgreSQL left over from a Node that
 * was killed is stopped first (it holds only committed work, so nothing is lost), and one that was itself killed is
 * waited for until its orphaned children have let go of the shared memory.
 *
 * @throws when PostgreSQL does not accept connections within a minute; the message carries the end of its log.
 */
export async function startCluster(place: ClusterPlace, options: ClusterOptions): Promise<Cluster> {
  await stopLeftOver(place);
  const initialised = await stat(path.join(place.dataFolder, 'PG_VERSION')).catch(() => null);
  if (!initialised) await initialise(place, options);
  await truncateLongLog(place.logFile);

  const port = place.socketFolder === null ? (options.port ?? (await freeLoopbackPort())) : socketPort;
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    const child = launch(place, port, options);
    const ready = await waitUntilReady(place, child);
    if (ready) return supervise(place, child, port, options);
    if (performance.now() > deadline) {
      throw new OperatorError(`PostgreSQL did not start.\n${await endOfLog(place.logFile)}`);
    }
    // Orphaned backends of a killed postmaster hold the shared memory for a moment.
    await sleep(250);
  }
}

/** Initialises beside the final folder and renames: a start killed half way leaves nothing that looks like a database. */
async function initialise(place: ClusterPlace, options: ClusterOptions): Promise<void> {
  const unfinished = `${place.dataFolder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  if (place.account) await chown(unfinished, place.account.uid, place.account.gid);
  const passwordFile = path.join(path.dirname(place.logFile), 'initial-password');
  await writeFile(passwordFile, `${options.superuserPassword}\n`, { mode: 0o600 });
  if (place.account) await chown(passwordFile, place.account.uid, place.account.gid);
  try {
    const child = spawn(
      place.binaries.initdb,
      [
        `--pgdata=${unfinished}`,
        `--username=${superuserName}`,
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // PostgreSQL's own C.UTF-8 sorts alike on every machine, whatever locales it has.
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        '--data-checksums',
        '--no-instructions',
        ...(options.durable ? [] : ['--no-sync']),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], ...runAs(place) },
    );
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint += chunk.toString('utf8');
    });
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0)
      throw new OperatorError(`PostgreSQL could not initialise ${place.dataFolder}.\n${complaint.trim()}`);
    await rmdir(place.dataFolder);
    await rename(unfinished, place.dataFolder);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

function launch(place: ClusterPlace, port: number, options: ClusterOptions): ChildProcess {
  const settings: Record<string, string> = {
    listen_addresses: place.socketFolder === null ? '127.0.0.1' : '',
    unix_socket_directories: place.socketFolder ?? '',
    unix_socket_permissions: '0700',
    port: String(port),
    max_connections: String(maxConnections),
    shared_buffers: `${options.sharedBuffersMb}MB`,
    effective_cache_size: '1GB',
    work_mem: '8MB',
    maintenance_work_mem: '64MB',
    wal_compression: 'on',
    max_wal_size: '2GB',
    checkpoint_completion_target: '0.9',
    random_page_cost: '1.1',
    jit: 'off',
    max_worker_processes: '4',
    max_parallel_workers_per_gather: '0',
    password_encryption: 'scram-sha-256',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Level "log" leaves out ordinary errors and their statements, which could carry what people typed.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    fsync: options.durable ? 'on' : 'off',
    synchronous_commit: options.durable ? 'on' : 'off',
    full_page_writes: options.durable ? 'on' : 'off',
  };
  const log = openSync(place.logFile, 'a', 0o600);
  try {
    return spawn(
      place.binaries.postgres,
      [
        '-D',
        place.dataFolder,
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      // Its own session: Ctrl-C in a terminal reaches Node alone, which drains its work before stopping PostgreSQL.
      { stdio: ['ignore', log, log], detached: process.platform !== 'win32', ...runAs(place) },
    );
  } finally {
    closeSync(log);
  }
}

function runAs(place: ClusterPlace): { uid?: number; gid?: number; cwd: string; env: NodeJS.ProcessEnv } {
  // No variable of ours reaches PostgreSQL: PG* ones would change its settings, others hold secrets.
  const env = { LC_ALL: 'C', PATH: '/usr/bin:/bin', TZ: 'UTC' } as unknown as NodeJS.ProcessEnv;
  if (process.platform === 'win32') env.SystemRoot = 'C:\\Windows';
  const cwd = place.dataFolder;
  return place.account ? { uid: place.account.uid, gid: place.account.gid, cwd, env } : { cwd, env };
}

/** The last line of postmaster.pid becomes "ready" when connections are accepted. */
async function waitUntilReady(place: ClusterPlace, child: ChildProcess): Promise<boolean> {
  let ended = false;
  const onEnd = () => {
    ended = true;
  };
  child.once('exit', onEnd);
  child.once('error', onEnd);
  try {
    const deadline = performance.now() + startTimeoutMs;
    while (!ended && performance.now() < deadline) {
      const running = await readPidFile(place);
      // A killed PostgreSQL leaves its file behind, and may have been killed while this read it.
      if (!ended && running && running.pid === child.pid && running.status === 'ready') return true;
      await sleep(15);
    }
    if (!ended && child.pid) await stopProcess(child.pid);
    return false;
  } finally {
    child.off('exit', onEnd);
    child.off('error', onEnd);
  }
}

function supervise(place: ClusterPlace, child: ChildProcess, port: number, options: ClusterOptions): Cluster {
  const pid = child.pid;
  if (pid === undefined) throw new TypeError('a ready PostgreSQL has a process id');
  let stopping = false;
  child.once('exit', (code, signal) => {
    if (!stopping) options.onUnexpectedExit({ code, signal });
  });
  return {
    place,
    host: place.socketFolder ?? '127.0.0.1',
    port,
    pid,
    async stop() {
      stopping = true;
      if (child.exitCode === null && child.signalCode === null) await stopProcess(pid);
    },
  };
}

/** Stops the PostgreSQL that postmaster.pid names, if it really runs on this folder; removes the file if not. */
export async function stopLeftOver(place: ClusterPlace): Promise<void> {
  const left = await readPidFile(place);
  if (!left) return;
  if (processIsAlive(left.pid)) {
    const command = await commandOfProcess(left.pid);
    if (command.includes(place.dataFolder)) {
      await stopProcess(left.pid);
      return;
    }
  }
  // The number was given to another process since (a reboot, a container), which would make PostgreSQL refuse to start.
  await rm(path.join(place.dataFolder, 'postmaster.pid'), { force: true });
}

async function stopProcess(pid: number): Promise<void> {
  // SIGINT is PostgreSQL's fast shutdown, SIGQUIT the immediate one (recovery at the next start).
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    signalProcess(pid, signal);
    const deadline = performance.now() + stopTimeoutMs;
    while (performance.now() < deadline) {
      if (!processIsAlive(pid)) return;
      await sleep(15);
    }
  }
}

/** Where the PostgreSQL of this place listens at the moment, as its postmaster.pid says; null when none does. */
export async function findRunning(place: ClusterPlace): Promise<{ host: string; port: number } | null> {
  const running = await readPidFile(place);
  if (running?.status !== 'ready' || !processIsAlive(running.pid)) return null;
  return { host: place.socketFolder ?? '127.0.0.1', port: running.port };
}

async function readPidFile(
  place: ClusterPlace,
): Promise<{ pid: number; port: number; status: string } | null> {
  const text = await readFile(path.join(place.dataFolder, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  const pid = Number.parseInt(lines[0] ?? '', 10);
  return Number.isSafeInteger(pid) && pid > 0
    ? { pid, port: Number(lines[3]), status: (lines[7] ?? '').trim() }
    : null;
}

async function truncateLongLog(file: string): Promise<void> {
  const found = await stat(file).catch(() => null);
  if (found && found.size > longestLogBytes) await truncate(file, 0);
}

async function endOfLog(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-15).join('\n');
}

/** A port nobody listens on at this moment. */
export async function freeLoopbackPort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  return address.port;
}
