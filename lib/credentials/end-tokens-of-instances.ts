import { appendFeedEntry, longestTokenSeconds } from '#lib/agents/feed.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';

/**
 * Ends every token these instances of clients hold, here with the caller's transaction and at the guards with the feed
 * entry it writes; codes not yet redeemed and browsers that wait go with them. `forGood` ends their sign-ins too; else
 * those stay and share the instance's fate. Returns how many tokens ended.
 */
export async function endTokensOfInstances(
  tx: Tx,
  ctx: Ctx,
  instances: readonly { id: string; agentId: string | null }[],
  { forGood, reason, parentEventId }: { forGood: boolean; reason: string; parentEventId: string },
): Promise<number> {
  if (instances.length === 0) return 0;
  const now = ctx.clock.now();
  const ids = instances.map(({ id }) => id);
  const agentIds = instances.flatMap(({ agentId }) => agentId ?? []);
  if (forGood) {
    await tx.refreshFamily.updateMany({
      where: { instanceId: { in: ids }, state: { in: ['live', 'frozen'] } },
      data: { state: 'ended', endCause: 'revoked', endedAt: now },
    });
  }
  const ended = await tx.$queryRaw<{ id: string; agentId: string; clientId: string; serverId: string }[]>`
    UPDATE credential SET ended_at = ${now}, end_cause = 'revoked'
     WHERE agent_id = ANY (${agentIds}) AND instance_id = ANY (${ids}) AND ended_at IS NULL AND expires_at > ${now}
     RETURNING id, agent_id AS "agentId", client_id AS "clientId", server_id AS "serverId"`;
  for (const credential of ended) {
    await recordEvent(tx, ctx, {
      kind: 'credential.end',
      subjectId: credential.id,
      agentId: credential.agentId,
      clientId: credential.clientId,
      serverId: credential.serverId,
      parentIds: [parentEventId],
      reason,
      data: { cause: 'revoked' },
    });
  }
  await tx.$executeRaw`
    UPDATE authorization_code SET expires_at = ${now}
     WHERE instance_id = ANY (${ids}) AND used_at IS NULL AND expires_at > ${now}`;
  await tx.$executeRaw`
    UPDATE authorization_transaction SET status = 'ended', end_cause = ${reason}
     WHERE instance_id = ANY (${ids}) AND status IN ('waiting', 'ready')`;
  const untilMs = addSeconds(now, longestTokenSeconds + 60).getTime();
  const serverIds = [...new Set(ended.map(({ serverId }) => serverId))].sort();
  for (const serverId of serverIds) {
    const tokenIds = ended.filter((credential) => credential.serverId === serverId).map(({ id }) => id);
    await appendFeedEntry(
      tx,
      ctx,
      [serverId],
      { kind: 'credentials.ended', tokenIds, families: [], untilMs },
      { subject: 'credentials' },
    );
  }
  return ended.length;
}
