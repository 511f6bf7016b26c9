import { requireSystem } from '#lib/access/require.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { RegisteredMetadata } from '#lib/oauth/client-metadata.ts';
import { systemActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Prisma, withTransaction } from '#lib/platform/db.ts';
import { findClient, type KnownClient } from './known-client.ts';
import { changedMembers, materialDigest } from './material-digest.ts';

/**
 * Records a new version of a known metadata document, once, with what changed. Where the change touches anything a
 * decision rested on, every instance reviewed on other metadata is suspended until its owner has it reviewed again;
 * changing back does not lift that. Returns the ids of the instances suspended.
 *
 * @anonymous Whoever comes across the change, the record is the system's own, and it only ever takes authority away.
 */
export async function noteDocumentVersion(ctx: Ctx, client: KnownClient): Promise<string[]> {
  if (!client.hasChanged) return [];
  const system: Ctx = { ...ctx, actor: systemActor('metadata watch') };
  return withTransaction(system, async (tx) => {
    const now = system.clock.now();
    const row = await tx.client.findUnique({
      where: { id: client.id },
      select: { metadata: true, metadataDigest: true },
    });
    if (!row) return [];
    const change = changedMembers(row.metadata as RegisteredMetadata, client.metadata);
    if (change.names.length === 0) return [];
    await tx.client.update({
      where: { id: client.id },
      data: {
        name: client.name,
        metadata: client.metadata as unknown as Prisma.InputJsonValue,
        metadataDigest: client.metadataDigest,
        fingerprint: client.fingerprint,
        redirectUris: [...client.redirectUris],
        tokenEndpointAuthMethod: client.tokenEndpointAuthMethod,
        grantTypes: [...client.grantTypes],
      },
    });
    const eventId = await recordEvent(tx, system, {
      kind: 'client.metadata_change',
      subjectId: client.id,
      clientId: client.id,
      reason: change.isMaterial ? 'needs review' : 'cosmetic',
      data: { members: change.names, documentDigest: client.documentDigest },
      before: {
        digest: row.metadataDigest,
        redirectUris: (row.metadata as RegisteredMetadata).redirect_uris ?? [],
      },
      after: { digest: client.metadataDigest, redirectUris: [...client.redirectUris] },
    });
    await notifyChange(tx, 'clients', client.id);
    const reviewed = materialDigest(client.metadata);
    const instances = await tx.instance.findMany({
      where: { clientId: client.id, state: 'active', reviewedDigest: { notIn: ['', reviewed] } },
      select: { id: true, ownerId: true, agentId: true },
    });
    for (const instance of instances) {
      await tx.instance.updateMany({
        where: { id: instance.id, state: 'active' },
        data: { state: 'suspended', stateCause: 'metadata changed', stateSince: now },
      });
      await recordEvent(tx, system, {
        kind: 'instance.suspend',
        subjectId: instance.id,
        clientId: client.id,
        agentId: instance.agentId,
        parentIds: [eventId],
        reason: 'metadata changed',
        before: { state: 'active' },
        after: { state: 'suspended' },
      });
    }
    if (instances.length > 0) {
      await notify(tx, system, {
        personIds: instances.map((instance) => instance.ownerId),
        kind: 'client.metadata_change',
        title: `${new URL(client.id).host} changed its client metadata`,
        body: `Changed: ${change.names.join(', ')}. What was approved no longer gets tokens. Sign in again from your client to ask for a review of the new version.`,
        href: `/clients/${encodeURIComponent(client.id)}`,
      });
    }
    return instances.map((instance) => instance.id);
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
