import { z } from 'zod';
import type { Snapshot } from '#lib/agents/snapshot.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { EvidenceFact } from '#lib/evidence/fact.ts';
import { isClientIdUrl } from '#lib/oauth/client-id-metadata.ts';
import {
  type ClientMetadata,
  describeClientMetadataReason,
  parseClientMetadata,
  toRegisteredMetadata,
  toSoftwareFingerprint,
} from '#lib/oauth/client-metadata.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { digestOf, type JsonValue } from '#lib/platform/canonical-json.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { isUniqueViolation, notifyChange, type Prisma, type Tx } from '#lib/platform/db.ts';
import { Conflict, Invalid } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { claimRow, storeEvidence } from './claim-client.ts';
import { findClient, type KnownClient } from './known-client.ts';
import { claimFacts, reviewedDigestOf, thumbprintsOf, toSnapshotInstance } from './prepare-claim.ts';
import { quarantineSeconds } from './quarantine.ts';
import { readStanding } from './read-standing.ts';
import { metadataPolicy } from './registration-policy.ts';
import { claimableStandings } from './standing.ts';
import { intakeSourceId } from './store.ts';

/**
 * The client of an owner's form. `key`: a headless agent that signs with a key of its own; `carried`: a headless agent
 * whose owner carries each token to it; `metadata document`: an interactive client published at a URL; `existing`: a
 * client of either form that this owner held before. A client that registered itself is not filed here: it is claimed
 * in the browser it waits in.
 */
export const filedClientSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('key'),
      jwks: z.looseObject({ keys: z.array(z.looseObject({})).max(32) }),
    }),
    z.strictObject({ kind: z.literal('carried') }),
    z.strictObject({ kind: z.literal('metadata document'), url: z.string().max(2000) }),
    z.strictObject({ kind: z.literal('existing'), clientId: z.string().max(2000) }),
  ])
  .meta({ id: 'FiledClient' });
export type FiledClient = z.output<typeof filedClientSchema>;

/** Everything about a filed client that needs no transaction. */
export type PreparedFiling = {
  client: KnownClient;
  ownerId: string;
  clientClass: 'interactive' | 'headless service';
  softwareIdentity: string;
  softwareIdentityKind: 'metadata document' | 'self-asserted';
  snapshotInstance: Snapshot['instances'][number];
  facts: EvidenceFact[];
  previousRequestId: string | null;
};

/**
 * Checks the client of a form and gathers what is known of its origin. Fetches and reads, writes nothing. Throws
 * `Invalid` on a key set or URL that cannot be used, `Conflict` for a client its owner cannot ask for now.
 */
export async function prepareFiling(
  ctx: Ctx,
  person: PersonActor,
  choice: FiledClient,
  name: string,
): Promise<PreparedFiling> {
  const client = await clientOf(ctx, choice, name);
  const standing = await readStanding(ctx, client, person.personId, null);
  if (client.isStored && !claimableStandings.has(standing.standing)) {
    throw new Conflict(`You already have this client: it is ${standing.standing}.`, {
      standing: standing.standing,
      requestId: standing.request?.id ?? null,
    });
  }
  const [thumbprint] = thumbprintsOf(client);
  return {
    client,
    ownerId: person.personId,
    clientClass: client.kind === 'metadata document' ? 'interactive' : 'headless service',
    softwareIdentity:
      client.kind === 'metadata document' ? client.id : thumbprint ? `key:${thumbprint}` : client.fingerprint,
    softwareIdentityKind: client.kind === 'metadata document' ? 'metadata document' : 'self-asserted',
    snapshotInstance: toSnapshotInstance(newId('instance'), client),
    facts: await claimFacts(ctx, client, null, standing),
    previousRequestId: standing.request?.id ?? null,
  };
}

/**
 * Turns a prepared filing into rows, inside the transaction of its request: the client (with everything a client has
 * from birth), the owner's quarantined instance of it, and the evidence stored with the revision.
 */
export async function fileClient(
  tx: Tx,
  ctx: Ctx,
  prepared: PreparedFiling,
  link: { agentId: string; requestId: string; revisionId: string },
): Promise<{ instanceId: string }> {
  const { client } = prepared;
  const now = ctx.clock.now();
  if (client.kind === 'manual' && !client.isStored) await createManual(tx, ctx, prepared, link);
  else await claimRow(tx, ctx, client);
  const instanceId = prepared.snapshotInstance.instanceId;
  try {
    await tx.instance.create({
      data: {
        id: instanceId,
        clientId: client.id,
        ownerId: prepared.ownerId,
        agentId: link.agentId,
        createdAt: now,
        stateSince: now,
        quarantineEndsAt: addSeconds(now, quarantineSeconds),
        reviewedDigest: reviewedDigestOf(client),
      },
    });
  } catch (error) {
    throw isUniqueViolation(error) ? new Conflict('You are already asking for this client.') : error;
  }
  await storeEvidence(tx, prepared.facts, { clientId: client.id, revisionId: link.revisionId });
  await notifyChange(tx, 'clients', client.id);
  return { instanceId };
}

async function createManual(
  tx: Tx,
  ctx: Ctx,
  { client, ownerId }: PreparedFiling,
  link: { agentId: string; requestId: string },
): Promise<void> {
  const now = ctx.clock.now();
  await tx.client.create({
    data: {
      id: client.id,
      kind: client.kind,
      name: client.name,
      metadata: client.metadata as unknown as Prisma.InputJsonValue,
      metadataDigest: client.metadataDigest,
      fingerprint: client.fingerprint,
      redirectUris: [],
      tokenEndpointAuthMethod: client.tokenEndpointAuthMethod,
      grantTypes: [...client.grantTypes],
      ...(client.jwks ? { jwks: client.jwks as Prisma.InputJsonValue } : {}),
      sourceId: intakeSourceId,
      custodian: ownerId,
      quarantineEndsAt: addSeconds(now, quarantineSeconds),
      revocationHandle: randomToken(18),
      sourceAddress: ctx.address,
      userAgent: ctx.userAgent?.slice(0, 500) ?? null,
      registeredAt: now,
      claimedAt: now,
    },
  });
  await recordEvent(tx, ctx, {
    kind: 'client.register',
    subjectId: client.id,
    clientId: client.id,
    agentId: link.agentId,
    requestRef: link.requestId,
    data: { kind: client.kind, metadataDigest: client.metadataDigest, keys: thumbprintsOf(client) },
  });
}

async function clientOf(ctx: Ctx, choice: FiledClient, name: string): Promise<KnownClient> {
  if (choice.kind === 'key') return manualClient(ctx, name, keyedMetadata(ctx, name, choice.jwks));
  if (choice.kind === 'carried') return manualClient(ctx, name, carriedMetadata(name));
  const clientId = choice.kind === 'existing' ? choice.clientId : choice.url.trim();
  const path = choice.kind === 'existing' ? 'client.clientId' : 'client.url';
  const refuse = (message: string): never => {
    throw new Invalid(message, { issues: [{ path, message }] });
  };
  if (choice.kind === 'metadata document' && !isClientIdUrl(clientId)) {
    return refuse('This is not the URL of a client metadata document.');
  }
  const found = await findClient(ctx, clientId);
  if (!found.found) {
    return refuse(found.because === 'document' ? found.description : 'There is no such client.');
  }
  if (found.client.kind === 'dynamic') {
    return refuse(
      'This client registered itself. Start its sign-in: you claim it in the browser that opens.',
    );
  }
  if (found.client.forgottenAt) return refuse('This client has ended. File it anew with its key.');
  return found.client;
}

function keyedMetadata(ctx: Ctx, name: string, jwks: object): ClientMetadata {
  const parsed = parseClientMetadata(
    {
      client_name: name,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: jwks as JsonValue,
    },
    metadataPolicy(ctx.site),
  );
  if (parsed.ok) return parsed.value;
  const message = describeClientMetadataReason(parsed.error);
  throw new Invalid(message, { issues: [{ path: 'client.jwks', message }] });
}

/** No grant at all: its tokens are minted by its owner's hand, one at a time. */
function carriedMetadata(name: string): ClientMetadata {
  return {
    redirectUris: [],
    tokenEndpointAuthMethod: 'none',
    tokenEndpointAuthSigningAlg: null,
    grantTypes: [],
    responseTypes: [],
    clientName: name,
    clientUri: null,
    logoUri: null,
    tosUri: null,
    policyUri: null,
    scope: null,
    contacts: [],
    softwareId: null,
    softwareVersion: null,
    softwareStatement: null,
    jwks: null,
    jwksUri: null,
    applicationType: null,
    unrecognized: [],
  };
}

function manualClient(ctx: Ctx, name: string, parsed: ClientMetadata): KnownClient {
  const metadata = toRegisteredMetadata(parsed);
  const now = ctx.clock.now();
  return {
    id: newId('client'),
    kind: 'manual',
    name,
    metadata,
    metadataDigest: digestOf(metadata),
    documentDigest: null,
    fingerprint: parsed.jwks
      ? `key:${thumbprintsOf({ jwks: parsed.jwks }).join(',')}`
      : toSoftwareFingerprint(parsed),
    redirectUris: [],
    tokenEndpointAuthMethod: parsed.tokenEndpointAuthMethod,
    grantTypes: parsed.grantTypes,
    jwks: parsed.jwks,
    sourceId: intakeSourceId,
    registeredAt: now,
    sourceAddress: ctx.address,
    userAgent: ctx.userAgent,
    quarantineEndsAt: addSeconds(now, quarantineSeconds),
    claimedAt: now,
    forgottenAt: null,
    forgottenCause: null,
    isStored: false,
    hasChanged: false,
    isReachable: true,
  };
}
