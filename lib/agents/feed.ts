import type { FeedEntry } from '#guard/protocol.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';

/** An entry as the feed carries it, without what is given at commit: sequence, instant, revocation. */
type WithoutHead<Entry> = Entry extends FeedEntry ? Omit<Entry, 'sequence' | 'atMs' | 'revocationId'> : never;
export type FeedFact = WithoutHead<FeedEntry>;

/**
 * The channels a feed wakes its readers on, with the server's id. Single credentials that end have one of their own:
 * they may be thousands a second, and concern nobody but the guards.
 */
export const feedChannels = {
  facts: 'countersign_feed',
  credentials: 'countersign_feed_credentials',
} as const;

/** Longest life of any access token, in seconds; deny facts stay in snapshots that long and a minute more. */
export const longestTokenSeconds = 600;

/**
 * Appends a fact to the feeds of the given servers, in the caller's transaction, and wakes the gates that stream
 * them. Each server's head row is locked only from here to the commit, so that commit order is sequence order; a
 * lock held longer than two seconds fails the caller instead of queueing behind it.
 *
 * Returns the sequence by server id. Servers are taken in order, so two writers cannot deadlock.
 */
export async function appendFeedEntry(
  tx: Tx,
  ctx: Pick<Ctx, 'clock'>,
  serverIds: readonly string[],
  fact: FeedFact,
  options: { subject: string; revocationId?: string },
): Promise<Record<string, number>> {
  const sequences: Record<string, number> = {};
  const now = ctx.clock.now();
  if (serverIds.length > 0) await tx.$executeRaw`SELECT set_config('lock_timeout', '2s', true)`;
  for (const serverId of [...new Set(serverIds)].sort()) {
    const [row] = await tx.$queryRaw<{ sequence: bigint }[]>`
      WITH head AS (
        INSERT INTO feed_head (server_id, sequence) VALUES (${serverId}, 1)
        ON CONFLICT (server_id) DO UPDATE SET sequence = feed_head.sequence + 1
        RETURNING sequence
      ), entry AS (
        INSERT INTO feed_entry (server_id, sequence, kind, subject, value, revocation_id, committed_at, expires_at)
        SELECT ${serverId}, sequence, ${fact.kind}, ${options.subject}, ${JSON.stringify(fact)}::jsonb,
               ${options.revocationId ?? null}, ${now}, ${addSeconds(now, longestTokenSeconds + 60)}
          FROM head
      )
      SELECT sequence, pg_notify(${feedChannels.facts}, ${serverId})::text FROM head`;
    sequences[serverId] = Number(row?.sequence ?? 0);
  }
  return sequences;
}
