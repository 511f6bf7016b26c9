import { bindingStateAt } from '#lib/agents/states.ts';
import type { RegisteredMetadata } from '#lib/oauth/client-metadata.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { KnownClient } from './known-client.ts';
import { isSameMaterial, materialDigest } from './material-digest.ts';
import { type Standing, standingOf } from './standing.ts';

export type RequestFacts = {
  id: string;
  number: number;
  state: string;
  createdAt: Date;
  decidedAt: Date | null;
};

/** Another client of the same software this owner already has, or is asking for. */
export type SimilarClient = {
  clientId: string;
  instanceId: string;
  agentId: string;
  agentName: string;
  state: 'pending' | 'active';
  request: RequestFacts | null;
  /** Whether nothing a decision rests on differs, so that the owner may link this client to that agent. */
  isLinkable: boolean;
};

export type PersonStanding = {
  standing: Standing;
  instance: { id: string; clientId: string; state: string; stateCause: string | null } | null;
  agent: {
    id: string;
    name: string;
    state: string;
    stateCause: string | null;
    epoch: number;
    expiresAt: Date | null;
    ownerId: string;
  } | null;
  request: RequestFacts | null;
  /** The state was taken over from an earlier client of the same software. */
  isInherited: boolean;
  /** The live binding for the server of this sign-in. */
  binding: { id: string; toolNames: string[]; expiresAt: Date | null } | null;
  similar: SimilarClient | null;
  /** For a client held by somebody who has left: who may take over. */
  formerOwner: { displayName: string; deputy: string | null } | null;
  /** Somebody else holds this very client. */
  hasOtherOwner: boolean;
};

const livingStates = ['quarantined', 'active', 'suspended'];

const include = {
  client: { select: { id: true, metadata: true, fingerprint: true } },
  agent: {
    include: {
      requests: {
        where: { state: { not: 'draft' } },
        orderBy: { createdAt: 'desc' },
        take: 1,
        select: { id: true, number: true, state: true, createdAt: true, decidedAt: true },
      },
    },
  },
} as const;

/**
 * Where a person stands with a client, for one server: reads their instance of it, else what they have of the same
 * software, else who else holds it.
 */
export async function readStanding(
  ctx: Pick<Ctx, 'db' | 'clock'>,
  client: KnownClient,
  ownerId: string,
  server: { id: string; resource: string } | null,
): Promise<PersonStanding> {
  const { prisma } = ctx.db;
  const now = ctx.clock.now();
  const own = await prisma.instance.findMany({
    where: { clientId: client.id, ownerId },
    orderBy: { createdAt: 'desc' },
    take: 5,
    include,
  });
  const instance = own.find((candidate) => livingStates.includes(candidate.state)) ?? own[0] ?? null;
  const others = instance
    ? []
    : await prisma.instance.findMany({
        where: { ownerId, client: { fingerprint: client.fingerprint }, NOT: { clientId: client.id } },
        orderBy: { createdAt: 'desc' },
        take: 10,
        include,
      });
  const inherited = others.length > 0 ? await refusalAmong(ctx, others, server) : null;
  const shown = instance ?? inherited;
  const agent = shown?.agent ?? null;
  const bindings =
    agent && server
      ? await prisma.toolBinding.findMany({
          where: { agentId: agent.id, serverId: server.id },
          orderBy: { version: 'desc' },
          take: 3,
        })
      : [];
  const live = bindings.find((binding) => bindingStateAt(binding, now) === 'active') ?? null;
  const holders = await prisma.instance.findMany({
    where: { clientId: client.id, NOT: { ownerId }, state: { in: livingStates } },
    take: 5,
    select: { ownerId: true, agent: { select: { deputyId: true } } },
  });
  const formerOwner = holders.length > 0 && !instance ? await disabledHolder(ctx, client, holders) : null;
  const request = agent?.requests[0] ?? null;
  const metadataChanged =
    instance !== null &&
    (instance.stateCause === 'metadata changed' ||
      (instance.reviewedDigest !== '' && instance.reviewedDigest !== materialDigest(client.metadata)));
  const standing = standingOf({
    instance,
    agent,
    request,
    inherited: inherited
      ? {
          state: inherited.agent?.state === 'suspended' ? 'suspended' : inherited.state,
          requestState: inherited.agent?.requests[0]?.state ?? null,
        }
      : null,
    binding: live ? 'live' : bindings.length > 0 ? 'ended' : 'none',
    metadataChanged,
    quarantineEnded: quarantineEnded(client, now),
    heldByDisabledOwner: formerOwner !== null,
  });
  return {
    standing,
    instance: shown && pick(shown),
    agent: agent && {
      id: agent.id,
      name: agent.name,
      state: agent.state,
      stateCause: agent.stateCause,
      epoch: agent.epoch,
      expiresAt: agent.expiresAt,
      ownerId: agent.ownerId,
    },
    request,
    isInherited: instance === null && inherited !== null,
    binding: live && { id: live.id, toolNames: live.toolNames, expiresAt: live.expiresAt },
    similar: instance || inherited ? null : similarAmong(others, client),
    formerOwner,
    hasOtherOwner: holders.length > 0,
  };
}

function pick(instance: { id: string; clientId: string; state: string; stateCause: string | null }) {
  const { id, clientId, state, stateCause } = instance;
  return { id, clientId, state, stateCause };
}

/** Unclaimed for longer than quarantine lasts, whether or not the job has said so yet. */
function quarantineEnded(client: KnownClient, now: Date): boolean {
  if (client.forgottenCause === 'unclaimed') return true;
  return (
    client.kind === 'dynamic' &&
    !client.claimedAt &&
    client.quarantineEndsAt !== null &&
    client.quarantineEndsAt <= now
  );
}

type Candidate = {
  id: string;
  clientId: string;
  state: string;
  stateCause: string | null;
  client: { id: string; metadata: unknown; fingerprint: string };
  agent: {
    id: string;
    name: string;
    state: string;
    requests: RequestFacts[];
  } | null;
};

/**
 * A refusal follows the software to its next registration, so that registering again is no way around it: a living
 * suspension always, a rejection when it is the last word on the same server.
 */
async function refusalAmong<Row extends Candidate>(
  ctx: Pick<Ctx, 'db'>,
  others: readonly Row[],
  server: { resource: string } | null,
): Promise<Row | null> {
  const suspended = others.find(
    (other) =>
      other.state === 'suspended' || (other.state === 'active' && other.agent?.state === 'suspended'),
  );
  if (suspended) return suspended;
  const ids = others.map((other) => other.id);
  const sameServer = server
    ? await ctx.db.prisma.authorizationTransaction.findMany({
        where: { instanceId: { in: ids }, resource: server.resource },
        select: { instanceId: true },
        distinct: ['instanceId'],
      })
    : ids.map((instanceId) => ({ instanceId }));
  const here = new Set(sameServer.map(({ instanceId }) => instanceId));
  const latest = others.find((other) => here.has(other.id));
  return latest?.state === 'rejected' && latest.agent?.requests[0]?.state === 'rejected' ? latest : null;
}

function similarAmong(others: readonly Candidate[], client: KnownClient): SimilarClient | null {
  for (const state of ['active', 'pending'] as const) {
    const match = others.find((other) =>
      state === 'active'
        ? other.state === 'active' && other.agent?.state === 'active'
        : other.state === 'quarantined' &&
          ['submitted', 'changes requested'].includes(other.agent?.requests[0]?.state ?? ''),
    );
    if (match?.agent) {
      return {
        clientId: match.clientId,
        instanceId: match.id,
        agentId: match.agent.id,
        agentName: match.agent.name,
        state,
        request: match.agent.requests[0] ?? null,
        isLinkable:
          state === 'active' && isSameMaterial(match.client.metadata as RegisteredMetadata, client.metadata),
      };
    }
  }
  return null;
}

/** A client on one computer belongs to one person; when they have left, somebody has to be named. */
async function disabledHolder(
  ctx: Pick<Ctx, 'db'>,
  client: KnownClient,
  holders: readonly { ownerId: string; agent: { deputyId: string | null } | null }[],
): Promise<PersonStanding['formerOwner']> {
  if (client.kind === 'metadata document') return null;
  const ids = holders.flatMap((holder) => [holder.ownerId, holder.agent?.deputyId ?? []].flat());
  const people = await ctx.db.prisma.person.findMany({
    where: { id: { in: ids } },
    select: { id: true, displayName: true, state: true },
  });
  const byId = new Map(people.map((person) => [person.id, person]));
  for (const holder of holders) {
    const owner = byId.get(holder.ownerId);
    if (owner?.state !== 'deactivated') continue;
    const deputy = holder.agent?.deputyId ? byId.get(holder.agent.deputyId) : undefined;
    return { displayName: owner.displayName, deputy: deputy?.state === 'active' ? deputy.displayName : null };
  }
  return null;
}
