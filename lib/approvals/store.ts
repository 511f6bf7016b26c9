import { parseSnapshot, type Snapshot } from '#lib/agents/snapshot.ts';
import { visibleRequests } from '#lib/agents/visibility.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import type { Decider, Involvement } from './separation.ts';
import { nextRequestState, type RequestAction, type RequestKind, type RequestState } from './states.ts';
import type { Verdict } from './verdict.ts';

/** `CS-12`: how people and links name a request. */
export function requestLabel(number: number): string {
  return `CS-${number}`;
}

const requestInclude = {
  agent: true,
  revisions: { orderBy: { number: 'desc' as const }, take: 1 },
  votes: { orderBy: [{ decidedAt: 'asc' as const }, { id: 'asc' as const }] },
};

export type LoadedRequest = NonNullable<ReturnType<typeof toLoaded>>;

/**
 * The request with its current revision, agent and votes, or `NotFound` for what does not exist or the actor may not
 * see, which look the same. `lock` holds the row for the rest of a deciding transaction.
 */
export async function loadVisible(
  tx: Tx,
  ctx: Ctx,
  requestId: string,
  options: { lock?: boolean } = {},
): Promise<LoadedRequest> {
  if (options.lock) {
    await tx.$queryRaw`SELECT id FROM registration_request WHERE id = ${requestId} FOR UPDATE`;
  }
  const request = await tx.registrationRequest.findFirst({
    where: { AND: [{ id: requestId }, await visibleRequests(tx, ctx)] },
    include: requestInclude,
  });
  const loaded = request && toLoaded(request);
  if (!loaded) throw new NotFound();
  return loaded;
}

/** Many requests in the same form, for lists. The caller's filter says which are visible. */
export async function loadMany(
  tx: Tx,
  query: Pick<Parameters<Tx['registrationRequest']['findMany']>[0] & object, 'where' | 'orderBy' | 'take'>,
): Promise<LoadedRequest[]> {
  const rows = await tx.registrationRequest.findMany({ ...query, include: requestInclude });
  return rows.flatMap((row) => toLoaded(row) ?? []);
}

type RequestRowWithParts = NonNullable<Awaited<ReturnType<typeof findWithParts>>>;
const findWithParts = (tx: Tx) => tx.registrationRequest.findFirst({ include: requestInclude });

function toLoaded(request: RequestRowWithParts) {
  const [revision] = request.revisions;
  if (!revision) return null;
  return {
    ...request,
    state: request.state as RequestState,
    kind: request.kind as RequestKind,
    revision: { ...revision, snapshot: parseSnapshot(revision.snapshot) },
    label: requestLabel(request.number),
  };
}

/** Votes on the revision that counts now; those on earlier ones were about other words. */
export function currentVotes(request: LoadedRequest) {
  return request.votes.filter((vote) => vote.revisionId === request.revision.id);
}

export function revisedSinceChanges(request: LoadedRequest): boolean {
  return !currentVotes(request).some((vote) => vote.verdict === 'request changes');
}

const doneWords: Partial<Record<RequestState, string>> = {
  draft: 'is still a draft',
  submitted: 'is already submitted',
  'changes requested': 'was sent back for changes',
  approved: 'has already been approved',
  rejected: 'has already been rejected',
  withdrawn: 'was withdrawn',
  expired: 'has expired',
};

/** The state an action leads to; `Conflict` with the state it is in when that is not possible. */
export function requireMove(request: LoadedRequest, action: RequestAction): RequestState {
  const next = nextRequestState(
    { state: request.state, revisedSinceChanges: revisedSinceChanges(request) },
    action,
  );
  if (next.ok) return next.value;
  throw new Conflict(
    next.error.tag === 'same_revision'
      ? 'Changes were requested: edit the request, then submit it again.'
      : `${request.label} ${doneWords[request.state]}. Nothing was changed.`,
    { state: request.state, requestId: request.id },
  );
}

/** Moves a request from exactly the version that was read. Whoever comes second gets `Conflict`. */
export async function moveRequest(
  tx: Tx,
  request: { id: string; state: string; version: number },
  data: Parameters<Tx['registrationRequest']['updateMany']>[0]['data'],
): Promise<void> {
  const { count } = await tx.registrationRequest.updateMany({
    where: { id: request.id, state: request.state, version: request.version },
    data: { ...data, version: request.version + 1 },
  });
  if (count === 0) {
    throw new Conflict('Somebody else changed this request at the same moment. Nothing was changed here.', {
      requestId: request.id,
    });
  }
}

/** What is stored beside a revision, outside its digest: true when it was written, and only then. */
export type Ambient = {
  verdict: Verdict;
  /** Tool id → how many other active agents hold it. */
  holders: Record<string, number>;
  ownerAgents: number;
  earlierRequests: number;
  refusedBefore: number;
};

export function toAmbient(value: unknown): Ambient {
  const held = (value ?? {}) as Partial<Ambient>;
  return {
    verdict: held.verdict ?? { outcome: 'needs_review', policyVersion: '', tools: [] },
    holders: held.holders ?? {},
    ownerAgents: held.ownerAgents ?? 0,
    earlierRequests: held.earlierRequests ?? 0,
    refusedBefore: held.refusedBefore ?? 0,
  };
}

/** Everyone who had a hand in a request, by subject. */
export async function readInvolvement(tx: Tx, request: LoadedRequest): Promise<Involvement> {
  const involvements = await readInvolvements(tx, [request]);
  return involvements.get(request.id) as Involvement;
}

/** The same for many at once, for lists. */
export async function readInvolvements(
  tx: Tx,
  requests: readonly LoadedRequest[],
): Promise<Map<string, Involvement>> {
  const ids = requests.map((request) => request.id);
  const revisions = await tx.requestRevision.findMany({
    where: { requestId: { in: ids } },
    select: { requestId: true, authorId: true },
  });
  const transactions = await tx.authorizationTransaction.findMany({
    where: { requestId: { in: ids } },
    select: { requestId: true, personId: true },
  });
  const instances = await tx.instance.findMany({
    where: { id: { in: requests.flatMap((request) => request.revision.instanceIds) } },
    select: { id: true, ownerId: true },
  });
  const earlier = await tx.registrationRequest.findMany({
    where: { agentId: { in: requests.map((request) => request.agentId) } },
    select: { id: true, agentId: true, ownerId: true },
  });
  const suspenderOf = (request: LoadedRequest) =>
    request.kind === 'reinstate' && request.agent.state === 'suspended' ? request.agent.stateById : null;
  const people = await tx.person.findMany({
    where: {
      id: {
        in: [
          ...new Set([
            ...requests.flatMap((request) => [
              request.createdById,
              request.ownerId,
              request.agent.ownerId,
              suspenderOf(request) ?? request.ownerId,
            ]),
            ...revisions.map((each) => each.authorId),
            ...transactions.map((each) => each.personId),
            ...instances.map((each) => each.ownerId),
            ...earlier.map((each) => each.ownerId),
          ]),
        ],
      },
    },
    select: { id: true, subject: true },
  });
  const subjects = new Map(people.map((person) => [person.id, person.subject]));
  const subjectOf = (id: string) => subjects.get(id) ?? id;
  return new Map(
    requests.map((request): [string, Involvement] => {
      const suspenderId = suspenderOf(request);
      const claimed = [
        ...transactions.filter((each) => each.requestId === request.id).map((each) => each.personId),
        ...instances
          .filter((each) => request.revision.instanceIds.includes(each.id))
          .map((each) => each.ownerId),
      ];
      const formerOwners = earlier
        .filter((each) => each.agentId === request.agentId && each.id !== request.id)
        .map((each) => each.ownerId);
      return [
        request.id,
        {
          wroteSubject: subjectOf(request.createdById),
          editedSubjects: revisions
            .filter((each) => each.requestId === request.id)
            .map((each) => subjectOf(each.authorId)),
          claimedSubjects: claimed.map(subjectOf),
          ownerSubject: subjectOf(request.ownerId),
          formerOwnerSubjects: [request.agent.ownerId, ...formerOwners].map(subjectOf),
          suspenderSubject: suspenderId ? subjectOf(suspenderId) : null,
          submittedAt: request.submittedAt,
          votedSubjects: currentVotes(request).map((vote) => vote.subject),
        },
      ];
    }),
  );
}

export type ApproverCandidate = Decider & { personId: string; displayName: string };

/** Everybody who is an approver at this instant, with how they became one. */
export async function listApprovers(tx: Tx, now: Date, personId?: string): Promise<ApproverCandidate[]> {
  const grants = await tx.roleGrant.findMany({
    where: {
      role: 'approver',
      endedAt: null,
      effectiveAt: { lte: now },
      person: { state: 'active' },
      ...(personId ? { personId } : {}),
    },
    include: { person: { select: { subject: true, displayName: true } } },
    orderBy: { grantedAt: 'asc' },
  });
  const giverIds = grants.flatMap((grant) =>
    [grant.grantedById, grant.confirmedById].filter((id) => id !== null),
  );
  const givers = await tx.person.findMany({
    where: { id: { in: [...new Set(giverIds)] } },
    select: { id: true, subject: true, displayName: true },
  });
  const byId = new Map(givers.map((giver) => [giver.id, giver]));
  const candidates = new Map<string, ApproverCandidate & { grants: Decider['grants'][number][] }>();
  for (const grant of grants) {
    const held = candidates.get(grant.personId) ?? {
      personId: grant.personId,
      subject: grant.person.subject,
      displayName: grant.person.displayName,
      grants: [],
    };
    held.grants.push({
      effectiveAt: grant.effectiveAt ?? grant.grantedAt,
      givenBy: [grant.grantedById, grant.confirmedById].flatMap((id) => (id && byId.get(id)) || []),
    });
    candidates.set(grant.personId, held);
  }
  return [...candidates.values()];
}

/** The acting person as a decider, with the grants that count now. */
export async function readDecider(tx: Tx, person: PersonActor, now: Date): Promise<Decider> {
  const [candidate] = await listApprovers(tx, now, person.personId);
  return { subject: person.subject, grants: candidate?.grants ?? [] };
}

/** What was granted last to an agent, by an approved request other than the given one; null if nothing ever was. */
export async function findLastGranted(
  tx: Tx,
  agentId: string,
  exceptRequestId: string,
): Promise<{ requestId: string; number: number; decidedAt: Date | null; granted: Snapshot } | null> {
  const request = await tx.registrationRequest.findFirst({
    where: {
      agentId,
      state: 'approved',
      kind: { in: ['new', 'change'] },
      id: { not: exceptRequestId },
    },
    orderBy: { decidedAt: 'desc' },
    include: {
      votes: {
        where: { verdict: { in: ['approve', 'approve narrowed'] } },
        orderBy: [{ decidedAt: 'desc' }, { id: 'desc' }],
        take: 1,
      },
    },
  });
  const [vote] = request?.votes ?? [];
  if (!request || !vote?.granted) return null;
  return {
    requestId: request.id,
    number: request.number,
    decidedAt: request.decidedAt,
    granted: parseSnapshot(vote.granted),
  };
}

/** The digest of a request's current revision. */
export async function readSnapshotDigest(db: Tx, requestId: string): Promise<string> {
  const revision = await db.requestRevision.findFirst({
    where: { requestId },
    orderBy: { number: 'desc' },
    select: { snapshotDigest: true },
  });
  if (!revision) throw new NotFound();
  return revision.snapshotDigest;
}
