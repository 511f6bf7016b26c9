import { z } from 'zod';
import { hasRole, requireSession } from '#lib/access/require.ts';
import type { Snapshot } from '#lib/agents/snapshot.ts';
import { bindingStateAt } from '#lib/agents/states.ts';
import { buildDossier } from '#lib/evidence/dossier.ts';
import { type EvidenceFact, toSnapshotEvidence } from '#lib/evidence/fact.ts';
import type { ClientJwk } from '#lib/oauth/jwks.ts';

import type { PersonActor } from '#lib/platform/actor.ts';
import type { Vault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Conflict, Forbidden, Invalid, Unavailable } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { assessText } from '#lib/platform/text.ts';
import {
  type AuthorizationHandle,
  isClaimKey,
  openSealedHandle,
  transactionDigest,
} from './authorization-handle.ts';
import { jwkThumbprint } from './jwk-thumbprint.ts';
import { findClient, type KnownClient } from './known-client.ts';
import { materialDigest } from './material-digest.ts';
import { type PersonStanding, readStanding } from './read-standing.ts';
import { claimableStandings } from './standing.ts';
import { findRegistrationEvent, intakeSource } from './store.ts';

/** What the page sends back with every claim: the handle of this sign-in, and the key that binds it to the session. */
export const claimHandleInput = {
  handle: z.string().min(1).max(8_000),
  claimKey: z.string().min(1).max(100),
};

export type ClaimServer = { id: string; name: string; resource: string };

/** Everything about one claim that needs no transaction: read first, so that the transaction is short. */
export type PreparedClaim = {
  person: PersonActor & { sessionId: string };
  handle: AuthorizationHandle;
  handleDigest: string;
  client: KnownClient;
  server: ClaimServer;
  standing: PersonStanding;
  /** Ids the claim will use; the snapshot names them before the rows exist. */
  instanceId: string;
  transactionId: string;
  softwareIdentity: string;
  softwareIdentityKind: 'metadata document' | 'self-asserted';
  /** What the page proposes as the agent's name: the software's own word for itself. */
  suggestedName: string;
  snapshotInstance: Snapshot['instances'][number];
  facts: EvidenceFact[];
  /** The same facts as the snapshot holds them. */
  evidence: Snapshot['evidence'];
  /** Counts beside the snapshot, outside its digest. */
  ambient: ClaimAmbient;
  /** The request this one follows after a refusal or an end. */
  previousRequestId: string | null;
  registrationEventId: string | null;
};

export type ClaimAmbient = {
  sameFingerprint: number;
  sameRedirectHost: number;
  sameSource: number;
  firstSeenAt: string;
};

type ClaimInput = { handle: string; claimKey: string; serverId?: string | undefined };

/**
 * Opens and checks a claim: the handle is ours, young, and was opened by this very session; the person may own
 * agents; the client may be claimed by them now. Fetches and reads, writes nothing.
 *
 * `purpose` is `claim` for a new request and `link` for adding this client to an agent already approved.
 */
export async function prepareClaim(
  ctx: Ctx,
  input: ClaimInput,
  purpose: 'claim' | 'link' = 'claim',
): Promise<PreparedClaim> {
  const person = requireSession(ctx);
  if (!hasRole(person, 'owner')) {
    throw new Forbidden(
      'Only owners can claim a client. An admin can grant you the role owner under People.',
      {
        missingRole: ['owner'],
      },
    );
  }
  const opened = await openClaim(ctx, person, input);
  const { client, handle, standing } = opened;
  const server = opened.server ?? (await chosenServer(ctx, input.serverId));
  if (
    !claimableStandings.has(standing.standing) ||
    (purpose === 'link' && standing.standing !== 'unclaimed' && standing.standing !== 'quarantine ended')
  ) {
    throw new Conflict(refusal(standing), {
      standing: standing.standing,
      requestId: standing.request?.id ?? null,
    });
  }
  const facts = await claimFacts(ctx, client, handle, standing);
  const instanceId = newId('instance');
  return {
    person,
    handle,
    handleDigest: transactionDigest(input.handle, handle),
    client,
    server,
    standing,
    instanceId,
    transactionId: newId('transaction'),
    softwareIdentity: client.kind === 'metadata document' ? client.id : client.fingerprint,
    softwareIdentityKind: client.kind === 'metadata document' ? 'metadata document' : 'self-asserted',
    suggestedName: suggestName(client),
    snapshotInstance: toSnapshotInstance(instanceId, client),
    facts,
    evidence: toSnapshotEvidence(facts),
    ambient: await readAmbient(ctx, client),
    previousRequestId: standing.request?.id ?? null,
    registrationEventId: await findRegistrationEvent(ctx.db, client.id),
  };
}

/** The handle's contents and where this person stands with its client. The claim key must be this session's. */
export async function openClaim(
  ctx: Ctx,
  person: PersonActor & { sessionId: string },
  input: ClaimInput,
): Promise<{
  handle: AuthorizationHandle;
  client: KnownClient;
  server: ClaimServer | null;
  standing: PersonStanding;
}> {
  const vault = requireVault(ctx);
  const handle = openSealedHandle(vault, input.handle, ctx.clock.now());
  if (!isClaimKey(vault, input.handle, person.sessionId, input.claimKey)) {
    throw new Invalid('This form belongs to another session. Start the sign-in again from your client.', {
      reason: 'claim key',
    });
  }
  requireOwnDevice(handle, person.sessionId);
  const client = await findClaimedClient(ctx, handle);
  const server = await resolveServer(ctx, handle, person.personId, input.serverId);
  return { handle, client, server, standing: await readStanding(ctx, client, person.personId, server) };
}

/** A device is claimed in the session that typed its code and picked its number, and in no other. */
export function requireOwnDevice(handle: AuthorizationHandle, sessionId: string): void {
  if (handle.device && handle.device.sessionId !== sessionId) {
    throw new Invalid('The code of this device was typed in another session. Start again on the device.', {
      reason: 'other session',
    });
  }
}

/**
 * The server a sign-in is for (RFC 8707): the one its client named, else the one chosen on the page, else the only one
 * this person's agent has tools on. Null when it still has to be chosen.
 */
export async function resolveServer(
  ctx: Ctx,
  handle: AuthorizationHandle,
  ownerId: string,
  serverId?: string,
): Promise<ClaimServer | null> {
  if (handle.resource) return serverOf(ctx, handle.resource);
  if (serverId) return chosenServer(ctx, serverId);
  const [only, ...more] = await listBoundServers(ctx, handle.clientId, ownerId);
  return only && more.length === 0 ? only : null;
}

/** Servers on which this person's agent behind a client has tools now. */
export async function listBoundServers(ctx: Ctx, clientId: string, ownerId: string): Promise<ClaimServer[]> {
  const now = ctx.clock.now();
  const bindings = await ctx.db.prisma.toolBinding.findMany({
    where: {
      endedAt: null,
      agent: { state: 'active', instances: { some: { clientId, ownerId, state: 'active' } } },
      server: { state: 'active' },
    },
    orderBy: { server: { name: 'asc' } },
    include: { server: { select: { id: true, name: true, resource: true } } },
  });
  return bindings
    .filter((binding) => bindingStateAt(binding, now) === 'active')
    .map((binding) => binding.server);
}

/** The client of a handle; it may have ended, or its document become unusable, since the handle was made. */
export async function findClaimedClient(ctx: Ctx, handle: AuthorizationHandle): Promise<KnownClient> {
  const found = await findClient(ctx, handle.clientId);
  if (!found.found) {
    throw new Conflict(
      found.because === 'document' ? found.description : 'This client is no longer registered here.',
      { reason: 'client gone' },
    );
  }
  const { client } = found;
  if (client.forgottenAt && client.forgottenCause !== 'unclaimed') {
    throw new Conflict('This client is no longer registered here. Connect again: it will register anew.', {
      reason: 'client gone',
    });
  }
  return client;
}

export async function serverOf(ctx: Ctx, resource: string): Promise<ClaimServer> {
  const server = await ctx.db.prisma.mcpServer.findFirst({
    where: { resource, state: 'active' },
    select: { id: true, name: true, resource: true },
  });
  if (!server) throw new Conflict('The server this sign-in is for is no longer in the catalogue.');
  return server;
}

async function chosenServer(ctx: Ctx, serverId: string | undefined): Promise<ClaimServer> {
  const server = serverId
    ? await ctx.db.prisma.mcpServer.findFirst({
        where: { id: serverId, state: 'active' },
        select: { id: true, name: true, resource: true },
      })
    : null;
  if (!server) {
    throw new Invalid('Choose the server this client is for.', {
      issues: [{ path: 'serverId', message: 'Choose the server this client is for.' }],
    });
  }
  return server;
}

function refusal(standing: PersonStanding): string {
  const request = standing.request ? `CS-${standing.request.number}` : 'a request';
  switch (standing.standing) {
    case 'pending':
      return `${request} already asks for this client and waits for a decision.`;
    case 'changes requested':
      return `${request} already asks for this client; an approver asked you to change it.`;
    case 'approved':
    case 'approved elsewhere':
      return 'This client is already approved for you.';
    case 'suspended':
      return 'This software is suspended. It can be reinstated, not asked for anew.';
    default:
      return 'This client cannot be claimed now.';
  }
}

/** The dossier of a claim as it stands at this moment. */
export async function claimFacts(
  ctx: Ctx,
  client: KnownClient,
  handle: AuthorizationHandle | null,
  standing: Pick<PersonStanding, 'hasOtherOwner'>,
): Promise<EvidenceFact[]> {
  const { metadata } = client;
  const source = await intakeSource(ctx);
  return buildDossier({
    client: {
      id: client.id,
      kind: client.kind,
      name: client.name,
      softwareId: metadata.software_id ?? null,
      softwareVersion: metadata.software_version ?? null,
      clientUri: metadata.client_uri ?? null,
      redirectUris: client.redirectUris,
      documentDigest: client.documentDigest,
      registration:
        client.kind === 'dynamic' && client.registeredAt
          ? {
              at: client.registeredAt,
              address: client.sourceAddress,
              userAgent: client.userAgent,
              sourceName: source.name,
            }
          : null,
      keyThumbprints: thumbprintsOf(client),
    },
    redirectUri: handle?.redirectUri ?? null,
    opened:
      handle && !handle.device ? { at: handle.issuedAt, address: handle.address, userAgent: null } : null,
    device: handle?.device
      ? { at: handle.device.askedAt, address: handle.device.address, userAgent: handle.device.userAgent }
      : null,
    claimed: { address: ctx.address, userAgent: ctx.userAgent },
    otherOwner: standing.hasOtherOwner,
    earlierRefusals: await readEarlierRefusals(ctx, client),
    now: ctx.clock.now(),
  });
}

/** Decisions against the same software, redirect or key, whoever asked: they make every automatic permit a review. */
async function readEarlierRefusals(ctx: Ctx, client: KnownClient) {
  const instances = await ctx.db.prisma.instance.findMany({
    where: {
      client: { OR: [{ fingerprint: client.fingerprint }, { id: client.id }] },
      OR: [
        { state: { in: ['suspended', 'rejected', 'revoked'] } },
        { agent: { state: { in: ['suspended', 'revoked'] } } },
      ],
    },
    orderBy: { stateSince: 'desc' },
    take: 3,
    select: {
      state: true,
      stateCause: true,
      agent: {
        select: {
          state: true,
          stateCause: true,
          requests: { orderBy: { createdAt: 'desc' }, take: 1, select: { number: true, state: true } },
        },
      },
    },
  });
  return (
    instances
      .map(({ state, stateCause, agent }) => ({
        state: agent?.state === 'suspended' || agent?.state === 'revoked' ? agent.state : state,
        reason: agent?.stateCause ?? stateCause ?? '',
        number: agent?.requests[0]?.number ?? null,
        requestState: agent?.requests[0]?.state ?? null,
      }))
      // Taking back one's own request is no decision against anything.
      .filter((refused) => refused.state !== 'rejected' || refused.requestState === 'rejected')
      .map(({ requestState: _requestState, ...refused }) => refused)
  );
}

export function toSnapshotInstance(instanceId: string, client: KnownClient): Snapshot['instances'][number] {
  return {
    instanceId,
    clientId: client.id,
    kind: client.kind,
    metadataDigest: client.metadataDigest,
    redirectUris: [...client.redirectUris],
    tokenEndpointAuthMethod: client.tokenEndpointAuthMethod,
    jwksThumbprints: thumbprintsOf(client),
  };
}

export function thumbprintsOf(client: Pick<KnownClient, 'jwks'>): string[] {
  const keys = (client.jwks as { keys?: ClientJwk[] } | null)?.keys ?? [];
  return keys.map((key) => jwkThumbprint(key));
}

export function reviewedDigestOf(client: KnownClient): string {
  return materialDigest(client.metadata);
}

export async function readAmbient(ctx: Ctx, client: KnownClient): Promise<ClaimAmbient> {
  const { prisma } = ctx.db;
  const [sameFingerprint, sameSource, sameRedirect] = await Promise.all([
    prisma.client.count({ where: { fingerprint: client.fingerprint, NOT: { id: client.id } } }),
    client.sourceAddress
      ? prisma.client.count({ where: { sourceAddress: client.sourceAddress, NOT: { id: client.id } } })
      : 0,
    prisma.client.count({
      where: { redirectUris: { hasSome: [...client.redirectUris] }, NOT: { id: client.id } },
    }),
  ]);
  return {
    sameFingerprint,
    sameRedirectHost: sameRedirect,
    sameSource,
    firstSeenAt: (client.registeredAt ?? ctx.clock.now()).toISOString(),
  };
}

/**
 * What the form proposes as the agent's name: what the client calls itself, unless that is dressed up, in which case its
 * owner has to find a name of their own.
 */
export function suggestName(client: KnownClient): string {
  const { vendor, hiddenCharacters, mixedScripts, stackedMarks, instructionLike } = assessText(client.name);
  const isDressedUp =
    hiddenCharacters > 0 ||
    mixedScripts ||
    stackedMarks ||
    instructionLike.length > 0 ||
    (vendor && vendor.kind !== 'names');
  const name = isDressedUp ? '' : client.name.replace(/\s+/g, ' ').trim();
  return (name || (client.kind === 'metadata document' ? new URL(client.id).host : '')).slice(0, 80);
}

export function requireVault(ctx: Ctx): Vault {
  if (!ctx.vault) throw new Unavailable('Only the gate can open a sign-in link.');
  return ctx.vault;
}
