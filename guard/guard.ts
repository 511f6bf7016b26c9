import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Clock, systemClock } from './clock.ts';
import type { UpstreamRequest, UpstreamResponse, UpstreamServer } from './exchange.ts';
import { FeedClient, type Upstream } from './feed-client.ts';
import { Floors } from './floors.ts';
import { GateClient } from './gate-client.ts';
import { EnrolmentError, enrol, type Identity, loadIdentity } from './identity.ts';
import type { ServerFacts } from './protocol.ts';
import { GuardProxy, type ListenAddress } from './proxy.ts';
import { Reporter } from './reports.ts';
import { ResourceGuard } from './resource-guard.ts';
import { Spool } from './spool.ts';
import { type StdioCommand, stdioUpstream } from './stdio-upstream.ts';
import { httpUpstream } from './upstream-http.ts';

/** Version of this software, shown in the console. */
export const guardVersion = '0.1.0';

/** How this guard reaches a server, where the gate does not say or it is to be otherwise. */
export type LocalUpstream = { stdio: StdioCommand } | { url: string };

export type GuardOptions = {
  /** Keys, floors and spool; this guard's alone. */
  stateDir: string;
  /** Needed once; afterwards the state folder knows who this guard is. */
  joinToken?: string | undefined;
  /** Name shown in the console. */
  name?: string;
  /** By server id or server name. */
  upstreams?: Readonly<Record<string, LocalUpstream>>;
  /** Where all resources are served, when their URLs do not say it. */
  listen?: ListenAddress;
  /** Origins of web pages that may call, beside those on loopback. */
  allowedOrigins?: readonly string[];
  spoolMaxBytes?: number;
  /** One line per event worth knowing for whoever runs the guard. */
  log?: (event: string, facts?: Record<string, unknown>) => void;
  clock?: Clock;
};

export type RunningGuard = {
  guardId: string;
  issuer: string;
  feed: FeedClient;
  reporter: Reporter;
  /** Resolves with the first lease, or rejects after `timeoutMs`. */
  ready(timeoutMs?: number): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Enrols if need be and follows the feed, without serving anything: what the
 * library for in-process servers builds upon. Throws `EnrolmentError`.
 */
export async function connectGuard(
  options: GuardOptions,
): Promise<RunningGuard & { servers: ServerFacts[] }> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? (() => {});
  const { identity, servers } = await whoAmI(options, clock);
  const gate = new GateClient(identity, clock);
  const floors = new Floors(options.stateDir);
  const feed = new FeedClient({ gate, clock, floors, stateDir: options.stateDir });
  const spool = new Spool({
    folder: path.join(options.stateDir, 'spool'),
    ...(options.spoolMaxBytes ? { maxBytes: options.spoolMaxBytes } : {}),
  });
  const reporter = new Reporter({ spool, gate, nowMs: () => Math.max(0, feed.lease.gateNowMs()) });
  reporter.record({ kind: 'condition', condition: 'started', detail: guardVersion });
  feed.on('lease', (live) => {
    reporter.record({ kind: 'condition', condition: live ? 'lease_regained' : 'lease_lost' });
    log(live ? 'lease held' : 'lease lost', {});
  });
  let lastRefused = '';
  feed.on('refused', (detail) => {
    log('feed not believed', { detail });
    if (detail === lastRefused) return;
    lastRefused = detail;
    reporter.record({ kind: 'condition', condition: 'feed_refused', detail: detail.slice(0, 1024) });
  });
  reporter.start();
  const running = feed.run();
  return {
    guardId: identity.guardId,
    issuer: identity.issuer,
    feed,
    reporter,
    servers,
    ready: (timeoutMs = 10_000) => firstLease(feed, timeoutMs),
    async stop() {
      await Promise.race([feed.flush(), new Promise((resolve) => setTimeout(resolve, 500).unref())]);
      feed.stop();
      await running;
      await reporter.stop();
    },
  };
}

/** Runs a guard as reverse proxy for all servers it is enrolled for. */
export async function startGuard(options: GuardOptions): Promise<RunningGuard> {
  const connected = await connectGuard(options);
  const log = options.log ?? (() => {});
  const { feed, reporter, issuer } = connected;
  const { listen } = options;
  const proxy = new GuardProxy(listen ? () => listen : undefined);
  const served = new Map<string, { facts: ServerFacts; guard: ResourceGuard; upstream: SwitchedUpstream }>();

  const serve = async (facts: ServerFacts) => {
    const known = served.get(facts.id);
    if (known?.facts.resource === facts.resource) return;
    if (known) await withdraw(facts.id);
    const upstream = new SwitchedUpstream();
    const { allowedOrigins } = options;
    const guard = new ResourceGuard({
      server: facts,
      feed,
      reporter,
      issuer,
      upstream,
      ...(allowedOrigins ? { allowedOrigins } : {}),
    });
    served.set(facts.id, { facts, guard, upstream });
    await proxy.serve(facts.resource, guard);
    log('serving', { server: facts.name, resource: facts.resource });
  };
  const withdraw = async (serverId: string) => {
    const known = served.get(serverId);
    if (!known) return;
    served.delete(serverId);
    proxy.withdraw(known.facts.resource);
    await known.guard.close();
  };
  /** Serves what the feed names, in the way it or the local configuration says. */
  const follow = async () => {
    for (const { server } of feed.slices.values()) await serve(server);
    for (const [serverId, { facts, upstream }] of served) {
      const local = options.upstreams?.[serverId] ?? options.upstreams?.[facts.name];
      const announced = feed.upstreams.get(serverId);
      if (local || announced)
        upstream.use(local, announced, (line) => log('server says', { server: facts.name, line }));
      if (feed.upstreams.size > 0 && !announced) await withdraw(serverId);
    }
    saveServers(
      options.stateDir,
      [...served.values()].map(({ facts }) => facts),
    );
  };
  let following: Promise<void> = Promise.resolve();
  const followSoon = () => {
    following = following.then(follow).catch((cause) => log('cannot serve', { cause: String(cause) }));
  };

  // Resources answer from the first moment, if only with a challenge or "not now".
  for (const facts of connected.servers) await serve(facts);
  followSoon();
  feed.on('setup', followSoon);
  feed.on('replaced', followSoon);
  feed.on('changed', (_, entries) => {
    if (entries.some(({ kind }) => kind === 'server.changed')) followSoon();
  });

  return {
    ...connected,
    async stop() {
      feed.removeAllListeners('replaced').removeAllListeners('setup');
      await following;
      await Promise.all([...served.keys()].map(withdraw));
      await proxy.close();
      await connected.stop();
    },
  };
}

async function whoAmI(
  options: GuardOptions,
  clock: Clock,
): Promise<{ identity: Identity; servers: ServerFacts[] }> {
  const known = await loadIdentity(options.stateDir);
  if (known) return { identity: known, servers: loadServers(options.stateDir) };
  if (!options.joinToken)
    throw new EnrolmentError('this guard is not enrolled yet: give it the join token the console shows');
  const enrolled = await enrol(options.joinToken, {
    stateDir: options.stateDir,
    name: options.name ?? 'guard',
    version: guardVersion,
    clock,
  });
  saveServers(options.stateDir, enrolled.servers);
  return enrolled;
}

const serversFile = (stateDir: string) => path.join(stateDir, 'servers.json');

function saveServers(stateDir: string, servers: readonly ServerFacts[]): void {
  writeFileSync(serversFile(stateDir), JSON.stringify(servers), { mode: 0o600 });
}

function loadServers(stateDir: string): ServerFacts[] {
  try {
    return JSON.parse(readFileSync(serversFile(stateDir), 'utf8'));
  } catch {
    return [];
  }
}

function firstLease(feed: FeedClient, timeoutMs: number): Promise<void> {
  if (feed.lease.live()) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      feed.off('lease', onLease);
      reject(new Error('no lease from the gate'));
    }, timeoutMs);
    const onLease = (live: boolean) => {
      if (!live) return;
      clearTimeout(timer);
      feed.off('lease', onLease);
      resolve();
    };
    feed.on('lease', onLease);
  });
}

/** An upstream that can become another one when server or credential change. */
class SwitchedUpstream implements UpstreamServer {
  #current: UpstreamServer | null = null;
  #description = '';

  use(local: LocalUpstream | undefined, announced: Upstream | undefined, log: (line: string) => void): void {
    const description = JSON.stringify([local, announced]);
    if (description === this.#description) return;
    void this.#current?.close();
    this.#description = description;
    const headers = announced?.kind === 'http' ? announced.headers : {};
    if (local && 'stdio' in local) this.#current = stdioUpstream(local.stdio, log);
    else if (local) this.#current = httpUpstream(local.url, headers);
    else this.#current = announced?.kind === 'http' ? httpUpstream(announced.url, headers) : null;
  }

  async send(request: UpstreamRequest): Promise<UpstreamResponse> {
    if (!this.#current) throw new Error('nobody has said where this server is');
    return this.#current.send(request);
  }

  async close(): Promise<void> {
    await this.#current?.close();
  }
}
