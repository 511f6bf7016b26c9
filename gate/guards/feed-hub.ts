import type { ServerResponse } from 'node:http';
import { sealUpstreamHeaders, signFeedMessage } from '#guard/gate-side.ts';
import { type FeedEntry, heartbeatEveryMs, type SlicePosition } from '#guard/protocol.ts';
import { Slice } from '#guard/slice.ts';
import { feedChannels } from '#lib/agents/feed.ts';
import { activeSigningKey, readPublishedJwks } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { NotFound, Unavailable } from '#lib/platform/errors.ts';
import type { WakeUps } from '#lib/platform/wake-ups.ts';
import type { EnrolledGuard } from '#lib/revocation/guards.ts';
import { findEnrolledGuard } from '#lib/revocation/guards.ts';
import { type FeedHeads, readEntries, readHeads, readSnapshot } from '#lib/revocation/read-slice.ts';
import { ctxOf, type Gate } from '../context.ts';

/** A heartbeat vouches for the heads only if they were read from the primary this recently. */
const headsFreshMs = 1_000;
const readHeadsEveryMs = 400;
const seenEveryMs = 2_000;
/** Entries kept in memory per server, to bring a connection that is being opened up to date without a gap. */
const recentEntries = 2_000;
/** Heartbeats go out in this many turns a period, so that a thousand guards are never signed for in one breath. */
const heartbeatTurns = 20;
/** A guard that does not read gets this much buffered, then it is cut: silence would otherwise look like health. */
const maxBufferedBytes = 4 * 1024 * 1024;

type ServerFeed = {
  slice: Slice;
  recent: FeedEntry[];
  advancing: Promise<void> | null;
  /** The one that begins when it is through: whoever asks meanwhile shares it, since it reads all there is by then. */
  next: Promise<void> | null;
  /** The newest signed snapshot and its head: a thousand guards that come back at once are sent the same bytes. */
  snapshot: { head: number; signed: Promise<{ jws: string; head: number } | null> } | null;
};

type Connection = {
  guard: EnrolledGuard;
  nonce: string;
  response: ServerResponse;
  /** False until the opening messages are out: nothing else may come between them. */
  ready: boolean;
  /** In which turn of the period its heartbeat goes out. */
  turn: number;
};

/**
 * Streams what guards must know. One fold of each server's feed is kept in memory, woken by LISTEN and checked
 * against the primary several times a second; every change is signed once and written to all guards of that server.
 * A heartbeat goes out only while the fold is at the head the primary showed within the last second: a gate that has
 * lost its database falls silent, and its guards refuse by themselves.
 */
export class FeedHub {
  readonly #gate: Gate;
  readonly #feeds = new Map<string, Promise<ServerFeed>>();
  readonly #connections = new Set<Connection>();
  #heads: (FeedHeads & { readAtMs: number }) | null = null;
  #clock: { databaseMs: number; monotonicMs: number } | null = null;
  #lastSentAtMs = 0;
  #stopListening: (() => void) | null = null;
  #timers: NodeJS.Timeout[] = [];
  #closed = false;
  #turn = 0;
  #opened = 0;

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  /** Should the wake-ups be lost, the regular reading of heads carries on until they are back. */
  async start(wakeUps: WakeUps): Promise<void> {
    this.#stopListening = await wakeUps.listen({
      channels: [...Object.values(feedChannels), 'countersign_change'],
      onNotice: (channel, payload) =>
        void this.#onNotice(channel, payload).catch((error: unknown) =>
          this.#gate.log.error({ err: error, channel }, 'a change could not be passed on to guards'),
        ),
    });
    await this.#readHeads();
    this.#timers = [
      setInterval(() => void this.#readHeads(), readHeadsEveryMs),
      setInterval(() => void this.#beat(), heartbeatEveryMs / heartbeatTurns),
      setInterval(() => void this.#markSeen(), seenEveryMs),
    ];
  }

  close(): void {
    this.#closed = true;
    this.#stopListening?.();
    for (const timer of this.#timers) clearInterval(timer);
    for (const connection of this.#connections) connection.response.end();
    this.#connections.clear();
  }

  /** How many guards are listening now. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** The gate clock: the primary's, carried forward on this process's monotonic clock. Never goes back. */
  nowMs(): number {
    if (!this.#clock) throw new Unavailable('The database has not been reached yet.');
    const at = Math.floor(
      this.#clock.databaseMs + (this.#gate.clock.monotonicMs() - this.#clock.monotonicMs),
    );
    this.#lastSentAtMs = Math.max(this.#lastSentAtMs, at);
    return this.#lastSentAtMs;
  }

  /** Opens a guard's stream: setup, what it lacks of each slice, a heartbeat, and from then on as things happen. */
  async open(
    guard: EnrolledGuard,
    nonce: string,
    from: readonly SlicePosition[],
    response: ServerResponse,
  ): Promise<void> {
    const connection: Connection = {
      guard,
      nonce,
      response,
      ready: false,
      turn: this.#opened++ % heartbeatTurns,
    };
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    response.on('close', () => this.#connections.delete(connection));
    try {
      await this.#begin(connection, from);
    } catch (error) {
      // The stream has begun, so the only honest answer is to end it: the guard comes again.
      this.#gate.log.warn({ err: error, guardId: guard.id }, 'a feed could not be opened');
      response.destroy();
    }
  }

  async #begin(connection: Connection, from: readonly SlicePosition[]): Promise<void> {
    const { guard } = connection;
    write(connection, await this.#setup(connection));
    const positions = new Map(from.map((position) => [position.serverId, position.sequence]));
    for (const serverId of guard.serverIds) {
      const feed = await this.#feedOf(serverId);
      if (!feed) continue;
      await this.#advance(serverId, feed);
      positions.set(serverId, await this.#catchUp(connection, feed, positions.get(serverId) ?? null));
    }
    // From here to `ready` nothing awaits: entries that arrived meanwhile are still in `recent`, later ones are pushed.
    const missed: { serverId: string; entries: FeedEntry[] }[] = [];
    for (const serverId of guard.serverIds) {
      const feed = await this.#feedOf(serverId);
      const sent = positions.get(serverId) ?? 0;
      const entries = feed?.recent.filter((entry) => entry.sequence > sent) ?? [];
      if (entries.length > 0) missed.push({ serverId, entries });
    }
    connection.ready = true;
    this.#connections.add(connection);
    for (const { serverId, entries } of missed) write(connection, await this.#delta(serverId, entries));
    const heartbeat = await this.#heartbeat(connection);
    if (heartbeat) write(connection, heartbeat);
  }

  /** What a guard lacks right now, a heartbeat last, for the guard that met a token newer than it knows. */
  async sync(guard: EnrolledGuard, nonce: string, from: readonly SlicePosition[]): Promise<string[]> {
    await this.#readHeads();
    const messages: string[] = [];
    const collect = {
      guard,
      nonce,
      response: { write: (text: string) => messages.push(text) } as never,
      ready: true,
      turn: 0,
    };
    const positions = new Map(from.map((position) => [position.serverId, position.sequence]));
    for (const serverId of guard.serverIds) {
      const feed = await this.#feedOf(serverId);
      if (!feed) continue;
      await this.#advance(serverId, feed);
      await this.#catchUp(collect, feed, positions.get(serverId) ?? null);
    }
    const heartbeat = await this.#heartbeat(collect);
    if (!heartbeat)
      throw new Unavailable('The heads of the feeds cannot be read from the database right now.');
    return [...messages.map(dataOf), heartbeat];
  }

  // ── the folds ─────────────────────────────────────────────────────────────

  async #feedOf(serverId: string): Promise<ServerFeed | null> {
    let loading = this.#feeds.get(serverId);
    if (!loading) {
      loading = readSnapshot(this.#ctx(), serverId).then((snapshot) => {
        if (!snapshot) throw new NotFound();
        return { slice: new Slice(snapshot), recent: [], advancing: null, next: null, snapshot: null };
      });
      this.#feeds.set(serverId, loading);
      loading.catch(() => this.#feeds.delete(serverId));
    }
    return loading.catch((error: unknown) => {
      if (error instanceof NotFound) return null;
      throw error;
    });
  }

  /** Applies what was committed since, once at a time per server, and tells every open connection. */
  #advance(serverId: string, feed: ServerFeed): Promise<void> {
    if (feed.advancing) {
      feed.next ??= feed.advancing.then(() => {
        feed.next = null;
        return this.#advance(serverId, feed);
      });
      return feed.next;
    }
    feed.advancing = (async () => {
      const entries = await readEntries(this.#ctx(), serverId, feed.slice.head);
      if (entries.length === 0) return;
      for (const entry of entries) feed.slice.apply(entry);
      feed.recent.push(...entries);
      // Cut at twice the length, not at every entry: the copy would be the larger part of the work.
      if (feed.recent.length > 2 * recentEntries) feed.recent = feed.recent.slice(-recentEntries);
      if (this.#listeningTo(serverId).length === 0) return;
      const delta = frame(await this.#delta(serverId, entries));
      // Asked again: a guard that opened while this was signed gets it twice at worst, and passes the second over.
      for (const connection of this.#listeningTo(serverId)) writeFrame(connection, delta);
    })()
      .catch((error: unknown) => {
        // A fold that no longer fits its feed is thrown away and read anew; guards get a snapshot from it.
        this.#gate.log.error({ err: error, serverId }, 'the feed of a server could not be advanced');
        this.#feeds.delete(serverId);
        for (const connection of this.#listeningTo(serverId)) connection.response.end();
      })
      .finally(() => {
        feed.advancing = null;
      });
    return feed.advancing;
  }

  #listeningTo(serverId: string): Connection[] {
    return [...this.#connections].filter((connection) => connection.guard.serverIds.includes(serverId));
  }

  /** Sends deltas or a snapshot from a position (null: the guard knows nothing); answers the sequence the connection is at afterwards. */
  async #catchUp(
    connection: Pick<Connection, 'response'>,
    feed: ServerFeed,
    from: number | null,
  ): Promise<number> {
    const { slice } = feed;
    if (from === slice.head) return from;
    if (from !== null && from < slice.head) {
      const entries = (await readEntries(this.#ctx(), slice.serverId, from)).filter(
        (entry) => entry.sequence <= slice.head,
      );
      if (entries.length === slice.head - from) {
        write(connection, await this.#delta(slice.serverId, entries));
        return slice.head;
      }
    }
    // Nothing known, too far behind, or ahead of us (then the guard says so and issuance stops): the whole slice.
    const snapshot = await this.#snapshot(feed);
    if (!snapshot) return 0;
    write(connection, snapshot.jws);
    return snapshot.head;
  }

  #snapshot(feed: ServerFeed): Promise<{ jws: string; head: number } | null> {
    const { slice } = feed;
    if (feed.snapshot?.head !== slice.head) {
      const signed = readSnapshot(this.#ctx(), slice.serverId).then(async (snapshot) =>
        snapshot ? { jws: await this.#sign(snapshot), head: snapshot.head } : null,
      );
      feed.snapshot = { head: slice.head, signed };
      signed.catch(() => {
        feed.snapshot = null;
      });
    }
    return feed.snapshot.signed;
  }

  async #readHeads(): Promise<void> {
    const startedMs = this.#gate.clock.monotonicMs();
    try {
      const heads = await readHeads(this.#ctx());
      const endedMs = this.#gate.clock.monotonicMs();
      this.#heads = { ...heads, readAtMs: startedMs };
      if (!this.#clock || endedMs - this.#clock.monotonicMs > 60_000) {
        this.#clock = { databaseMs: heads.databaseTimeMs, monotonicMs: (startedMs + endedMs) / 2 };
      }
      for (const [serverId, loading] of this.#feeds) {
        const feed = await loading.catch(() => null);
        if (feed && feed.slice.head < (heads.heads.get(serverId) ?? 0)) await this.#advance(serverId, feed);
      }
    } catch (error) {
      if (!this.#closed) this.#gate.log.warn({ err: error }, 'the heads of the feeds could not be read');
    }
  }

  // ── messages ──────────────────────────────────────────────────────────────

  async #setup(connection: Connection): Promise<string> {
    const { guard } = connection;
    const ctx = this.#ctx();
    const rows = await ctx.db.prisma.mcpServer.findMany({
      where: { id: { in: guard.serverIds }, state: 'active' },
      select: { id: true, upstreamUrl: true, upstreamCredential: true },
    });
    const servers = [];
    for (const row of rows) {
      if (!row.upstreamUrl) {
        servers.push({ serverId: row.id, upstream: { kind: 'local' as const } });
        continue;
      }
      const credential = row.upstreamCredential
        ? this.#gate.vault.open(row.upstreamCredential, row.id)
        : null;
      servers.push({
        serverId: row.id,
        upstream: {
          kind: 'http' as const,
          url: row.upstreamUrl,
          ...(credential
            ? {
                headers: await sealUpstreamHeaders(guard.encryptionKey, {
                  authorization: `Bearer ${credential}`,
                }),
              }
            : {}),
        },
      });
    }
    return this.#sign({
      type: 'setup',
      iss: this.#gate.site.issuer,
      guardId: guard.id,
      nonce: connection.nonce,
      consoleOrigin: this.#gate.site.consoleOrigin,
      servers,
      feedKeys: { keys: await readPublishedJwks(ctx.db.prisma, ctx, 'feed') },
    });
  }

  /** Null while the heads are not freshly read or the fold is behind them. */
  async #heartbeat(connection: Pick<Connection, 'guard' | 'nonce'>): Promise<string | null> {
    const heads = this.#heads;
    if (!heads || this.#gate.clock.monotonicMs() - heads.readAtMs > headsFreshMs) return null;
    const slices = [];
    for (const serverId of connection.guard.serverIds) {
      const feed = await this.#feedOf(serverId);
      if (!feed) continue;
      if (feed.slice.head < (heads.heads.get(serverId) ?? 0)) return null;
      slices.push({ serverId, head: feed.slice.head, denySetDigest: feed.slice.denySetDigest() });
    }
    return this.#sign({
      type: 'heartbeat',
      iss: this.#gate.site.issuer,
      guardId: connection.guard.id,
      nonce: connection.nonce,
      // The instant of the reading, not of the writing: the lease counts from what was known then.
      sentAtMs: this.nowMs() - Math.ceil(this.#gate.clock.monotonicMs() - heads.readAtMs),
      generation: heads.generation,
      issuerEpoch: heads.issuerEpoch,
      slices,
      ...(heads.checkpoint ? { checkpoint: heads.checkpoint.slice(0, 4096) } : {}),
    });
  }

  async #beat(): Promise<void> {
    this.#turn = (this.#turn + 1) % heartbeatTurns;
    for (const connection of this.#connections) {
      if (connection.turn !== this.#turn) continue;
      try {
        const heartbeat = await this.#heartbeat(connection);
        if (heartbeat) write(connection, heartbeat);
      } catch (error) {
        this.#gate.log.warn({ err: error, guardId: connection.guard.id }, 'a heartbeat could not be sent');
      }
    }
  }

  /** What the console shows as heard from: guards that hold a connection which takes what is written. */
  async #markSeen(): Promise<void> {
    const connected = [...this.#connections].map((connection) => connection.guard.id);
    if (connected.length === 0) return;
    await this.#gate.db.hot
      .query('UPDATE guard SET last_seen_at = now() WHERE id = ANY ($1)', [connected])
      .catch((error) => this.#gate.log.warn({ err: error }, 'guards could not be marked as seen'));
  }

  #delta(serverId: string, entries: FeedEntry[]): Promise<string> {
    return this.#sign({
      type: 'delta',
      iss: this.#gate.site.issuer,
      generation: this.#heads?.generation ?? 1,
      serverId,
      entries,
    });
  }

  async #sign(message: Parameters<typeof signFeedMessage>[1]): Promise<string> {
    return signFeedMessage(await activeSigningKey(this.#ctx(), 'feed'), message);
  }

  // ── wake-ups ──────────────────────────────────────────────────────────────

  async #onNotice(channel: string, payload: string): Promise<void> {
    if (channel !== 'countersign_change') {
      const serverId = payload;
      // A server no guard here has asked for is not folded for nobody: whoever asks later reads it whole.
      const feed = await this.#feeds.get(serverId)?.catch(() => null);
      if (feed) await this.#advance(serverId, feed);
      return;
    }
    const change = JSON.parse(payload || '{}') as { topic?: string; id?: string };
    if (change.topic === 'guards') {
      for (const connection of this.#connections) {
        if (connection.guard.id !== change.id) continue;
        const still = await findEnrolledGuard(this.#gate, connection.guard.id);
        if (!still) connection.response.end();
      }
    }
    if (change.topic === 'servers' || change.topic === 'keys') {
      for (const connection of this.#connections) write(connection, await this.#setup(connection));
    }
  }

  #ctx() {
    return ctxOf(this.#gate, { actor: systemActor('feed') });
  }
}

function frame(jws: string): string {
  return `data: ${jws}\n\n`;
}

function dataOf(text: string): string {
  return text.slice('data: '.length).trimEnd();
}

function write(connection: Pick<Connection, 'response'>, jws: string): void {
  writeFrame(connection, frame(jws));
}

function writeFrame(connection: Pick<Connection, 'response'>, text: string): void {
  if (connection.response.writableLength > maxBufferedBytes) connection.response.destroy();
  else connection.response.write(text);
}
