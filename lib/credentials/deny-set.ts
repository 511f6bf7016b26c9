import type { FeedEntry } from '#guard/protocol.ts';
import { feedChannels, longestTokenSeconds } from '#lib/agents/feed.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import type { WakeUps } from '#lib/platform/wake-ups.ts';
import { forgetKeys } from './signing-keys.ts';
import { forgetStandings } from './standing.ts';

/** What this process has heard to be over: a newer epoch, an ended binding, a dead key. Memory only, fed by the feed. */
type Denied = {
  /** Agent id → the lowest epoch still good; Infinity for an agent that is not active. */
  epochs: Map<string, { epoch: number; heardAtMs: number }>;
  bindings: Map<string, number>;
  keys: Map<string, number>;
};

const deniedOf = new WeakMap<Db, Denied>();

/** A deny entry outlives the longest token by a minute. */
const keepMs = (longestTokenSeconds + 60) * 1000;

export type DenialQuestion = { agentId: string; epoch: number; bindingId: string; kid: string };

/**
 * Whether this process already knows that a token with these facts is dead. Asked after a mint has committed and
 * before its token is answered: what was stopped in between never reaches its holder. False says nothing more than
 * that nothing was heard; the epoch in the token is what correctness rests on.
 */
export function isDenied(db: Db, question: DenialQuestion): boolean {
  const denied = deniedOf.get(db);
  if (!denied) return false;
  const agent = denied.epochs.get(question.agentId);
  return (
    (agent !== undefined && question.epoch < agent.epoch) ||
    denied.bindings.has(question.bindingId) ||
    denied.keys.has(question.kid)
  );
}

/**
 * Listens to the feed for as long as this process lives: keeps the deny set, and forgets what it remembers of
 * standings and keys when one of them changed. When the wake-ups are lost everything remembered is forgotten, and again when they
 * are back, since nothing is known of the time in between. Answers how to stop.
 */
export async function listenToFeed(ctx: Ctx, wakeUps: WakeUps): Promise<() => void> {
  const { db, clock } = ctx;
  const denied: Denied = { epochs: new Map(), bindings: new Map(), keys: new Map() };
  deniedOf.set(db, denied);
  const heads = new Map<string, bigint>();

  const forget = () => {
    forgetStandings(db);
    forgetKeys(db);
  };

  async function catchUp(serverId: string): Promise<void> {
    const from = heads.get(serverId) ?? 0n;
    // Single credentials that ended change nothing a standing or a key ring says: their entries are passed over.
    const { rows } = await db.hot.query<{ head: string | null; values: FeedEntry[] | null }>({
      name: 'credentials.deny.entries',
      text: `SELECT max(sequence) AS head, jsonb_agg(value ORDER BY sequence) FILTER (WHERE kind <> 'credentials.ended') AS values
               FROM feed_entry WHERE server_id = $1 AND sequence > $2`,
      values: [serverId, from.toString()],
    });
    const [found] = rows;
    if (!found?.head) return;
    if (BigInt(found.head) > (heads.get(serverId) ?? 0n)) heads.set(serverId, BigInt(found.head));
    if (!found.values) return;
    for (const value of found.values) hear(denied, value, clock.monotonicMs());
    forgetStandings(db);
    // Only then: a revocation is on its way to the guards in this moment, and would wait for the keys to be read again.
    if (found.values.some(({ kind }) => kind === 'keys.changed' || kind === 'key.killed')) forgetKeys(db);
  }

  async function bringUpToDate(): Promise<void> {
    const known = await db.hot.query<{ server_id: string; sequence: string }>(
      'SELECT server_id, sequence FROM feed_head',
    );
    for (const { server_id, sequence } of known.rows) {
      if (!heads.has(server_id)) heads.set(server_id, BigInt(sequence));
      else if (heads.get(server_id) !== BigInt(sequence)) await catchUp(server_id);
    }
    forget();
  }

  const stopListening = await wakeUps.listen({
    channels: [feedChannels.facts, 'countersign_change'],
    onNotice(channel, payload) {
      if (channel === feedChannels.facts) {
        if (payload) void catchUp(payload).catch(() => forget());
        else forget();
        return;
      }
      const topic = topicOf(payload);
      if (topic === null || topic === 'keys') forget();
      else if (topicsOfStandings.has(topic)) forgetStandings(db);
    },
    onLost: forget,
    onBack: bringUpToDate,
  });
  await bringUpToDate();
  return () => {
    stopListening();
    deniedOf.delete(db);
  };
}

/** Topics of `notifyChange` after which what is remembered of a client may be wrong. */
const topicsOfStandings: ReadonlySet<unknown> = new Set(['agents', 'people', 'servers']);

/** Null for what is not a change as `notifyChange` tells it. */
function topicOf(payload: string): unknown {
  try {
    return (JSON.parse(payload) as { topic?: unknown }).topic ?? null;
  } catch {
    return null;
  }
}

function hear(denied: Denied, entry: FeedEntry, nowMs: number): void {
  switch (entry.kind) {
    case 'agent.changed': {
      const { id, epoch, state } = entry.agent;
      // Deleted first, so that the map stays in the order of hearing.
      denied.epochs.delete(id);
      denied.epochs.set(id, {
        epoch: state === 'active' ? epoch : Number.POSITIVE_INFINITY,
        heardAtMs: nowMs,
      });
      break;
    }
    case 'binding.ended':
      denied.bindings.set(entry.bindingId, nowMs);
      break;
    case 'key.killed':
      denied.keys.set(entry.kid, nowMs);
      break;
  }
  for (const [id, known] of denied.epochs) {
    if (nowMs - known.heardAtMs <= keepMs) break;
    denied.epochs.delete(id);
  }
  for (const map of [denied.bindings, denied.keys]) {
    for (const [id, heardAtMs] of map) {
      if (nowMs - heardAtMs <= keepMs) break;
      map.delete(id);
    }
  }
}
