import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { requireStepUp } from '#lib/access/step-up.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import { toolRisks } from './definition.ts';
import type { PublishCatalogueChange } from './sync-server.ts';

export const classifyToolsInput = z.strictObject({
  serverId: z.string(),
  tools: z
    .array(
      z.strictObject({
        toolVersionId: z.string(),
        class: z.enum(['read', 'write', 'destructive', 'external']),
        risk: z.enum(toolRisks),
      }),
    )
    .min(1)
    .max(500),
});

const weightOf: Record<string, number> = { read: 0, write: 1, external: 1, destructive: 2 };

/** Whether a tool is called less dangerous than it counts as until now; the unclassified count as the most dangerous. */
function lowers(
  from: { class: string; risk: string },
  to: { class: string; risk: (typeof toolRisks)[number] },
): boolean {
  const weight = (name: string) => weightOf[name] ?? 2;
  const risk = (name: string) => {
    const at = (toolRisks as readonly string[]).indexOf(name);
    return at < 0 ? toolRisks.length : at;
  };
  return weight(to.class) < weight(from.class) || risk(to.risk) < risk(from.risk);
}

/**
 * A person confirms what tools do and how much they can hurt; until then a tool counts as unclassified and high risk.
 * Only the current version can be confirmed: a newer definition that arrived meanwhile is a conflict, so that nobody
 * vouches for words they did not read. Guards learn the new class in the same transaction.
 */
export async function classifyTools(
  ctx: Ctx,
  input: z.output<typeof classifyToolsInput>,
  publish: PublishCatalogueChange,
): Promise<void> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const changed: string[] = [];
    for (const line of input.tools) {
      const version = await tx.toolVersion.findUnique({
        where: { id: line.toolVersionId },
        include: { tool: true },
      });
      if (!version || version.tool.serverId !== input.serverId) throw new NotFound();
      if (version.tool.removedAt || version.tool.currentVersion !== version.version) {
        throw new Conflict(`${version.tool.name} changed since you looked. Read its new definition first.`, {
          tool: version.tool.name,
        });
      }
      // What reads needs no signature, so whoever says so opens the way to unsigned approvals.
      if (ctx.actor.kind !== 'system' && lowers(version, line)) requireStepUp(ctx);
      await tx.toolVersion.update({
        where: { id: version.id },
        data: {
          class: line.class,
          risk: line.risk,
          confirmedById: ctx.actor.kind === 'person' ? ctx.actor.personId : null,
          confirmedAt: ctx.clock.now(),
        },
      });
      changed.push(version.tool.name);
      await recordEvent(tx, ctx, {
        kind: 'tool.classify',
        subjectId: version.toolId,
        serverId: input.serverId,
        tool: version.tool.name,
        before: { class: version.class, risk: version.risk },
        after: { class: line.class, risk: line.risk },
        data: {
          version: version.version,
          proposedClass: version.proposedClass,
          proposedRisk: version.proposedRisk,
        },
      });
    }
    await publish(tx, ctx, { serverId: input.serverId, added: [], changed, removed: [], returned: [] });
    await notifyChange(tx, 'servers', input.serverId);
  });
}
