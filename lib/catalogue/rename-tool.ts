import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Invalid, NotFound, PreconditionFailed } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';

export const renameToolInput = z.strictObject({
  /** The tool that is no longer offered, and the one it goes on as. */
  fromToolId: z.string().max(100),
  toToolId: z.string().max(100),
  /** Digests of the two definitions that were looked at. */
  fromDigest: z.string().max(200),
  toDigest: z.string().max(200),
  reason: z.string().trim().max(500).default(''),
});

/**
 * An admin's word that a tool goes on under another name. It grants nothing: every binding stays as it was approved,
 * and the old name stays withheld. The new tool is a new tool with a class and risk of its own; whoever held the old one
 * is told, and finds it in the place of the old in a change request, which is reviewed like any other.
 * Throws `PreconditionFailed` when a definition is no longer the one that was looked at.
 */
export async function renameTool(ctx: Ctx, input: z.output<typeof renameToolInput>): Promise<{ id: string }> {
  const admin = requireRole(ctx, 'admin');
  const id = newId('succession');
  await withTransaction(ctx, async (tx) => {
    const [from, to] = [await readTool(tx, input.fromToolId), await readTool(tx, input.toToolId)];
    if (!from || !to) throw new NotFound();
    if (from.id === to.id || from.serverId !== to.serverId)
      throw new Invalid('Both must be tools of one server, and not the same one.');
    if (from.removedAt === null)
      throw new Conflict(`${from.name} is still offered: a tool that is there was not renamed.`);
    if (to.removedAt !== null) throw new Conflict(`${to.name} is not offered any more.`);
    if (from.digest !== input.fromDigest || to.digest !== input.toDigest)
      throw new PreconditionFailed('A definition changed since you looked. Look at both again.');
    const { count } = await tx.toolSuccession.updateMany({
      where: { fromToolId: from.id, toToolId: to.id, endedAt: null },
      data: { fromDigest: from.digest },
    });
    if (count > 0) throw new Conflict(`${from.name} is known to go on as ${to.name} already.`);
    // A second thought replaces the first: at most one tool goes on from another.
    await tx.toolSuccession.updateMany({
      where: { fromToolId: from.id, endedAt: null },
      data: { endedAt: ctx.clock.now() },
    });
    await tx.toolSuccession.create({
      data: {
        id,
        serverId: from.serverId,
        fromToolId: from.id,
        toToolId: to.id,
        fromDigest: from.digest,
        toDigest: to.digest,
        reason: input.reason,
        decidedById: admin.personId,
        decidedAt: ctx.clock.now(),
      },
    });
    const holders = await tx.toolBinding.findMany({
      where: { serverId: from.serverId, endedAt: null, toolNames: { has: from.name } },
      select: { agent: { select: { id: true, name: true, ownerId: true } } },
      orderBy: { agentId: 'asc' },
    });
    await recordEvent(tx, ctx, {
      kind: 'tool.rename',
      subjectId: from.id,
      serverId: from.serverId,
      tool: from.name,
      reason: input.reason,
      before: { toolId: from.id, name: from.name, digest: from.digest },
      after: { toolId: to.id, name: to.name, digest: to.digest },
      data: { successionId: id, holders: holders.map(({ agent }) => agent.id) },
    });
    for (const { agent } of holders) {
      await notify(tx, ctx, {
        personIds: [agent.ownerId],
        kind: 'tool.rename',
        title: `A tool of ${agent.name} goes on under another name`,
        body: `${from.name} is now ${to.name}. Nothing was granted: ask for the change, and somebody looks at the new tool first.`,
        href: `/requests/new?agent=${agent.id}`,
      });
    }
    await notifyChange(tx, 'servers', from.serverId);
  });
  return { id };
}

async function readTool(tx: Tx, id: string) {
  const tool = await tx.tool.findUnique({
    where: { id },
    include: { versions: { orderBy: { version: 'desc' }, take: 1, select: { definitionDigest: true } } },
  });
  return tool && { ...tool, digest: tool.versions[0]?.definitionDigest ?? '' };
}

/** The tool each of these goes on as, where an admin said so and it is offered. Chains are followed to their end. */
export async function findSuccessors(
  tx: Pick<Tx, 'toolSuccession' | 'tool'>,
  toolIds: readonly string[],
): Promise<Map<string, string>> {
  const next = new Map<string, string>();
  let looked: readonly string[] = toolIds;
  // Each round follows one name more; a circle ends where it would come back.
  for (let round = 0; round < 8 && looked.length > 0; round += 1) {
    const rows = await tx.toolSuccession.findMany({
      where: { fromToolId: { in: [...looked] }, endedAt: null },
      select: { fromToolId: true, toToolId: true },
    });
    for (const row of rows) next.set(row.fromToolId, row.toToolId);
    looked = rows.map((row) => row.toToolId).filter((id) => !next.has(id));
  }
  const offered = new Set(
    (
      await tx.tool.findMany({
        where: { id: { in: [...toolIds, ...next.values()] }, removedAt: null },
        select: { id: true },
      })
    ).map((tool) => tool.id),
  );
  const successors = new Map<string, string>();
  for (const start of toolIds) {
    if (offered.has(start)) continue;
    let at = start;
    for (let step = 0; step < 8; step += 1) {
      const following = next.get(at);
      if (!following) break;
      at = following;
      if (offered.has(at)) break;
    }
    if (at !== start && offered.has(at)) successors.set(start, at);
  }
  return successors;
}

export type Succession = {
  id: string;
  from: string;
  to: string;
  reason: string;
  decidedBy: string | null;
  decidedAt: Date;
};

/** What admins said about tools of a server that go on under another name, newest first. */
export async function listSuccessions(ctx: Ctx, serverId: string): Promise<Succession[]> {
  requireRole(ctx, 'owner', 'approver', 'auditor', 'admin');
  const rows = await ctx.db.prisma.toolSuccession.findMany({
    where: { serverId, endedAt: null },
    orderBy: { id: 'desc' },
    take: 100,
  });
  const [tools, people] = await Promise.all([
    ctx.db.prisma.tool.findMany({
      where: { id: { in: rows.flatMap((row) => [row.fromToolId, row.toToolId]) } },
      select: { id: true, name: true },
    }),
    ctx.db.prisma.person.findMany({
      where: { id: { in: rows.flatMap((row) => row.decidedById ?? []) } },
      select: { id: true, displayName: true },
    }),
  ]);
  const toolName = new Map(tools.map((tool) => [tool.id, tool.name]));
  const personName = new Map(people.map((person) => [person.id, person.displayName]));
  return rows.map((row) => ({
    id: row.id,
    from: toolName.get(row.fromToolId) ?? row.fromToolId,
    to: toolName.get(row.toToolId) ?? row.toToolId,
    reason: row.reason,
    decidedBy: (row.decidedById && personName.get(row.decidedById)) || null,
    decidedAt: row.decidedAt,
  }));
}
