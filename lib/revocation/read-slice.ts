import type { FeedEntry, PublicJwk, Snapshot } from '#guard/protocol.ts';
import { toAgentFacts } from '#lib/agents/agent-facts.ts';
import { readToolFacts, toBindingFacts } from '#lib/agents/publish-server-change.ts';
import { readPublishedJwks } from '#lib/credentials/signing-keys.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { Unavailable } from '#lib/platform/errors.ts';
import { policySliceOf } from '#lib/policy/policies.ts';

/**
 * Everything a server's guards must know, as of one sequence number: read in one repeatable-read transaction, so
 * that head and facts belong together. Returns null for a server that is not active.
 */
export async function readSnapshot(ctx: Ctx, serverId: string): Promise<Snapshot | null> {
  return ctx.db.prisma.$transaction(
    async (tx) => {
      const server = await tx.mcpServer.findUnique({
        where: { id: serverId },
        select: { id: true, name: true, resource: true, state: true },
      });
      if (server?.state !== 'active') return null;
      const head = await tx.feedHead.findUnique({ where: { serverId } });
      const installation = await tx.installation.findUnique({ where: { id: 1 } });
      const killed = await tx.signingKey.findMany({
        where: { purpose: 'token', state: 'killed' },
        select: { kid: true },
      });
      const bindings = await tx.toolBinding.findMany({ where: { serverId, endedAt: null } });
      const agentRows = await tx.toolBinding.findMany({
        where: { serverId },
        distinct: ['agentId'],
        select: { agentId: true },
      });
      const ended = await tx.feedEntry.findMany({
        where: { serverId, kind: 'credentials.ended', expiresAt: { gt: ctx.clock.now() } },
        select: { value: true },
      });
      const tokenKeys: PublicJwk[] = await readPublishedJwks(tx, ctx, 'token');
      const agents = [];
      for (const { agentId } of agentRows) agents.push(await toAgentFacts(tx as Tx, agentId));
      const facts = [];
      for (const binding of bindings) facts.push(await toBindingFacts(tx as Tx, binding));
      return {
        type: 'snapshot' as const,
        iss: ctx.site.issuer,
        generation: installation?.feedGeneration ?? 1,
        head: Number(head?.sequence ?? 0),
        server: { id: server.id, name: server.name, resource: server.resource },
        tools: await readToolFacts(tx as Tx, serverId),
        agents,
        bindings: facts,
        policy: policySliceOf(serverId),
        tokenKeys: { keys: tokenKeys },
        killedKeys: killed.map((key) => key.kid),
        endedCredentials: ended.flatMap(({ value }) => {
          const { tokenIds, families, untilMs } = value as CredentialsEnded;
          return [...tokenIds, ...families].map((id) => ({ id, untilMs }));
        }),
      };
    },
    { isolationLevel: 'RepeatableRead', timeout: 20_000 },
  );
}

/** Credentials that ended before their time; in snapshots for as long as one of them could be presented. */
type CredentialsEnded = Extract<FeedEntry, { kind: 'credentials.ended' }>;

/** Entries after a sequence, in order, at most `limit`. */
export async function readEntries(
  ctx: Pick<Ctx, 'db'>,
  serverId: string,
  afterSequence: number,
  limit = 5_000,
): Promise<FeedEntry[]> {
  const { rows } = await ctx.db.hot.query<{
    sequence: string;
    value: object;
    revocation_id: string | null;
    committed_at: Date;
  }>({
    name: 'feed entries',
    text: `SELECT sequence, value, revocation_id, committed_at FROM feed_entry
            WHERE server_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
    values: [serverId, afterSequence, limit],
  });
  return rows.map(
    (row) =>
      ({
        ...row.value,
        sequence: Number(row.sequence),
        atMs: row.committed_at.getTime(),
        ...(row.revocation_id ? { revocationId: row.revocation_id } : {}),
      }) as FeedEntry,
  );
}

export type FeedHeads = {
  generation: number;
  issuerEpoch: number;
  heads: ReadonlyMap<string, number>;
  checkpoint: string | null;
  /** The database's clock, in milliseconds. */
  databaseTimeMs: number;
};

/** Heads of all feeds, read from the primary in one statement: what a heartbeat vouches for. */
export async function readHeads(ctx: Pick<Ctx, 'db'>): Promise<FeedHeads> {
  const { rows } = await ctx.db.hot.query<{
    heads: Record<string, number> | null;
    generation: number;
    issuer_epoch: number;
    checkpoint: string | null;
    now_ms: string;
  }>({
    name: 'feed heads',
    text: `SELECT (SELECT jsonb_object_agg(server_id, sequence) FROM feed_head) AS heads,
                  i.feed_generation AS generation, i.issuer_epoch,
                  (SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1) AS checkpoint,
                  (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms
             FROM installation i WHERE i.id = 1`,
  });
  const [row] = rows;
  // Without it there is no clock to vouch by either.
  if (!row) throw new Unavailable('The installation is not set up yet.');
  return {
    generation: row.generation,
    issuerEpoch: row.issuer_epoch,
    heads: new Map(Object.entries(row.heads ?? {}).map(([id, head]) => [id, Number(head)])),
    checkpoint: row.checkpoint,
    databaseTimeMs: Number(row.now_ms),
  };
}
