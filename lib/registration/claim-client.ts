import { recordEvent } from '#lib/audit/record.ts';
import type { EvidenceFact } from '#lib/evidence/fact.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { isUniqueViolation, notifyChange, type Prisma, type Tx } from '#lib/platform/db.ts';
import { Conflict } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { waitEndsAt } from './authorization-handle.ts';
import type { KnownClient } from './known-client.ts';
import { type PreparedClaim, reviewedDigestOf } from './prepare-claim.ts';
import { quarantineSeconds } from './quarantine.ts';
import { intakeSourceId } from './store.ts';

export type ClaimLink = {
  agentId: string;
  /** The request this claim belongs to; null when it joins an agent already approved. */
  requestId: string | null;
  revisionId: string | null;
  /** `active` only for a client its owner links to an approved agent. */
  state?: 'quarantined' | 'active';
};

export type ClaimedClient = { instanceId: string; transactionId: string; eventId: string };

/**
 * Turns a prepared claim into rows, inside the transaction that creates its request: the client is claimed, the
 * instance (client × owner) exists, the authorization transaction waits, the evidence is stored with the revision.
 *
 * One handle becomes one transaction and one owner has one living instance of a client, both by unique index: of any
 * number of simultaneous claims of one link exactly one commits, and the others get `Conflict`.
 */
export async function claimClient(
  tx: Tx,
  ctx: Ctx,
  prepared: PreparedClaim,
  link: ClaimLink,
): Promise<ClaimedClient> {
  const { client, person } = prepared;
  const now = ctx.clock.now();
  const taken = await tx.authorizationTransaction.findUnique({
    where: { handleDigest: prepared.handleDigest },
    select: { id: true },
  });
  if (taken) throw alreadyUsed();
  await claimRow(tx, ctx, client);
  await endReplaced(tx, ctx, prepared);
  const eventId = await recordEvent(tx, ctx, {
    kind: 'client.claim',
    subjectId: client.id,
    clientId: client.id,
    agentId: link.agentId,
    requestRef: link.requestId,
    parentIds: prepared.registrationEventId ? [prepared.registrationEventId] : [],
    data: {
      instanceId: prepared.instanceId,
      transactionId: prepared.transactionId,
      redirectUri: prepared.handle.redirectUri,
      resource: prepared.server.resource,
      metadataDigest: client.metadataDigest,
      contradictions: prepared.facts
        .filter((fact) => fact.status === 'contradicted')
        .map((fact) => fact.kind),
    },
    after: { ownerId: person.personId, state: link.state ?? 'quarantined' },
  });
  try {
    await tx.instance.create({
      data: {
        id: prepared.instanceId,
        clientId: client.id,
        ownerId: person.personId,
        agentId: link.agentId,
        state: link.state ?? 'quarantined',
        createdAt: now,
        stateSince: now,
        // From here on the request decides and ends it; a quarantine without a request would still end by itself.
        quarantineEndsAt:
          link.requestId || link.state === 'active' ? null : addSeconds(now, quarantineSeconds),
        reviewedDigest: reviewedDigestOf(client),
      },
    });
    await createTransaction(tx, ctx, prepared, {
      instanceId: prepared.instanceId,
      requestId: link.requestId,
    });
  } catch (error) {
    throw isUniqueViolation(error) ? alreadyUsed() : error;
  }
  await storeEvidence(tx, prepared.facts, { clientId: client.id, revisionId: link.revisionId });
  await notifyChange(tx, 'clients', client.id);
  return { instanceId: prepared.instanceId, transactionId: prepared.transactionId, eventId };
}

/** The row of one browser's wait. Its deadline lies before the moment the client stops listening. */
export async function createTransaction(
  tx: Tx,
  ctx: Ctx,
  from: Pick<PreparedClaim, 'transactionId' | 'person' | 'handle' | 'handleDigest' | 'client' | 'server'>,
  link: { instanceId: string; requestId: string | null },
): Promise<void> {
  await tx.authorizationTransaction.create({
    data: {
      id: from.transactionId,
      clientId: from.client.id,
      instanceId: link.instanceId,
      requestId: link.requestId,
      personId: from.person.personId,
      sessionId: from.person.sessionId,
      redirectUri: from.handle.redirectUri,
      codeChallenge: from.handle.codeChallenge,
      state: from.handle.state,
      resource: from.server.resource,
      scope: from.handle.scope,
      handleDigest: from.handleDigest,
      address: ctx.address,
      userAgent: ctx.userAgent?.slice(0, 500) ?? null,
      createdAt: ctx.clock.now(),
      deadlineAt: waitEndsAt(from.handle),
      deviceAddress: from.handle.device?.address ?? null,
    },
  });
}

/** The client row says that somebody has taken it; a document gets its row now, with everything a row has from birth. */
export async function claimRow(tx: Tx, ctx: Ctx, client: KnownClient): Promise<void> {
  const now = ctx.clock.now();
  if (client.kind !== 'metadata document') {
    const { count } = await tx.client.updateMany({
      where: { id: client.id, OR: [{ forgottenAt: null }, { forgottenCause: 'unclaimed' }] },
      data: {
        claimedAt: client.claimedAt ?? now,
        forgottenAt: null,
        forgottenCause: null,
        quarantineEndsAt: addSeconds(now, quarantineSeconds),
      },
    });
    if (count === 0)
      throw new Conflict('This client ended while you were filling in the form. Connect again.');
    return;
  }
  const document = {
    name: client.name,
    metadata: client.metadata as unknown as Prisma.InputJsonValue,
    metadataDigest: client.metadataDigest,
    fingerprint: client.fingerprint,
    redirectUris: [...client.redirectUris],
    tokenEndpointAuthMethod: client.tokenEndpointAuthMethod,
    grantTypes: [...client.grantTypes],
    ...(client.jwks ? { jwks: client.jwks as Prisma.InputJsonValue } : {}),
  };
  await tx.client.upsert({
    where: { id: client.id },
    create: {
      id: client.id,
      kind: client.kind,
      ...document,
      sourceId: intakeSourceId,
      custodian: 'role:admin',
      quarantineEndsAt: addSeconds(now, quarantineSeconds),
      revocationHandle: randomToken(18),
      registeredAt: now,
      claimedAt: now,
    },
    update: { ...document, forgottenAt: null, forgottenCause: null },
  });
}

/** An instance whose document changed is replaced by the one now asked for; the old one stays as a tombstone. */
async function endReplaced(tx: Tx, ctx: Ctx, prepared: PreparedClaim): Promise<void> {
  const { instance, standing, isInherited } = prepared.standing;
  if (!instance || isInherited || standing !== 'metadata changed') return;
  await tx.instance.updateMany({
    where: { id: instance.id, state: { in: ['active', 'suspended'] } },
    data: { state: 'expired', stateCause: 'metadata changed', stateSince: ctx.clock.now() },
  });
  await recordEvent(tx, ctx, {
    kind: 'instance.expire',
    subjectId: instance.id,
    clientId: prepared.client.id,
    agentId: prepared.standing.agent?.id ?? null,
    reason: 'metadata changed',
    before: { state: instance.state },
    after: { state: 'expired' },
  });
}

/** Evidence rows for a revision and its client. */
export async function storeEvidence(
  tx: Tx,
  facts: readonly EvidenceFact[],
  of: { clientId: string; revisionId: string | null },
): Promise<void> {
  await tx.evidence.createMany({
    data: facts.map((fact) => ({
      id: newId('evidence'),
      revisionId: of.revisionId,
      clientId: of.clientId,
      kind: fact.kind,
      status: fact.status,
      value: fact.value as Prisma.InputJsonValue,
      method: fact.method,
      establishedAt: fact.establishedAt,
      proofDigest: fact.proofDigest,
    })),
  });
}

function alreadyUsed(): Conflict {
  return new Conflict(
    'This sign-in has already been claimed. Start it again from your client if that was not you.',
    {
      reason: 'handle used',
    },
  );
}
