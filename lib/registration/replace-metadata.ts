import { notify } from '#lib/audit/notify.ts';
import { type EventInput, recordEvent } from '#lib/audit/record.ts';
import { endTokensOfInstances } from '#lib/credentials/end-tokens-of-instances.ts';
import type { RegisteredMetadata } from '#lib/oauth/client-metadata.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx } from '#lib/platform/db.ts';
import { Prisma } from '#prisma/client/client.ts';
import type { KnownClient } from './known-client.ts';
import { changedMembers, materialDigest } from './material-digest.ts';

/** What a client says of itself, as its row keeps it. */
export type StoredMetadata = Pick<
  KnownClient,
  | 'name'
  | 'metadata'
  | 'metadataDigest'
  | 'fingerprint'
  | 'redirectUris'
  | 'tokenEndpointAuthMethod'
  | 'grantTypes'
  | 'jwks'
>;

/**
 * Replaces what a client says of itself and records what changed. Where the change touches anything a decision rested
 * on, every instance reviewed on other metadata is suspended with the tokens it holds, and its owner told, until it was
 * reviewed again; changing back does not lift that. Answers the instances suspended, or null when nothing changed.
 */
export async function replaceMetadata(
  tx: Tx,
  ctx: Ctx,
  clientId: string,
  next: StoredMetadata,
  told: { title: string; data?: EventInput['data'] },
): Promise<{ suspended: string[] } | null> {
  const row = await tx.client.findUniqueOrThrow({
    where: { id: clientId },
    select: { metadata: true, metadataDigest: true },
  });
  const former = row.metadata as RegisteredMetadata;
  const change = changedMembers(former, next.metadata);
  if (change.names.length === 0) return null;
  await tx.client.update({
    where: { id: clientId },
    data: {
      name: next.name,
      metadata: next.metadata as unknown as Prisma.InputJsonValue,
      metadataDigest: next.metadataDigest,
      fingerprint: next.fingerprint,
      redirectUris: [...next.redirectUris],
      tokenEndpointAuthMethod: next.tokenEndpointAuthMethod,
      grantTypes: [...next.grantTypes],
      jwks: next.jwks === null ? Prisma.DbNull : (next.jwks as Prisma.InputJsonValue),
    },
  });
  const eventId = await recordEvent(tx, ctx, {
    kind: 'client.metadata_change',
    subjectId: clientId,
    clientId,
    reason: change.isMaterial ? 'needs review' : 'cosmetic',
    data: { members: change.names, ...told.data },
    before: { digest: row.metadataDigest, redirectUris: former.redirect_uris ?? [] },
    after: { digest: next.metadataDigest, redirectUris: [...next.redirectUris] },
  });
  await notifyChange(tx, 'clients', clientId);
  const instances = await tx.instance.findMany({
    where: {
      clientId,
      state: 'active',
      reviewedDigest: { notIn: ['', materialDigest(next.metadata)] },
    },
    select: { id: true, ownerId: true, agentId: true },
  });
  for (const instance of instances) {
    await tx.instance.updateMany({
      where: { id: instance.id, state: 'active' },
      data: { state: 'suspended', stateCause: 'metadata changed', stateSince: ctx.clock.now() },
    });
    await recordEvent(tx, ctx, {
      kind: 'instance.suspend',
      subjectId: instance.id,
      clientId,
      agentId: instance.agentId,
      parentIds: [eventId],
      reason: 'metadata changed',
      before: { state: 'active' },
      after: { state: 'suspended' },
    });
  }
  // Whoever changed a key or a redirect may hold tokens of before. Its sign-ins stay, refused with the reason.
  await endTokensOfInstances(tx, ctx, instances, {
    forGood: false,
    reason: 'metadata changed',
    parentEventId: eventId,
  });
  if (instances.length > 0) {
    await notify(tx, ctx, {
      personIds: instances.map((instance) => instance.ownerId),
      kind: 'client.metadata_change',
      title: told.title,
      body: `Changed: ${change.names.join(', ')}. What was approved no longer gets tokens. Sign in again from your client to ask for a review of the new version.`,
      href: `/clients/${encodeURIComponent(clientId)}`,
    });
  }
  return { suspended: instances.map((instance) => instance.id) };
}
