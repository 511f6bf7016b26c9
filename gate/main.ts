import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { hasAdmin } from '#lib/access/has-admin.ts';
import { flushAnonymousRefusals, noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { listenToFeed } from '#lib/credentials/deny-set.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { clientAddress, isInRanges, parseRanges, privateRanges } from '#lib/platform/address.ts';
import { type Clock, systemClock } from '#lib/platform/clock.ts';
import type { Vault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import type { Config } from '#lib/platform/env.ts';
import { newId } from '#lib/platform/ids.ts';
import { siteOf } from '#lib/platform/site.ts';
import { openWakeUps } from '#lib/platform/wake-ups.ts';
import { createApiApp } from './api/app.ts';
import { LiveHub } from './api/live.ts';
import { type ConsoleTarget, createConsoleProxy } from './console-proxy.ts';
import { type Caller, ctxOf, type Gate } from './context.ts';
import { type DiskWatch, watchDisk } from './disk.ts';
import { FeedHub } from './guards/feed-hub.ts';
import {
  answerJson,
  answerReadiness,
  gateChecks,
  loopLag,
  type ReadinessCheck,
  registrationsStoppedTotal,
  registry,
  requestsTotal,
  shedTotal,
} from './health.ts';
import { measureLoad } from './load.ts';
import { readMetrics } from './metrics.ts';
import { crossOriginHeaders } from './oauth/answer.ts';
import { createOAuthApp, machineEndpoints } from './oauth/app.ts';
import { deviceAuthorizationPath } from './oauth/device-authorization.ts';
import { serveMachine } from './oauth/machine.ts';
import { actorOfSession, sessionOfRequest } from './session.ts';
import { sessionCookieName } from './session-cookie.ts';
import { createVerbServer } from './verb-socket.ts';

export type GateOptions = {
  config: Config;
  db: Db;
  vault: Vault;
  log: Logger;
  clock?: Clock;
  /** Shared with the console child and the verb socket for this start only. */
  startSecret: string;
  /** Where the console child listens; null where no console runs (tests of the protocol face). */
  console: ConsoleTarget | null;
  /** Path of the unix socket, or `http://127.0.0.1:port`, that the console's server actions call; null for none. */
  verbSocket: string | null;
  /** Asked before the console is; answers true when it answered. The demo's way in, null everywhere else. */
  beforeConsole?:
    | ((incoming: IncomingMessage, outgoing: ServerResponse, path: string) => Promise<boolean>)
    | null;
  /** What must hold beside the gate's own checks before `/readyz` says so, such as the jobs worker. */
  readiness?: Record<string, ReadinessCheck>;
  /** Folders whose disks are watched; none are in tests of the protocol face. */
  diskFolders?: readonly string[];
};

/** Where anybody can have a row written. */
const registersUnknown: ReadonlySet<string> = new Set(['/register', deviceAuthorizationPath]);

export type RunningGate = {
  gate: Gate;
  /** The port it listens on (useful when the configured one was 0). */
  port: number;
  /** Stops taking requests, lets those under way finish for a moment, and ends. The database stays open. */
  close(): Promise<void>;
};

const loopback = ['127.0.0.1', '::1'];
const adminPollMs = 1_000;
const flushRefusalsMs = 60_000;
const closeGraceMs = 3_000;

/**
 * Starts the one port. The Host header decides the face: the issuer's name is the OAuth protocol face, where no cookie
 * is looked at; the console's name is REST and pages. Any other name is refused, so a page of a foreign site that
 * resolves to this address reaches nothing. While no admin exists only loopback is listened on.
 */
export async function startGate(options: GateOptions): Promise<RunningGate> {
  const { config } = options;
  const site = siteOf(config);
  refuseOverlap(site.issuer, site.consoleOrigin);
  const gate: Gate = {
    config,
    site,
    db: options.db,
    vault: options.vault,
    clock: options.clock ?? systemClock,
    log: options.log,
  };
  const wakeUps = await openWakeUps(gate.db.url);
  const feed = new FeedHub(gate);
  await feed.start(wakeUps);
  const live = new LiveHub(gate);
  await live.start(wakeUps);
  const system = () => ctxOf(gate, { actor: systemActor('gate') });
  const disk = await watchDiskOf(gate, system, options.diskFolders ?? []);
  const front = createFront(gate, feed, live, disk, options);
  const stopDenySet = await listenToFeed(system(), wakeUps);

  const verbServer = options.verbSocket ? await listenForVerbs(gate, options, options.verbSocket) : null;
  let open = await hasAdmin(system());
  let listeners = await listenOn(front.handle, open ? config.listenAddresses : loopback, config.port);
  const port = portOf(listeners);

  // The first admin's arrival opens the configured addresses, in whichever process it happened.
  const widen = setInterval(async () => {
    if (open || config.listenAddresses.every((address) => loopback.includes(address))) return;
    try {
      if (!(await hasAdmin(system()))) return;
      open = true;
      for (const listener of listeners) listener.close();
      listeners = await listenOn(front.handle, config.listenAddresses, port);
    } catch (error) {
      gate.log.error({ err: error }, 'could not open the configured addresses');
    }
  }, adminPollMs);
  const flush = setInterval(() => {
    flushAnonymousRefusals(system()).catch((error) =>
      gate.log.error({ err: error }, 'refusals could not be recorded'),
    );
  }, flushRefusalsMs);
  widen.unref();
  flush.unref();

  return {
    gate,
    port,
    async close() {
      clearInterval(widen);
      clearInterval(flush);
      disk.stop();
      feed.close();
      live.close();
      stopDenySet();
      await wakeUps.close();
      await Promise.all([...listeners, ...(verbServer ? [verbServer] : [])].map(closeServer));
      front.close();
      await flushAnonymousRefusals(system()).catch((error) =>
        gate.log.error({ err: error }, 'refusals could not be recorded'),
      );
    },
  };
}

/** Cookies ignore ports and schemes: were both names one host, every redirect to a local client would carry them. */
function refuseOverlap(issuer: string, consoleOrigin: string): void {
  if (new URL(issuer).hostname === new URL(consoleOrigin).hostname) {
    throw new TypeError('the issuer and the console must have different host names: cookies ignore ports');
  }
}

type Handle = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

function createFront(
  gate: Gate,
  feed: FeedHub,
  live: LiveHub,
  disk: DiskWatch,
  options: GateOptions,
): { handle: Handle; close(): void } {
  const issuerHost = new URL(gate.site.issuer).host;
  const consoleHost = new URL(gate.site.consoleOrigin).host;
  const trustedProxies = parseRanges(gate.config.trustedProxies);
  const checks = { ...gateChecks, ...options.readiness };
  const load = measureLoad();
  const machine = machineEndpoints(gate);
  const oauth = createOAuthApp(gate, feed, machine);
  const api = createApiApp(gate, { live: (c) => live.serve(c) });
  const proxy = options.console
    ? createConsoleProxy({
        target: options.console,
        startSecret: options.startSecret,
        consoleOrigin: gate.site.consoleOrigin,
        log: gate.log,
      })
    : null;
  const oauthListener = getRequestListener((request, env) => {
    const bindings = { ...env, caller: callerOf(env.incoming as IncomingMessage) };
    return oauth.fetch(request, bindings as never);
  });
  const apiListeners = {
    console: getRequestListener((request, env) => api.fetch(request, apiBindings(env, true) as never)),
    issuer: getRequestListener((request, env) => api.fetch(request, apiBindings(env, false) as never)),
  };

  function apiBindings(env: { incoming: unknown }, readCookies: boolean) {
    return { ...env, caller: callerOf(env.incoming as IncomingMessage), readCookies };
  }

  function callerOf(incoming: IncomingMessage): Caller {
    return {
      address: clientAddress(
        incoming.socket.remoteAddress,
        incoming.headers['x-forwarded-for'],
        trustedProxies,
      ),
      userAgent: incoming.headers['user-agent']?.slice(0, 500) ?? null,
      traceId: newId('trace'),
    };
  }

  type Choice = { face: string; answer(): void | Promise<void> };

  function handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { face, answer } = choose(incoming, outgoing);
    outgoing.once('finish', () =>
      requestsTotal.inc({ face, status: `${Math.floor(outgoing.statusCode / 100)}xx` }),
    );
    // One request that fails in a way nobody foresaw must not end the process for all others.
    (async () => answer())().catch((error: unknown) => {
      gate.log.error({ err: error, face }, 'a request could not be answered');
      outgoing.destroy();
    });
  }

  function choose(incoming: IncomingMessage, outgoing: ServerResponse): Choice {
    const refuse = (status: number, error: string, headers: object): Choice => ({
      face: 'refused',
      answer: () => answerJson(outgoing, status, { error }, headers),
    });
    const path = pathOf(incoming.url);
    if (path === null) return refuse(400, 'invalid_request', { connection: 'close' });
    if (path === '/healthz')
      return { face: 'health', answer: () => answerJson(outgoing, 200, { status: 'ok' }) };
    if (path === '/readyz')
      return {
        face: 'health',
        answer: () => answerReadiness(gate, checks, outgoing, { disk: disk.state() }),
      };
    const host = incoming.headers.host?.toLowerCase();
    const face = host === issuerHost ? 'issuer' : host === consoleHost ? 'console' : null;
    if (!face) {
      noteAnonymousRefusal(ctxOf(gate, callerOf(incoming)), 'host', 'unknown_host');
      // 421: this server does not answer for that name (RFC 9110 §15.5.20).
      return refuse(421, 'unknown_host', { connection: 'close' });
    }
    if (path === '/metrics') return { face: 'health', answer: () => answerMetrics(incoming, outgoing) };
    if (load.isOverloaded() && isAnonymous(incoming)) {
      shedTotal.inc();
      return refuse(503, 'temporarily_unavailable', { 'retry-after': '1' });
    }
    if (isApiPath(path)) return { face: 'api', answer: () => apiListeners[face](incoming, outgoing) };
    if (face === 'issuer') {
      const endpoint = incoming.method === 'POST' ? machine.get(path) : undefined;
      if (endpoint && registersUnknown.has(endpoint.path) && disk.state() === 'critical') {
        registrationsStoppedTotal.inc();
        noteAnonymousRefusal(ctxOf(gate, callerOf(incoming)), 'register', 'disk_nearly_full');
        return { face: 'oauth', answer: () => refuseRegistration(incoming, outgoing) };
      }
      const answer = endpoint
        ? () => serveMachine(gate, endpoint, callerOf(incoming), incoming, outgoing)
        : () => oauthListener(incoming, outgoing);
      return { face: 'oauth', answer };
    }
    return { face: 'console', answer: () => forwardToConsole(incoming, outgoing, path) };
  }

  /** Who sends neither a session nor credentials of any kind. Bodies are not looked at: that costs what is scarce. */
  function isAnonymous(incoming: IncomingMessage): boolean {
    const path = pathOf(incoming.url) ?? '';
    // Nobody is known there, whatever they carry.
    if (registersUnknown.has(path) || path === '/authorize') return true;
    if (incoming.headers.authorization !== undefined) return false;
    if (path.startsWith('/_next/static/')) return false;
    if (path === '/token' || path === '/revoke' || path === '/introspect' || path.startsWith('/guards/'))
      return false;
    return !incoming.headers.cookie?.includes(`${sessionCookieName(gate.site.consoleOrigin)}=`);
  }

  async function forwardToConsole(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    path: string,
  ): Promise<void> {
    if (!proxy) return answerJson(outgoing, 404, { error: 'not_found' });
    if (!['GET', 'HEAD', 'POST'].includes(incoming.method ?? '')) {
      return answerJson(outgoing, 405, { error: 'method_not_allowed' }, { allow: 'GET, HEAD, POST' });
    }
    const caller = callerOf(incoming);
    try {
      if (await options.beforeConsole?.(incoming, outgoing, path)) return;
      const isStatic = path.startsWith('/_next/static/');
      const session = isStatic ? null : await sessionOfRequest(ctxOf(gate, caller), incoming);
      proxy.forward(incoming, outgoing, {
        address: caller.address ?? null,
        traceId: caller.traceId as string,
        viewer: session ? { ...session.actor, email: session.email } : null,
      });
    } catch (error) {
      gate.log.error({ err: error, traceId: caller.traceId }, 'the session could not be read');
      answerJson(
        outgoing,
        503,
        { error: 'temporarily_unavailable', requestId: caller.traceId },
        { 'retry-after': '2' },
      );
    }
  }

  async function answerMetrics(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (!isInRanges(callerOf(incoming).address ?? null, privateRanges)) {
      return answerJson(outgoing, 404, { error: 'not_found' });
    }
    loopLag.set(load.lagMs());
    const text = await readMetrics(gate);
    outgoing.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' });
    outgoing.end(text);
  }

  return {
    handle,
    close() {
      load.stop();
      proxy?.close();
    },
  };
}

/** Who is known goes on; whoever comes new would fill what room there is for those who are. */
function refuseRegistration(incoming: IncomingMessage, outgoing: ServerResponse): void {
  incoming.resume();
  answerJson(
    outgoing,
    503,
    {
      error: 'temporarily_unavailable',
      error_description: 'No new clients are registered at the moment. Try again later.',
    },
    { ...crossOriginHeaders, 'retry-after': '300', connection: 'close' },
  );
}

const megabyte = 2 ** 20;

async function watchDiskOf(gate: Gate, ctx: () => Ctx, folders: readonly string[]): Promise<DiskWatch> {
  const { diskLowMb, diskStopMb } = gate.config;
  if (folders.length === 0) return { state: () => 'ok', stop: () => undefined };
  return watchDisk({
    folders,
    limits: { lowBytes: diskLowMb * megabyte, stopBytes: diskStopMb * megabyte },
    ctx,
    log: gate.log,
  });
}

function isApiPath(path: string): boolean {
  return path === '/api/v1' || path.startsWith('/api/v1/');
}

/**
 * The path as it was spelled, without query; null for spellings that different software reads differently: absolute
 * and authority forms, doubled or backward slashes, dot segments, encoded letters, dots or control characters,
 * parameters after a semicolon. What has one spelling has one authorization.
 */
export function pathOf(url: string | undefined): string | null {
  const path = (url ?? '').split('?', 1)[0] as string;
  if (!path.startsWith('/') || path.includes('//') || /[^!-~]|[\\;]/.test(path)) return null;
  if (/\/\.{1,2}(?:\/|$)/.test(path)) return null;
  if (path.includes('%')) {
    for (const [, hex = ''] of path.matchAll(/%(.{0,2})/g)) {
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return null;
      const character = String.fromCharCode(Number.parseInt(hex, 16));
      // An encoded slash stays legal: client ids that are URLs stand in paths. No route matches one by accident.
      if (/[A-Za-z0-9._~\\-]/.test(character) || character < ' ') return null;
    }
  }
  return path;
}

async function listenForVerbs(gate: Gate, options: GateOptions, where: string): Promise<Server> {
  const server = createVerbServer(gate, { startSecret: options.startSecret, actorOfSession });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const url = where.startsWith('http') ? new URL(where) : null;
    if (url) server.listen(Number(url.port), url.hostname, resolve);
    else server.listen(where, resolve);
  });
  return server;
}

/** One listener an address, so that loopback means 127.0.0.1 and ::1 and nothing wider. */
async function listenOn(handle: Handle, addresses: readonly string[], port: number): Promise<Server[]> {
  const servers: Server[] = [];
  let chosen = port;
  try {
    for (const address of addresses) {
      const server = createHttpServer(handle);
      try {
        await listen(server, address, chosen);
      } catch (error) {
        // A machine without IPv6 is no reason not to start, as long as something listens.
        const { code } = error as NodeJS.ErrnoException;
        if (address.includes(':') && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT')) continue;
        throw error;
      }
      servers.push(server);
      chosen = portOf([server]);
    }
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  return servers;
}

function createHttpServer(handle: Handle): Server {
  const server = createServer(
    {
      // A request has half a minute to arrive whole; streams that answer for hours are not concerned.
      requestTimeout: 30_000,
      headersTimeout: 10_000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16 * 1024,
    },
    handle,
  );
  server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  return server;
}

function listen(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, ipv6Only: address.includes(':') }, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

function portOf(servers: readonly Server[]): number {
  const address = servers[0]?.address();
  return typeof address === 'object' && address ? address.port : 0;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), closeGraceMs);
    server.close(() => {
      clearTimeout(force);
      resolve();
    });
    server.closeIdleConnections();
  });
}
