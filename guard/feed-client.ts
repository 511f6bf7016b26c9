import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { compactDecrypt, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import type { Clock } from './clock.ts';
import type { Floors } from './floors.ts';
import { type GateClient, GateRefused } from './gate-client.ts';
import { updateIdentity } from './identity.ts';
import { keyIdOf, openCompact, openPublicKey } from './jws.ts';
import { Lease } from './lease.ts';
import {
  type Ack,
  type Delta,
  type FeedEntry,
  type FeedMessage,
  formatPositions,
  guardPaths,
  type Heartbeat,
  heartbeatEveryMs,
  messageTypes,
  type PublicJwks,
  parseClockReading,
  parseFeedMessage,
  type RefusalFacts,
  type Setup,
  type Snapshot,
  type UpstreamFacts,
} from './protocol.ts';
import { Slice } from './slice.ts';
import { createSseReader } from './sse.ts';

/** Silence this long on a feed that promises a heartbeat every second means it is dead. */
const silenceMs = 3 * heartbeatEveryMs;
const longestWaitMs = 5_000;
/** A guard asks for a sync at most this often on the word of a token. */
const syncEveryMs = 200;
const maxWatches = 10_000;

/** How the guard reaches a server, its secret headers opened. */
export type Upstream = { kind: 'http'; url: string; headers: Record<string, string> } | { kind: 'local' };

type FeedEvents = {
  /** After entries took effect: what may still run must be looked at again. */
  changed: [slice: Slice, entries: readonly FeedEntry[]];
  /** A slice was replaced whole, or appeared, or went. */
  replaced: [serverId: string];
  /** Which servers there are, and how they are reached, was told. */
  setup: [];
  lease: [live: boolean];
  /** Something on the feed was not believed. */
  refused: [detail: string];
};

/** This feed cannot be believed any further; the connection ends and starts over. */
class FeedFault extends Error {}

/**
 * Keeps what this guard knows in step with the gate. Everything it believes was
 * signed by a feed key, arrived in sequence and fits what was known before;
 * anything else costs the lease at once.
 */
export class FeedClient extends EventEmitter<FeedEvents> {
  readonly slices = new Map<string, Slice>();
  upstreams: ReadonlyMap<string, Upstream> = new Map();
  readonly lease: Lease;
  consoleOrigin: string;
  readonly #gate: GateClient;
  readonly #clock: Clock;
  readonly #floors: Floors;
  readonly #stateDir: string;
  readonly #stop = new AbortController();
  readonly #watches = new Map<string, RefusalFacts>();
  readonly #lastAccepted = new Map<string, number>();
  /** Keys that may sign what this guard believes, as they came and as a set to look up tokens by. */
  #feedJwks: PublicJwks;
  feedKeys: ReturnType<typeof createLocalJWKSet>;
  #connectionEnd: AbortController | null = null;
  #lastSentAtMs = 0;
  #leaseTimer: NodeJS.Timeout | null = null;
  #syncing: Promise<void> = Promise.resolve();
  #nextSync: Promise<void> | null = null;
  #syncedAtMs = Number.NEGATIVE_INFINITY;
  /** Feed and sync answers are taken in one after the other. */
  #intake: Promise<unknown> = Promise.resolve();
  #ack: Pick<Ack, 'applied' | 'refusals' | 'ahead'> = { applied: [], refusals: [], ahead: [] };
  #sendingAck: Promise<void> | null = null;

  constructor(options: { gate: GateClient; clock: Clock; floors: Floors; stateDir: string }) {
    super();
    this.#gate = options.gate;
    this.#clock = options.clock;
    this.#floors = options.floors;
    this.#stateDir = options.stateDir;
    this.lease = new Lease(options.clock);
    this.consoleOrigin = options.gate.identity.consoleOrigin;
    this.#feedJwks = options.gate.identity.feedKeys;
    this.feedKeys = createLocalJWKSet(this.#feedJwks as JSONWebKeySet);
  }

  /** Connects, and again whenever the connection ends, until `stop`. */
  async run(): Promise<void> {
    let waitMs = 0;
    while (!this.#stop.signal.aborted) {
      const startedAtMs = this.#clock.monotonicMs();
      let refused = false;
      try {
        await this.#connect();
      } catch (cause) {
        refused = cause instanceof GateRefused && (cause.status === 401 || cause.status === 403);
        if (cause instanceof FeedFault || refused) {
          this.#endLease();
          this.emit('refused', (cause as Error).message);
        }
      }
      if (this.#clock.monotonicMs() - startedAtMs > longestWaitMs) waitMs = 0;
      waitMs = refused ? longestWaitMs : Math.min(longestWaitMs, waitMs === 0 ? 50 : waitMs * 2);
      await delay(waitMs * (0.5 + Math.random() / 2), this.#stop.signal);
    }
  }

  stop(): void {
    this.#stop.abort();
    this.#connectionEnd?.abort();
    if (this.#leaseTimer) clearTimeout(this.#leaseTimer);
    this.#floors.save();
  }

  /** Sends what is still to be acknowledged; for an orderly end. */
  async flush(): Promise<void> {
    await this.#sendAcks();
  }

  /** The slice, if a lease says that it is current; null means: deny. */
  current(serverId: string): Slice | null {
    return this.lease.live() ? (this.slices.get(serverId) ?? null) : null;
  }

  floors(): Pick<Floors, 'epoch' | 'version'> {
    return this.#floors;
  }

  /**
   * Fetches what a validly signed token suggests we have not heard of yet, at most every 200 ms. Callers share the
   * next fetch, never one already under way: its answer may be older than the token that made them ask.
   */
  sync(): Promise<void> {
    this.#nextSync ??= this.#syncSoon();
    return this.#nextSync;
  }

  async #syncSoon(): Promise<void> {
    await this.#syncing;
    const waitMs = this.#syncedAtMs + syncEveryMs - this.#clock.monotonicMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    this.#nextSync = null;
    this.#syncedAtMs = this.#clock.monotonicMs();
    // A sync that fails leaves what is known as it was; the caller decides on that.
    this.#syncing = this.#fetchSync().catch(() => {});
    await this.#syncing;
  }

  /** Remembers when an agent was last let through, for the receipt of its revocation. */
  noteAccepted(agentId: string): void {
    if (this.#lastAccepted.size > 100_000) this.#lastAccepted.clear();
    this.#lastAccepted.set(agentId, this.lease.gateNowMs());
  }

  /** Tells the gate of the first call refused after an agent's authority ended. */
  noteRefused(serverId: string, agentId: string): void {
    const watch = this.#watches.get(`${serverId} ${agentId}`);
    if (!watch || watch.firstRefusedAtMs !== null) return;
    watch.firstRefusedAtMs = this.lease.gateNowMs();
    this.#queueAck({ refusals: [{ ...watch }] });
  }

  // ── connection ────────────────────────────────────────────────────────────

  async #connect(): Promise<void> {
    await this.#mapClock();
    const nonce = randomBytes(16).toString('base64url');
    const end = new AbortController();
    this.#connectionEnd = end;
    const signal = AbortSignal.any([end.signal, this.#stop.signal]);
    const silence = setTimeout(() => end.abort(), silenceMs);
    let remapping: Promise<void> | null = null;
    try {
      const body = await this.#gate.openFeed(this.#query(nonce), signal);
      const arrived: string[] = [];
      const read = createSseReader({ onEvent: ({ data }) => void arrived.push(data) });
      for await (const chunk of body) {
        silence.refresh();
        read(chunk);
        for (const data of arrived.splice(0)) {
          if (data) await this.#takeIn(data, nonce);
        }
        if (this.lease.needsMapping() && !remapping) {
          remapping = this.#mapClock()
            .catch(() => {})
            .finally(() => {
              remapping = null;
            });
        }
      }
    } finally {
      clearTimeout(silence);
      end.abort();
    }
  }

  #query(nonce: string): string {
    const positions = [...this.slices.values()].map(({ serverId, head }) => ({ serverId, sequence: head }));
    return `nonce=${nonce}&from=${encodeURIComponent(formatPositions(positions))}`;
  }

  async #mapClock(): Promise<void> {
    const nonce = randomBytes(16).toString('base64url');
    const askedAtMs = this.#clock.monotonicMs();
    const answer = (await this.#gate.post(guardPaths.nonce, { nonce }, 2_000)) as { clock?: unknown };
    const answeredAtMs = this.#clock.monotonicMs();
    const reading = parseClockReading(this.#verified(String(answer.clock), messageTypes.clock));
    const { guardId, issuer } = this.#gate.identity;
    if (reading.nonce !== nonce || reading.guardId !== guardId || reading.iss !== issuer)
      throw new FeedFault('a clock reading for someone or something else');
    if (!this.lease.mapClock({ askedAtMs, answeredAtMs, gateTimeMs: reading.gateTimeMs }))
      throw new FeedFault('the gate answers too slowly to tell the time by it');
  }

  async #fetchSync(): Promise<void> {
    const nonce = randomBytes(16).toString('base64url');
    const answer = (await this.#gate.get(`${guardPaths.sync}?${this.#query(nonce)}`)) as {
      messages?: unknown;
    };
    if (!Array.isArray(answer.messages)) throw new FeedFault('not an answer to a sync');
    for (const jws of answer.messages) await this.#takeIn(String(jws), nonce);
  }

  /** Verifies and applies one message; any fault ends lease and connection. */
  #takeIn(jws: string, nonce: string): Promise<void> {
    const taken = this.#intake.then(async () => {
      try {
        await this.#apply(parseFeedMessage(this.#verified(jws, messageTypes.feed)), nonce);
      } catch (cause) {
        this.#endLease();
        this.#connectionEnd?.abort();
        const detail = cause instanceof Error ? cause.message : String(cause);
        this.emit('refused', detail);
        throw new FeedFault(detail);
      }
    });
    this.#intake = taken.catch(() => {});
    return taken;
  }

  #verified(jws: string, typ: string): unknown {
    const kid = keyIdOf(jws);
    const jwk = this.#feedJwks.keys.find((key) => key.kid === kid);
    const payload = jwk ? openCompact(jws, typ, openPublicKey(jwk)) : null;
    if (payload === null) throw new FeedFault(`not a ${typ} signed by a feed key`);
    return payload;
  }

  // ── taking in ─────────────────────────────────────────────────────────────

  async #apply(message: FeedMessage, nonce: string): Promise<void> {
    if (message.iss !== this.#gate.identity.issuer) throw new FeedFault('a message of another issuer');
    if (message.type === 'setup') await this.#applySetup(message, nonce);
    else if (message.type === 'snapshot') this.#applySnapshot(message);
    else if (message.type === 'delta') this.#applyDelta(message);
    else this.#applyHeartbeat(message, nonce);
  }

  async #applySetup(setup: Setup, nonce: string): Promise<void> {
    if (setup.guardId !== this.#gate.identity.guardId || setup.nonce !== nonce)
      throw new FeedFault('a setup for another guard or connection');
    this.consoleOrigin = setup.consoleOrigin;
    this.feedKeys = createLocalJWKSet(setup.feedKeys as JSONWebKeySet);
    this.#feedJwks = setup.feedKeys;
    updateIdentity(this.#stateDir, { consoleOrigin: setup.consoleOrigin, feedKeys: setup.feedKeys });
    const upstreams = new Map<string, Upstream>();
    for (const { serverId, upstream } of setup.servers)
      upstreams.set(serverId, await this.#openUpstream(upstream));
    const gone = [...this.slices.keys()].filter((serverId) => !upstreams.has(serverId));
    this.upstreams = upstreams;
    for (const serverId of gone) {
      this.slices.delete(serverId);
      this.emit('replaced', serverId);
    }
    this.emit('setup');
  }

  async #openUpstream(facts: UpstreamFacts): Promise<Upstream> {
    if (facts.kind === 'local') return facts;
    if (!facts.headers) return { kind: 'http', url: facts.url, headers: {} };
    const { plaintext } = await compactDecrypt(facts.headers, this.#gate.identity.encryptionKey, {
      keyManagementAlgorithms: ['ECDH-ES'],
      contentEncryptionAlgorithms: ['A256GCM'],
    });
    const headers = JSON.parse(new TextDecoder().decode(plaintext)) as Record<string, string>;
    return { kind: 'http', url: facts.url, headers };
  }

  #applySnapshot(snapshot: Snapshot): void {
    const serverId = snapshot.server.id;
    this.#requireGeneration(snapshot.generation, [{ serverId, head: snapshot.head }]);
    this.#requireHead(serverId, snapshot.head, snapshot.generation);
    const slice = new Slice(snapshot);
    const before = this.slices.get(serverId);
    if (before && before.generation === snapshot.generation && before.head > snapshot.head)
      throw new FeedFault('a snapshot older than what is known');
    this.slices.set(serverId, slice);
    for (const agent of snapshot.agents) this.#floors.raiseEpoch(agent.id, agent.epoch);
    for (const binding of snapshot.bindings) this.#floors.raiseVersion(binding.id, binding.version);
    this.#floors.raiseHead(serverId, snapshot.head);
    this.emit('replaced', serverId);
    this.#queueAck({ applied: [this.#applied(slice)] });
  }

  #applyDelta(delta: Delta): void {
    const offeredHead = delta.entries.at(-1)?.sequence ?? 0;
    this.#requireGeneration(delta.generation, [{ serverId: delta.serverId, head: offeredHead }]);
    const slice = this.slices.get(delta.serverId);
    if (!slice) throw new FeedFault('a delta for an unknown server');
    // A sync may have run ahead of the stream.
    const entries = delta.entries.filter((entry) => entry.sequence > slice.head);
    if (entries.length === 0) return;
    const refusals: RefusalFacts[] = [];
    for (const entry of entries) {
      const ended = endedAgent(slice, entry);
      slice.apply(entry);
      this.#raiseFloors(entry);
      if (ended) refusals.push(this.#watch(slice.serverId, ended, entry.sequence));
    }
    this.#floors.raiseHead(slice.serverId, slice.head);
    this.emit('changed', slice, entries);
    this.#queueAck({ applied: [this.#applied(slice)], refusals });
  }

  #applyHeartbeat(heartbeat: Heartbeat, nonce: string): void {
    if (heartbeat.guardId !== this.#gate.identity.guardId || heartbeat.nonce !== nonce)
      throw new FeedFault('a heartbeat for another guard or connection');
    if (heartbeat.sentAtMs < this.#lastSentAtMs - 1_000) throw new FeedFault('a heartbeat from the past');
    if (heartbeat.issuerEpoch < this.#floors.issuerEpoch) throw new FeedFault('the issuer epoch went back');
    this.#requireGeneration(heartbeat.generation, heartbeat.slices);
    for (const { serverId, head, denySetDigest } of heartbeat.slices) {
      this.#requireHead(serverId, head, heartbeat.generation);
      const slice = this.slices.get(serverId);
      // Entries can overtake a heartbeat that was signed before them; knowing more than it vouches for is enough.
      if (slice && slice.head > head) continue;
      if (!slice || slice.head < head || slice.denySetDigest() !== denySetDigest) {
        this.slices.delete(serverId);
        throw new FeedFault(`what is known of ${serverId} is not what the gate says`);
      }
    }
    this.#lastSentAtMs = Math.max(this.#lastSentAtMs, heartbeat.sentAtMs);
    this.#floors.raiseIssuerEpoch(heartbeat.issuerEpoch);
    const before = this.lease.live();
    if (!this.lease.extend(heartbeat.sentAtMs)) {
      void this.#mapClock().catch(() => {});
      return;
    }
    if (!before) this.emit('lease', true);
    this.#watchLease();
  }

  /** An older generation is a backup from before an administrator's acknowledgement: restored over what came later. */
  #requireGeneration(
    generation: number,
    offered: readonly { readonly serverId: string; readonly head: number }[],
  ): void {
    if (generation < this.#floors.generation) {
      const ahead = offered.map(({ serverId, head }) => ({
        serverId,
        knownHead: this.#floors.head(serverId),
        offeredHead: head,
        generation,
      }));
      if (ahead.length > 0) this.#queueAck({ ahead });
      throw new FeedFault('the feed went back to an older generation');
    }
    if (generation === this.#floors.generation) return;
    this.#floors.beginGeneration(generation);
    this.#lastSentAtMs = 0;
    this.slices.clear();
  }

  /** The gate offers less than was seen: a restored backup. It must stop issuing, and nothing is permitted here. */
  #requireHead(serverId: string, offeredHead: number, generation: number): void {
    const knownHead = this.#floors.head(serverId);
    if (offeredHead >= knownHead) return;
    this.#queueAck({ ahead: [{ serverId, knownHead, offeredHead, generation }] });
    throw new FeedFault(`the gate's history of ${serverId} ends at ${offeredHead}, ${knownHead} was seen`);
  }

  #raiseFloors(entry: FeedEntry): void {
    if (entry.kind === 'agent.changed') this.#floors.raiseEpoch(entry.agent.id, entry.agent.epoch);
    if (entry.kind === 'binding.changed') this.#floors.raiseVersion(entry.binding.id, entry.binding.version);
    if (entry.kind === 'binding.ended')
      this.#floors.raiseVersion(entry.bindingId, this.#floors.version(entry.bindingId) + 1);
  }

  #endLease(): void {
    const before = this.lease.live();
    this.lease.end();
    if (this.#leaseTimer) clearTimeout(this.#leaseTimer);
    if (before) this.emit('lease', false);
  }

  /** Says so when the lease runs out, so that what still streams is cut. */
  #watchLease(): void {
    if (this.#leaseTimer) clearTimeout(this.#leaseTimer);
    const check = () => {
      if (this.lease.live()) this.#leaseTimer = setTimeout(check, 250).unref();
      else this.emit('lease', false);
    };
    this.#leaseTimer = setTimeout(check, 250).unref();
  }

  // ── acknowledging ─────────────────────────────────────────────────────────

  #applied(slice: Slice) {
    return { serverId: slice.serverId, sequence: slice.head, appliedAtMs: this.lease.gateNowMs() };
  }

  #watch(serverId: string, agentId: string, sequence: number): RefusalFacts {
    if (this.#watches.size >= maxWatches) {
      const oldest = this.#watches.keys().next().value;
      if (oldest !== undefined) this.#watches.delete(oldest);
    }
    const watch: RefusalFacts = {
      serverId,
      sequence,
      agentId,
      firstRefusedAtMs: null,
      lastAcceptedAtMs: this.#lastAccepted.get(agentId) ?? null,
    };
    this.#watches.set(`${serverId} ${agentId}`, watch);
    return { ...watch };
  }

  #queueAck(more: Partial<Pick<Ack, 'applied' | 'refusals' | 'ahead'>>): void {
    this.#ack.applied.push(...(more.applied ?? []));
    this.#ack.refusals.push(...(more.refusals ?? []));
    this.#ack.ahead.push(...(more.ahead ?? []));
    void this.#sendAcks();
  }

  /** One ack is under way at a time; what comes up meanwhile goes with the next. */
  async #sendAcks(): Promise<void> {
    if (this.#sendingAck) return this.#sendingAck;
    this.#sendingAck = (async () => {
      while (this.#ack.applied.length + this.#ack.refusals.length + this.#ack.ahead.length > 0) {
        const { applied, refusals, ahead } = this.#ack;
        this.#ack = { applied: [], refusals: [], ahead: [] };
        const newest = new Map(applied.map((each) => [each.serverId, each]));
        try {
          const ack = this.#gate.sign(messageTypes.ack, {
            generation: this.#floors.generation,
            applied: [...newest.values()],
            refusals: refusals.slice(0, 1000),
            ahead,
          });
          await this.#gate.post(guardPaths.acks, { ack });
          this.#ack.refusals.unshift(...refusals.slice(1000));
        } catch (cause) {
          if (cause instanceof GateRefused && cause.status < 500) return;
          this.#ack.refusals.unshift(...refusals.slice(-maxWatches));
          this.#ack.applied.unshift(...newest.values());
          if (!(await delay(1_000, this.#stop.signal))) return;
        }
      }
    })().finally(() => {
      this.#sendingAck = null;
    });
    return this.#sendingAck;
  }
}

/** The agent whose authority this entry ends or changes, or null. */
function endedAgent(slice: Slice, entry: FeedEntry): string | null {
  if (entry.kind === 'agent.changed') {
    const known = slice.agents.get(entry.agent.id);
    return known && (entry.agent.epoch > known.epoch || entry.agent.state !== 'active')
      ? entry.agent.id
      : null;
  }
  if (entry.kind === 'binding.ended') return slice.bindings.get(entry.bindingId)?.agentId ?? null;
  return null;
}

/** False when the wait was cut short. */
function delay(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const onAbort = () => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve(true);
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
