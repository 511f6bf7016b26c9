import { requireSystem } from '#lib/access/require.ts';
import { systemActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { findClient, type KnownClient } from './known-client.ts';
import { replaceMetadata } from './replace-metadata.ts';

/**
 * Records a new version of a known metadata document, once, with what changed and what that suspends. Returns the ids
 * of the instances suspended.
 *
 * @anonymous Whoever comes across the change, the record is the system's own, and it only ever takes authority away.
 */
export async function noteDocumentVersion(ctx: Ctx, client: KnownClient): Promise<string[]> {
  if (!client.hasChanged) return [];
  const system: Ctx = { ...ctx, actor: systemActor('metadata watch') };
  return withTransaction(system, async (tx) => {
    const changed = await replaceMetadata(tx, system, client.id, client, {
      title: `${new URL(client.id).host} changed its client metadata`,
      data: { documentDigest: client.documentDigest },
    });
    return changed?.suspended ?? [];
  });
}

/** Fetches again every document somebody's approval rests on and notes what changed. For the jobs; bounded a run. */
export async function checkMetadataDocuments(ctx: Ctx): Promise<{ checked: number; changed: number }> {
  requireSystem(ctx);
  const rows = await ctx.db.prisma.client.findMany({
    where: { kind: 'metadata document', forgottenAt: null, instances: { some: { state: 'active' } } },
    select: { id: true },
    take: 200,
  });
  let changed = 0;
  for (const { id } of rows) {
    const found = await findClient(ctx, id, { refresh: true });
    if (found.found && found.client.hasChanged) {
      await noteDocumentVersion(ctx, found.client);
      changed++;
    }
  }
  return { checked: rows.length, changed };
}
