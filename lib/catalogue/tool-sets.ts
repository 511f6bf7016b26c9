import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Invalid, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';

const toolIds = z.array(z.string()).min(1, 'Choose at least one tool.').max(500);

export const createToolSetInput = z.strictObject({
  name: z.string().trim().min(1).max(80),
  purpose: z.string().trim().max(500).default(''),
  toolIds,
});

/** A named set of tools for a role. Its first version holds the tools given. */
export async function createToolSet(
  ctx: Ctx,
  input: z.output<typeof createToolSetInput>,
): Promise<{ id: string }> {
  requireRole(ctx, 'admin');
  const id = newId('toolSet');
  await withTransaction(ctx, async (tx) => {
    if (await tx.toolSet.findUnique({ where: { name: input.name } })) {
      throw new Conflict('There is a tool set of this name.', { field: 'name' });
    }
    await tx.toolSet.create({
      data: { id, name: input.name, purpose: input.purpose, createdAt: ctx.clock.now() },
    });
    await addVersion(tx, ctx, id, 1, [], input.toolIds);
  });
  return { id };
}

export const changeToolSetInput = z.strictObject({
  toolSetId: z.string(),
  /** The version the change was made on; another one in between is a conflict. */
  fromVersion: z.int(),
  toolIds,
});

/** A new version of a tool set. Bindings pin the version they were approved with, so this widens nobody. */
export async function changeToolSet(
  ctx: Ctx,
  input: z.output<typeof changeToolSetInput>,
): Promise<{ version: number }> {
  requireRole(ctx, 'admin');
  return withTransaction(ctx, async (tx) => {
    const latest = await tx.toolSetVersion.findFirst({
      where: { toolSetId: input.toolSetId },
      orderBy: { version: 'desc' },
    });
    if (!latest) throw new NotFound();
    if (latest.version !== input.fromVersion)
      throw new Conflict('Somebody changed this set since you looked.');
    await addVersion(tx, ctx, input.toolSetId, latest.version + 1, latest.toolIds, input.toolIds);
    return { version: latest.version + 1 };
  });
}

async function addVersion(
  tx: Tx,
  ctx: Ctx,
  toolSetId: string,
  version: number,
  before: string[],
  after: string[],
) {
  const unique = [...new Set(after)].sort();
  const found = await tx.tool.count({ where: { id: { in: unique }, removedAt: null } });
  if (found !== unique.length) throw new Invalid('One of these tools is not in the catalogue any more.');
  await tx.toolSetVersion.create({
    data: {
      id: newId('toolSetVersion'),
      toolSetId,
      version,
      toolIds: unique,
      createdById: ctx.actor.kind === 'person' ? ctx.actor.personId : null,
      createdAt: ctx.clock.now(),
    },
  });
  await recordEvent(tx, ctx, {
    kind: 'tool_set.change',
    subjectId: toolSetId,
    before: { toolIds: before },
    after: { toolIds: unique },
    data: { version },
  });
  await notifyChange(tx, 'servers', toolSetId);
}
