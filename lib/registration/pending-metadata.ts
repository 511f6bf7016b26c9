import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import type { Snapshot } from '#lib/agents/snapshot.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { buildDossier } from '#lib/evidence/dossier.ts';
import type { EvidenceFact, EvidenceKind } from '#lib/evidence/fact.ts';
import {
  type RegisteredMetadata,
  type TokenEndpointAuthMethod,
  toRegisteredFingerprint,
} from '#lib/oauth/client-metadata.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import { Prisma } from '#prisma/client/client.ts';
import { needsSecret } from './client-secret.ts';
import { changedMembers, isSameReceiver, materialDigest } from './material-digest.ts';
import type { StoredMetadata } from './replace-metadata.ts';

const nothingPending = { pendingMetadata: Prisma.DbNull, pendingDigest: null, pendingAt: null };

/**
 * Keeps what an approved client wants to be from now on beside what it was approved as, and tells its owner. Answers
 * false when it cannot wait: where codes go or what proves the client changed, which stops it at once; nothing a decision
 * rests on changed; or its one instance is not at work. The client goes on as approved until somebody has decided.
 */
export async function proposeMetadata(
  tx: Tx,
  ctx: Ctx,
  client: { id: string; name: string; metadata: RegisteredMetadata },
  next: StoredMetadata,
): Promise<boolean> {
  const change = changedMembers(client.metadata, next.metadata);
  if (!change.isMaterial || !isSameReceiver(client.metadata, next.metadata)) return false;
  const living = await tx.instance.findMany({
    where: { clientId: client.id, state: { in: ['quarantined', 'active', 'suspended'] } },
    select: { state: true, ownerId: true, agentId: true, reviewedDigest: true },
  });
  const [instance] = living;
  // Shared by several owners, one decision could not be about all of them.
  if (living.length !== 1 || instance?.state !== 'active' || !instance.agentId) return false;
  if (instance.reviewedDigest !== materialDigest(client.metadata)) return false;
  const { count } = await tx.client.updateMany({
    where: { id: client.id, OR: [{ pendingDigest: null }, { NOT: { pendingDigest: next.metadataDigest } }] },
    data: {
      pendingMetadata: next.metadata as unknown as Prisma.InputJsonValue,
      pendingDigest: next.metadataDigest,
      pendingAt: ctx.clock.now(),
    },
  });
  // Said again word for word: it waits already.
  if (count === 0) return true;
  await recordEvent(tx, ctx, {
    kind: 'client.metadata_change',
    subjectId: client.id,
    clientId: client.id,
    agentId: instance.agentId,
    reason: 'proposed',
    data: { members: change.names, pendingDigest: next.metadataDigest },
  });
  await notify(tx, ctx, {
    personIds: [instance.ownerId],
    kind: 'client.metadata_change',
    title: `${client.name || client.id} wants to change its registration`,
    body: `It would change: ${change.names.join(', ')}. Until you ask for it and somebody agrees, it goes on as it was approved.`,
    href: `/clients/${encodeURIComponent(client.id)}`,
  });
  await notifyChange(tx, 'clients', client.id);
  return true;
}

/** What a client row says and would say, for whoever asks for the change. */
export type ClientWithPending = { id: string; metadata: unknown; pendingMetadata: unknown };

const selfDescription: ReadonlySet<EvidenceKind> = new Set([
  'client name',
  'name resemblance',
  'name text',
  'software',
]);

/** Whether a fact is about what a client calls itself: those are replaced by what it would call itself. */
export function isSelfDescription(kind: string): boolean {
  return selfDescription.has(kind as EvidenceKind);
}

/** The facts about what a client would call itself, and which members differ from what was approved. */
export function pendingFacts(client: ClientWithPending, now: Date): EvidenceFact[] {
  const pending = client.pendingMetadata as RegisteredMetadata;
  const facts = buildDossier({
    client: {
      id: client.id,
      kind: 'dynamic',
      name: pending.client_name ?? '',
      softwareId: pending.software_id ?? null,
      softwareVersion: pending.software_version ?? null,
      clientUri: null,
      redirectUris: [],
      documentDigest: null,
      registration: null,
      keyThumbprints: [],
    },
    redirectUri: null,
    opened: null,
    device: null,
    claimed: { address: null, userAgent: null },
    otherOwner: false,
    earlierRefusals: [],
    now,
  });
  const { names } = changedMembers(client.metadata as RegisteredMetadata, pending);
  return [
    ...facts.filter((fact) => isSelfDescription(fact.kind)),
    {
      kind: 'contents changed',
      status: 'claimed',
      value: { fields: names },
      method:
        'The client asked to change its own registration, and goes on as approved until this is decided.',
      establishedAt: now,
      proofDigest: null,
    },
  ];
}

/**
 * Puts what a snapshot approves of its clients' own changes into effect, inside the transaction of the decision. Throws
 * `Conflict` when a client took its change back, or asked for another, at this moment.
 */
export async function applyPendingMetadata(
  tx: Tx,
  ctx: Ctx,
  instances: Snapshot['instances'],
  by: { agentId: string; requestId: string; parentEventId: string },
): Promise<void> {
  for (const { instanceId, clientId, metadataDigest } of instances) {
    const row = await tx.client.findUniqueOrThrow({
      where: { id: clientId },
      select: { metadataDigest: true, pendingDigest: true, pendingMetadata: true },
    });
    if (row.metadataDigest === metadataDigest || row.pendingDigest !== metadataDigest) continue;
    const pending = row.pendingMetadata as unknown as RegisteredMetadata;
    const method = pending.token_endpoint_auth_method as TokenEndpointAuthMethod;
    const { count } = await tx.client.updateMany({
      where: { id: clientId, pendingDigest: metadataDigest, forgottenAt: null },
      data: {
        name: pending.client_name ?? '',
        metadata: pending as unknown as Prisma.InputJsonValue,
        metadataDigest,
        fingerprint: toRegisteredFingerprint(pending),
        tokenEndpointAuthMethod: method,
        grantTypes: [...(pending.grant_types ?? [])],
        ...(needsSecret({ tokenEndpointAuthMethod: method })
          ? {}
          : { secretDigest: null, secretExpiresAt: null }),
        ...nothingPending,
      },
    });
    if (count === 0) throw new Conflict('The client changed while this was being decided. Look again.');
    await tx.instance.update({
      where: { id: instanceId },
      data: { reviewedDigest: materialDigest(pending) },
    });
    await recordEvent(tx, ctx, {
      kind: 'client.metadata_change',
      subjectId: clientId,
      clientId,
      agentId: by.agentId,
      requestRef: by.requestId,
      parentIds: [by.parentEventId],
      reason: 'approved',
      before: { digest: row.metadataDigest },
      after: { digest: metadataDigest },
    });
    await notifyChange(tx, 'clients', clientId);
  }
}

/** Forgets the changes a rejected snapshot would have made, so that the next request does not carry them again. */
export async function dropPendingMetadata(
  tx: Tx,
  ctx: Ctx,
  instances: Snapshot['instances'],
  by: { agentId: string; requestId: string },
): Promise<void> {
  for (const { clientId, metadataDigest } of instances) {
    await drop(tx, ctx, { clientId, pendingDigest: metadataDigest, reason: 'rejected', ...by });
  }
}

/** The client said again what it was approved as. */
export async function takeBackPendingMetadata(tx: Tx, ctx: Ctx, clientId: string): Promise<void> {
  await drop(tx, ctx, { clientId, reason: 'taken back' });
}

async function drop(
  tx: Tx,
  ctx: Ctx,
  what: {
    clientId: string;
    pendingDigest?: string;
    reason: string;
    agentId?: string | null;
    requestId?: string;
  },
): Promise<boolean> {
  const { count } = await tx.client.updateMany({
    where: { id: what.clientId, pendingDigest: what.pendingDigest ?? { not: null } },
    data: nothingPending,
  });
  if (count === 0) return false;
  await recordEvent(tx, ctx, {
    kind: 'client.metadata_change',
    subjectId: what.clientId,
    clientId: what.clientId,
    agentId: what.agentId ?? null,
    requestRef: what.requestId ?? null,
    reason: what.reason,
  });
  await notifyChange(tx, 'clients', what.clientId);
  return true;
}

export const discardPendingInput = z.strictObject({ clientId: z.string().min(1).max(1_000) });

/**
 * The owner of a client does not want the change it asked for: it goes on as approved. The client may ask again. Throws
 * `NotFound` for a client that is not this owner's, `Conflict` when nothing waits. A request that asked for the change can
 * no longer be approved as it is.
 */
export async function discardPending(
  ctx: Ctx,
  input: z.output<typeof discardPendingInput>,
): Promise<{ clientId: string }> {
  const person = requireRole(ctx, 'owner');
  return withTransaction(ctx, async (tx) => {
    const instance = await tx.instance.findFirst({
      where: { clientId: input.clientId, ownerId: person.personId, state: { in: ['active', 'suspended'] } },
      select: { agentId: true },
    });
    if (!instance) throw new NotFound();
    const dropped = await drop(tx, ctx, { ...input, reason: 'discarded', agentId: instance.agentId });
    if (!dropped) throw new Conflict('Nothing waits here any more. Reload the page.');
    return input;
  });
}
