import { z } from 'zod';
import { requirePerson } from '#lib/access/require.ts';
import { ownerFilter } from '#lib/agents/visibility.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { decodeCursor, type Page, pageQuery, toPage } from '#lib/platform/cursor.ts';
import { queryText } from '#lib/platform/query-text.ts';

export const listRevocationsQuery = z.object({
  ...pageQuery,
  agentId: queryText.max(64).optional(),
  effect: z.enum(['suspend', 'revoke']).optional(),
  open: z
    .enum(['true', 'false'])
    .optional()
    .meta({ description: 'Whether the receipt still waits for guards.' }),
});
export type ListRevocationsQuery = z.output<typeof listRevocationsQuery>;

export type RevocationRow = {
  id: string;
  effect: 'suspend' | 'revoke';
  /** What was stopped: an agent, or a server that was retired. */
  targetKind: 'agent' | 'server';
  agent: { id: string; name: string };
  cause: string;
  reason: string;
  actorName: string;
  committedAt: string;
  closedAt: string | null;
  guardsAsked: number;
  guardsAcknowledged: number;
  /** From the commit to the last acknowledgement; null while there is none. */
  slowestMs: number | null;
};

/** Stops of agents the actor may see, and for all but owners of servers, newest first. `agent` names either. */
export async function listRevocations(ctx: Ctx, query: ListRevocationsQuery): Promise<Page<RevocationRow>> {
  requirePerson(ctx);
  const db = ctx.db.prisma;
  const [before] = decodeCursor(query.cursor, 1) ?? [];
  const visible = await ownerFilter(db, ctx);
  const own = visible.ownerId
    ? (await db.agent.findMany({ where: visible, select: { id: true } })).map((agent) => agent.id)
    : null;
  const rows = await db.revocation.findMany({
    where: {
      targetKind: own ? 'agent' : { in: ['agent', 'server'] },
      AND: [
        own ? { targetId: { in: own } } : {},
        query.agentId ? { targetId: query.agentId } : {},
        query.effect ? { effect: query.effect } : {},
        query.open ? { closedAt: query.open === 'true' ? null : { not: null } } : {},
        before ? { id: { lt: before } } : {},
      ],
    },
    // Ids rise with time.
    orderBy: { id: 'desc' },
    take: query.limit + 1,
    include: { acks: { select: { acknowledgedAt: true } } },
  });
  const page = toPage(rows, query.limit, (row) => [row.id]);
  const [agents, servers, people] = await Promise.all([
    db.agent.findMany({
      where: { id: { in: page.items.map((row) => row.targetId) } },
      select: { id: true, name: true },
    }),
    db.mcpServer.findMany({
      where: { id: { in: page.items.map((row) => row.targetId) } },
      select: { id: true, name: true },
    }),
    db.person.findMany({
      where: {
        id: { in: page.items.flatMap((row) => (row.actorKind === 'person' ? (row.actorId ?? []) : [])) },
      },
      select: { id: true, displayName: true },
    }),
  ]);
  const targetName = new Map([...agents, ...servers].map((target) => [target.id, target.name]));
  const personName = new Map(people.map((person) => [person.id, person.displayName]));
  return {
    items: page.items.map((row): RevocationRow => {
      const times = row.acks.flatMap((ack) =>
        ack.acknowledgedAt ? [Math.max(0, ack.acknowledgedAt.getTime() - row.committedAt.getTime())] : [],
      );
      return {
        id: row.id,
        effect: row.effect as RevocationRow['effect'],
        targetKind: row.targetKind === 'server' ? 'server' : 'agent',
        agent: { id: row.targetId, name: targetName.get(row.targetId) ?? row.targetId },
        cause: row.cause,
        reason: row.reason,
        actorName: (row.actorId && personName.get(row.actorId)) || 'Countersign',
        committedAt: row.committedAt.toISOString(),
        closedAt: row.closedAt?.toISOString() ?? null,
        guardsAsked: row.acks.length,
        guardsAcknowledged: times.length,
        slowestMs: times.length > 0 ? Math.max(...times) : null,
      };
    }),
    nextCursor: page.nextCursor,
  };
}
