import { z } from 'zod';
import { hasRole, requireSession } from '#lib/access/require.ts';
import { describeRedirect, type RedirectPlace } from '#lib/evidence/dossier.ts';
import { sortFacts } from '#lib/evidence/fact.ts';
import { readRequestedScope } from '#lib/oauth/scope.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import {
  claimKeyOf,
  handleLifetimeSeconds,
  openSealedHandle,
  transactionDigest,
  waitEndsAt,
} from './authorization-handle.ts';
import { decisionReason } from './decision-reason.ts';
import { type DevicePlace, devicePlace, isKnownDevice } from './device-place.ts';
import { noteDocumentVersion } from './document-versions.ts';
import type { ClientKind } from './known-client.ts';
import {
  type ClaimAmbient,
  type ClaimServer,
  claimFacts,
  findClaimedClient,
  listBoundServers,
  readAmbient,
  requireOwnDevice,
  requireVault,
  resolveServer,
  suggestName,
} from './prepare-claim.ts';
import { readStanding } from './read-standing.ts';
import type { Standing } from './standing.ts';

export const openHandleInput = z.strictObject({ handle: z.string().min(1).max(8_000) });

/** A fact as it travels to a page: instants as text. */
export type ShownFact = {
  kind: string;
  status: 'proved' | 'observed' | 'claimed' | 'contradicted';
  value: Record<string, string | number | boolean | string[]>;
  method: string;
  establishedAt: string;
};

/** Everything the sign-in page shows about what is asked, by whom, and where this person stands with it. */
export type OpenedHandle = {
  standing: Standing;
  client: {
    id: string;
    kind: ClientKind;
    name: string;
    redirectUri: string;
    redirectHost: string;
    redirectPlace: RedirectPlace;
    registeredAt: string | null;
    suggestedName: string;
  };
  /** For a sign-in by code: the device that gets the tokens, and whether it is where this browser is. */
  device: { address: string | null; askedAt: string; place: DevicePlace; isHeld: boolean } | null;
  server: ClaimServer | null;
  /** Where its client named no server and the agent has several: the one to go on to has to be chosen. */
  choices: ClaimServer[];
  /** Tools the client asked for by scope: a hint, never a grant. */
  requestedTools: string[];
  /** What this person may do here at all. */
  mayClaim: boolean;
  claimKey: string;
  /** The wait this very sign-in already has in this session. */
  transactionId: string | null;
  request: {
    id: string;
    number: number;
    state: string;
    decidedAt: string | null;
    reason: string | null;
  } | null;
  agent: {
    id: string;
    name: string;
    state: string;
    stateCause: string | null;
    expiresAt: string | null;
  } | null;
  isInherited: boolean;
  binding: { toolNames: string[]; expiresAt: string | null } | null;
  similar: {
    state: 'pending' | 'active';
    agentId: string;
    agentName: string;
    isLinkable: boolean;
    request: { id: string; number: number } | null;
  } | null;
  formerOwner: { displayName: string; deputy: string | null } | null;
  facts: ShownFact[];
  ambient: ClaimAmbient;
  /** When the client stops listening for this sign-in, and until when the form can be sent. */
  deadlineAt: string;
  handleExpiresAt: string;
};

/**
 * Opens the sealed handle of a sign-in for the person of this session and says where they stand. Makes no row of its
 * own: it notes at most that a known metadata document has changed. Throws `Invalid` for a handle that is not ours or
 * too old, `Conflict` when its client ended.
 */
export async function openHandle(ctx: Ctx, input: z.output<typeof openHandleInput>): Promise<OpenedHandle> {
  const person = requireSession(ctx);
  const vault = requireVault(ctx);
  const handle = openSealedHandle(vault, input.handle, ctx.clock.now());
  requireOwnDevice(handle, person.sessionId);
  const client = await findClaimedClient(ctx, handle);
  await noteDocumentVersion(ctx, client);
  const server = await resolveServer(ctx, handle, person.personId);
  const standing = await readStanding(ctx, client, person.personId, server);
  const transaction = await ctx.db.prisma.authorizationTransaction.findUnique({
    where: { handleDigest: transactionDigest(input.handle, handle) },
    select: { id: true, sessionId: true },
  });
  const facts = await claimFacts(ctx, client, handle, standing);
  const { place, host } = describeRedirect(handle.redirectUri);
  return {
    standing: standing.standing,
    client: {
      id: client.id,
      kind: client.kind,
      name: client.name,
      redirectUri: handle.redirectUri,
      redirectHost: host,
      redirectPlace: place,
      registeredAt: client.registeredAt?.toISOString() ?? null,
      suggestedName: suggestName(client),
    },
    device: handle.device && {
      address: handle.device.address,
      askedAt: handle.device.askedAt.toISOString(),
      place: devicePlace(handle.device.address, ctx.address),
      // Matters where tokens would go without a decision.
      isHeld: standing.standing === 'approved' && !(await isKnownDevice(ctx, handle, person.personId)),
    },
    server,
    choices: server ? [] : await listBoundServers(ctx, client.id, person.personId),
    requestedTools: readRequestedScope(handle.scope).tools,
    mayClaim: hasRole(person, 'owner'),
    claimKey: claimKeyOf(vault, input.handle, person.sessionId),
    transactionId: transaction?.sessionId === person.sessionId ? transaction.id : null,
    request: standing.request && {
      id: standing.request.id,
      number: standing.request.number,
      state: standing.request.state,
      decidedAt: standing.request.decidedAt?.toISOString() ?? null,
      reason: await decisionReason(ctx, standing.request.id),
    },
    agent: standing.agent && {
      id: standing.agent.id,
      name: standing.agent.name,
      state: standing.agent.state,
      stateCause: standing.agent.stateCause,
      expiresAt: standing.agent.expiresAt?.toISOString() ?? null,
    },
    isInherited: standing.isInherited,
    binding: standing.binding && {
      toolNames: standing.binding.toolNames,
      expiresAt: standing.binding.expiresAt?.toISOString() ?? null,
    },
    similar: standing.similar && {
      state: standing.similar.state,
      agentId: standing.similar.agentId,
      agentName: standing.similar.agentName,
      isLinkable: standing.similar.isLinkable,
      request: standing.similar.request && {
        id: standing.similar.request.id,
        number: standing.similar.request.number,
      },
    },
    formerOwner: standing.formerOwner,
    facts: sortFacts(facts).map(({ kind, status, value, method, establishedAt }) => ({
      kind,
      status,
      value,
      method,
      establishedAt: establishedAt.toISOString(),
    })),
    ambient: await readAmbient(ctx, client),
    deadlineAt: waitEndsAt(handle).toISOString(),
    handleExpiresAt: addSeconds(handle.issuedAt, handleLifetimeSeconds).toISOString(),
  };
}
