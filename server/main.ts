import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startGate } from '#gate/main.ts';
import { hasAdmin } from '#lib/access/has-admin.ts';
import { issueFirstAdminLink } from '#lib/access/invitations.ts';
import { recordStart } from '#lib/access/start-report.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { becomeConsole, toConsoleEnvironment } from '#lib/platform/console-environment.ts';
import { openVault, randomToken } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { openDb } from '#lib/platform/db.ts';
import { reportSettings } from '#lib/platform/describe-config.ts';
import { type Config, inheritedEnvironment, isStartedByNpm, readConfig } from '#lib/platform/env.ts';
import { newId } from '#lib/platform/ids.ts';
import { createLogger, type Logger } from '#lib/platform/log.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { siteOf } from '#lib/platform/site.ts';
import manifest from '../package.json' with { type: 'json' };
import { printBootReport } from './boot-report.ts';
import { buildConsoleIfStale } from './build-console.ts';
import { prepareDatabase } from './database.ts';
import { startExampleServers } from './example-servers.ts';
import { checkInstallation } from './installation.ts';
import { keepConsoleRunning } from './keep-console-running.ts';
import { keepWorkerRunning } from './keep-worker-running.ts';
import { type OpenedDatabase, openDatabase } from './open-database.ts';
import { freeLoopbackPort } from './postgres/cluster.ts';
import { privateSocketFolder } from './private-folder.ts';
import { holdSingleStart } from './single-start.ts';

/** Connections of the gate; with those of worker and console they stay below 100 in all. */
const gatePoolSizes = { prisma: 14, hot: 16, emergency: 4 };
const stopTimeoutMs = 25_000;
const oneStopTimeoutMs = 8_000;
const parentPollMs = 250;

/**
 * Starts what `--role` says (everything unless given), prints the boot report and runs until a signal. Every problem
 * an operator can mend ends the start with one clear message and exit code 1.
 */
export async function main(): Promise<void> {
  const running = new Running();
  try {
    const { values } = parseArgs({ options: { role: { type: 'string' }, demo: { type: 'boolean' } } });
    const config = readConfig({ role: values.role, demo: values.demo });
    const log = createLogger({ level: config.logLevel });
    endOnSignals(running, log);
    await start(config, log, running);
  } catch (error) {
    const message = operatorMessageOf(error);
    console.error(message === null ? error : `\n${message}\n`);
    await running.stopAll();
    process.exit(1);
  }
}

async function start(config: Config, log: Logger, running: Running): Promise<void> {
  const startedAt = performance.now();
  await mkdir(config.dataFolder, { recursive: true, mode: 0o755 });
  const runFolder = await privateSocketFolder(path.join(config.dataFolder, 'run'));
  if (config.role === 'all') running.add(await holdSingleStart(runFolder, config.dataFolder));
  const notes: string[] = [];
  // The build takes the longest and needs nothing of the rest.
  const built =
    config.role === 'all' || config.role === 'console' ? buildConsoleIfStale({ quiet: true }) : null;
  built?.catch(() => undefined);

  const database = await openDatabase(config, log);
  if (database.postgres) running.add(database.postgres.stop);
  notes.push(...database.notes);
  if (config.role !== 'console') {
    const { applied, newer } = await prepareDatabase(database.databaseUrls.owner);
    if (newer.length > 0)
      notes.push(
        `A newer Countersign has migrated the database (${newer.at(-1)}); this one works beside it until it is upgraded too.`,
      );
    if (applied.length > 0) notes.push(`The database was brought up to date: ${applied.join(', ')}.`);
  }
  if (await built) notes.push('The console was built: its sources changed since the last start.');

  const startSecret = config.startSecret ?? randomToken();
  const verbSocket = await verbSocketOf(config, runFolder);
  let opened: OpenedGate = { enrolLink: null, servers: [] };
  if (config.role === 'console') await runConsoleHere(config, database, startSecret, verbSocket, running);
  else if (config.role === 'worker') await runWorkerHere(config, database, running);
  else opened = await runGate(config, database, { startSecret, verbSocket, notes, log, running });
  printBootReport(config, {
    version: manifest.version,
    notes,
    startedInMs: performance.now() - startedAt,
    ...opened,
  });
}

/** The first admin's link, until there is one, and the guarded example servers. */
type OpenedGate = { enrolLink: string | null; servers: readonly { name: string; resource: string }[] };

/** The gate in this process, with console and worker beside it unless they run apart. */
async function runGate(
  config: Config,
  database: OpenedDatabase,
  {
    startSecret,
    verbSocket,
    notes,
    log,
    running,
  }: {
    startSecret: string;
    verbSocket: string;
    notes: readonly string[];
    log: Logger;
    running: Running;
  },
): Promise<OpenedGate> {
  const db = openDb(database.databaseUrls.gate, gatePoolSizes);
  running.add(() => db.close());
  await checkInstallation(db, config, systemClock);
  const ctx = {
    actor: systemActor('start'),
    clock: systemClock,
    db,
    vault: openVault(database.secrets.keyEncryptionKey),
    site: siteOf(config),
    traceId: newId('trace'),
    address: null,
    userAgent: null,
  } satisfies Ctx;
  await ensureSigningKeys(ctx);

  const everything = config.role === 'all';
  const target = config.consoleUrl
    ? targetOf(config.consoleUrl)
    : { host: '127.0.0.1', port: await freeLoopbackPort() };
  const worker = everything
    ? keepWorkerRunning(
        { config, databaseUrls: database.databaseUrls, keyEncryptionKey: database.secrets.keyEncryptionKey },
        log,
      )
    : null;
  if (worker) running.add(worker.stop);
  const starting = everything
    ? keepConsoleRunning({
        ...target,
        startSecret,
        environment: consoleEnvironmentOf(config, database, startSecret, verbSocket),
        log,
      })
    : null;
  starting?.catch(() => undefined);

  // Loaded only where it is asked for: a real installation has no code that lets anybody in without a password.
  const demo = config.demo ? await import('../demo/start.ts') : null;
  const gate = await startGate({
    config,
    db,
    vault: openVault(database.secrets.keyEncryptionKey),
    log,
    startSecret,
    console: target,
    verbSocket,
    diskFolders: [config.dataFolder, ...(database.databaseFolder ? [database.databaseFolder] : [])],
    beforeConsole: demo?.createContinueAs(ctx, config.dataFolder) ?? null,
    readiness: worker
      ? {
          async jobs() {
            if (!worker.isRunning()) throw new Error('the worker does not run');
          },
        }
      : {},
  });
  running.add(() => gate.close());
  let servers: OpenedGate['servers'] = [];
  if (config.examplePort !== null) {
    const isNew = (await db.prisma.mcpServer.count()) === 0;
    const examples = await startExampleServers({
      ctx,
      ...(demo && isNew ? { catalogueCtx: demo.beginning(ctx) } : {}),
      dataFolder: config.dataFolder,
      firstPort: config.examplePort,
      log,
    });
    running.add(examples.stop);
    servers = examples.servers;
    if (demo) {
      await examples.ready;
      await demo.startDemo(ctx, config.dataFolder);
    }
  }
  await recordStart(ctx, {
    role: config.role,
    version: manifest.version,
    settings: reportSettings(config),
    notes,
  });
  const child = await starting;
  await worker?.begun();
  if (child) running.add(child.stop);
  return { enrolLink: (await hasAdmin(ctx)) ? null : (await issueFirstAdminLink(ctx)).url, servers };
}

async function runConsoleHere(
  config: Config,
  database: OpenedDatabase,
  startSecret: string,
  verbSocket: string,
  running: Running,
): Promise<void> {
  becomeConsole(consoleEnvironmentOf(config, database, startSecret, verbSocket));
  const host = config.listenAddresses[0] ?? '127.0.0.1';
  // Loaded only here: the gate's process needs no Next in its memory.
  const { startConsole } = await import('./console.ts');
  running.add(await startConsole({ host, port: config.port, startSecret }));
}

async function runWorkerHere(config: Config, database: OpenedDatabase, running: Running): Promise<void> {
  const { databaseUrls, secrets } = database;
  const { startWorker } = await import('./worker.ts');
  const worker = await startWorker({ config, databaseUrls, keyEncryptionKey: secrets.keyEncryptionKey });
  running.add(() => worker.close());
}

/** Everything the console process may know: no signing key, no key-encryption key, a database role that only reads. */
function consoleEnvironmentOf(
  config: Config,
  database: OpenedDatabase,
  startSecret: string,
  verbSocket: string,
): NodeJS.ProcessEnv & Record<string, string> {
  return {
    ...inheritedEnvironment(),
    ...toConsoleEnvironment({
      gate: verbSocket,
      startSecret,
      databaseUrl: database.databaseUrls.console,
      issuer: config.issuer,
      consoleOrigin: config.consoleOrigin,
      environment: config.environment,
      demo: config.demo,
      deviceGrant: config.deviceGrant,
      identityProvider: config.identityProvider,
    }),
    ...(config.identityProviderSecret
      ? { COUNTERSIGN_OIDC_CLIENT_SECRET: config.identityProviderSecret }
      : {}),
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    NEXTAUTH_URL: config.consoleOrigin,
    NEXTAUTH_SECRET: database.secrets.sessionSecret,
    NEXT_SERVER_ACTIONS_ENCRYPTION_KEY: database.secrets.serverActionsKey,
    LOG_LEVEL: config.logLevel,
  };
}

/** The private door for the console's verbs: a socket only this user can open; a loopback port on Windows. */
async function verbSocketOf(config: Config, runFolder: string): Promise<string> {
  if (config.gateUrl) return config.gateUrl;
  if (process.platform === 'win32') return `http://127.0.0.1:${await freeLoopbackPort()}`;
  const socket = path.join(runFolder, 'gate');
  // Left behind by a start that was killed; this start holds the folder.
  await rm(socket, { force: true });
  return socket;
}

function targetOf(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url);
  return { host: hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
}

/** What has been started, in order; whatever was started last is stopped first. */
class Running {
  #stops: (() => Promise<void>)[] = [];
  #stopping: Promise<void> | null = null;

  add(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  stopAll(): Promise<void> {
    this.#stopping ??= (async () => {
      for (const stop of this.#stops.reverse()) {
        const late = sleep(oneStopTimeoutMs, undefined, { ref: false });
        // One part that hangs must not keep the database from being stopped in order.
        await Promise.race([stop().catch((error: unknown) => console.error(error)), late]);
      }
    })();
    return this.#stopping;
  }
}

function endOnSignals(running: Running, log: Logger): void {
  const end = (cause: string) => {
    log.info({ cause }, 'stopping');
    setTimeout(() => process.exit(1), stopTimeoutMs).unref();
    running.stopAll().then(() => process.exit(0));
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => end(signal));
  if (isStartedByNpm()) {
    // npm passes a signal on to the shell between us, which ends without passing it further: its end is our signal.
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      end('npm ended');
    }, parentPollMs);
    watch.unref();
  }
  // State is safe in PostgreSQL at any moment; going on after an unknown failure is what is not.
  const fail = (error: unknown) => {
    log.fatal({ err: error }, 'unexpected failure');
    setTimeout(() => process.exit(1), stopTimeoutMs).unref();
    running.stopAll().then(() => process.exit(1));
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
}

/** Problems whose message says all an operator needs, in their words. */
function operatorMessageOf(error: unknown): string | null {
  if (error instanceof OperatorError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return `The port is taken by another program. Set PORT to a free one.\n${message}`;
  if (code === 'EACCES' || code === 'ENOSPC' || code === 'EROFS')
    return `The data folder cannot be written.\n${message}`;
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
    return message;
  return null;
}
