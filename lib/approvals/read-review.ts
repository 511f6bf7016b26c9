import { relyingPartyOf } from '#lib/access/relying-party.ts';
import { hasRole, requirePerson, requireRole } from '#lib/access/require.ts';
import type { Signature } from '#lib/access/signatures.ts';
import { parseSnapshot, type Snapshot, snapshotDigestOf } from '#lib/agents/snapshot.ts';
import { type EventKind, eventCatalogue } from '#lib/audit/catalogue.ts';
import { describeFact } from '#lib/evidence/describe.ts';
import { sortFacts } from '#lib/evidence/fact.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { diffSnapshots } from './diff.ts';
import { describeMissingApprover, readEligibility } from './eligible.ts';
import { toRows } from './read-requests.ts';
import { checkSeparation, describeConflict } from './separation.ts';
import { findStaleFacts } from './stale-facts.ts';
import { isRequestOpen, type RequestState } from './states.ts';
import {
  type Ambient,
  findLastGranted,
  type LoadedRequest,
  loadVisible,
  readDecider,
  readInvolvement,
  requestLabel,
  toAmbient,
} from './store.ts';
import { summarize, summaryText } from './summary.ts';
import type { Verdict } from './verdict.ts';
import type { RequestDetail, Review, ToolLineView } from './views.ts';

/**
 * Everything a reviewer decides on, in one read: summary, verdict, origin, purpose, tools with their definitions, the
 * difference to what was approved last, earlier requests, comments, votes, and why the reader may not decide if so.
 * A decision sends `snapshotDigest` back.
 */
export async function readReview(ctx: Ctx, requestId: string): Promise<Review> {
  const person = requireRole(ctx, 'approver', 'auditor', 'admin');
  const db = ctx.db.prisma;
  const request = await loadVisible(db, ctx, requestId);
  const { revision } = request;
  const { snapshot } = revision;
  const ambient = toAmbient(revision.ambient);
  const last = await findLastGranted(db, request.agentId, request.id);
  const difference = diffSnapshots(last?.granted ?? null, snapshot);
  const summaryParts = summarize(snapshot, difference, last !== null);
  const [row] = await toRows(db, ctx, [request]);
  if (!row) throw new TypeError('a loaded request has no row');
  const granted = finalGrant(request);
  const proposed = granted ?? snapshot;
  const { eligible, excluded } = await readEligibility(db, ctx, request);
  const separation = hasRole(ctx.actor, 'approver')
    ? checkSeparation(await readDecider(db, person, ctx.clock.now()), await readInvolvement(db, request))
    : null;
  return {
    ...row,
    snapshotDigest: revision.snapshotDigest,
    snapshot,
    summary: summaryText(summaryParts),
    summaryParts,
    verdict: ambient.verdict,
    evidence: await readEvidence(db, revision.id),
    toolLines: await readToolLines(db, snapshot, last?.granted ?? null, ambient),
    proposed: {
      lifetimeSeconds: proposed.lifetimeSeconds,
      tools: proposed.tools.map(({ toolId, constraints }) => ({ toolId, constraints })),
    },
    difference,
    lastApproval: last && {
      requestId: last.requestId,
      label: requestLabel(last.number),
      decidedAt: last.decidedAt?.toISOString() ?? null,
    },
    lineage: await readLineage(db, request),
    ambient: {
      ownerAgents: ambient.ownerAgents,
      earlierRequests: ambient.earlierRequests,
      refusedBefore: ambient.refusedBefore,
    },
    stale: isRequestOpen(request.state) ? await findStaleFacts(db, snapshot) : [],
    votesCast: await readVotes(db, request),
    comments: await readComments(db, request.id),
    history: await readHistory(db, request.id),
    approvers: eligible,
    missingApprover:
      request.state === 'submitted' && eligible.length === 0
        ? describeMissingApprover(excluded.length)
        : null,
    cannotDecide:
      separation === null ? noRoleSentence : separation.ok ? null : describeConflict(separation.error),
    signsWith: await readSigning(ctx, person.personId),
    decision: await readDecision(db, request),
    grantedDigest: request.state === 'approved' ? (lastApproval(request)?.grantedDigest ?? null) : null,
    grantedLifetimeSeconds: request.state === 'approved' ? (granted?.lifetimeSeconds ?? null) : null,
    grantedTools: request.state === 'approved' ? (granted?.tools.map((tool) => tool.toolId) ?? null) : null,
  };
}

/** With a passkey made for this console; the demo keeps a key for whoever has none. */
async function readSigning(ctx: Ctx, personId: string): Promise<Review['signsWith']> {
  const { rpId } = relyingPartyOf(ctx.site);
  const keys = await ctx.db.prisma.personKey.findMany({
    where: { personId, endedAt: null },
    select: { kind: true, rpId: true },
  });
  if (keys.some((key) => key.kind === 'passkey' && key.rpId === rpId)) return 'passkey';
  return ctx.site.demo && keys.length > 0 ? 'demo' : null;
}

const noRoleSentence = 'Deciding needs the role approver. An admin can grant it under People.';

/** One request as its owner follows it: what was asked, what was decided, what to do next. */
export async function readRequest(ctx: Ctx, requestId: string): Promise<RequestDetail> {
  const person = requirePerson(ctx);
  const db = ctx.db.prisma;
  const request = await loadVisible(db, ctx, requestId);
  const { snapshot } = request.revision;
  const ambient = toAmbient(request.revision.ambient);
  const last = await findLastGranted(db, request.agentId, request.id);
  const summaryParts = summarize(snapshot, diffSnapshots(last?.granted ?? null, snapshot), last !== null);
  const [row] = await toRows(db, ctx, [request]);
  if (!row) throw new TypeError('a loaded request has no row');
  const decided = request.state === 'approved';
  const granted = decided ? finalGrant(request) : null;
  const { eligible, excluded } = await readEligibility(db, ctx, request);
  const isOwn = person.personId === request.ownerId || person.personId === request.createdById;
  const mayAct = isOwn && hasRole(ctx.actor, 'owner');
  const open = isRequestOpen(request.state);
  const createdBy = await db.person.findUnique({
    where: { id: request.createdById },
    select: { id: true, displayName: true },
  });
  const previous = request.previousRequestId
    ? await db.registrationRequest.findUnique({
        where: { id: request.previousRequestId },
        select: { id: true, number: true, state: true },
      })
    : null;
  const grantedTools = new Map(granted?.tools.map((tool) => [tool.toolId, tool]) ?? []);
  const sentBack = request.votes.some(
    (vote) => vote.revisionId === request.revision.id && vote.verdict === 'request changes',
  );
  const askAgainHref = mayAct ? hrefToAskAgain(request, granted) : null;
  return {
    ...row,
    summary: summaryText(summaryParts),
    summaryParts,
    snapshotDigest: request.revision.snapshotDigest,
    purpose: snapshot.purpose,
    deputy: snapshot.deputy && {
      personId: snapshot.deputy.personId,
      displayName: snapshot.deputy.displayName,
    },
    createdBy: { personId: request.createdById, displayName: createdBy?.displayName ?? '' },
    tools: snapshot.tools.map((tool) => ({
      toolId: tool.toolId,
      serverId: tool.serverId,
      server: tool.server,
      name: tool.name,
      class: tool.class,
      risk: tool.risk,
      constraints: tool.constraints,
      justification: tool.justification,
      toolSetVersionId: tool.toolSetVersionId,
      granted: granted ? grantedTools.has(tool.toolId) : null,
      grantedConstraints: grantedTools.get(tool.toolId)?.constraints ?? [],
    })),
    grantedLifetimeSeconds: granted?.lifetimeSeconds ?? null,
    grantedDigest: decided ? (lastApproval(request)?.grantedDigest ?? null) : null,
    agentState: request.agent.state,
    decision: await readDecision(db, request),
    votesCast: await readVotes(db, request),
    nextStep: nextStepFor(
      request,
      granted,
      eligible.map((approver) => approver.displayName),
      sentBack,
    ),
    enough: request.state === 'rejected' ? differentEnough(request, ambient.verdict) : [],
    askAgainHref,
    approvers: eligible,
    missingApprover:
      request.state === 'submitted' && eligible.length === 0
        ? describeMissingApprover(excluded.length)
        : null,
    comments: await readComments(db, request.id),
    history: await readHistory(db, request.id),
    previousRequest: previous && {
      id: previous.id,
      label: requestLabel(previous.number),
      state: previous.state as RequestState,
    },
    verdict: ambient.verdict,
    can: {
      edit: mayAct && open && request.kind !== 'reinstate',
      submit: mayAct && (request.state === 'draft' || (request.state === 'changes requested' && !sentBack)),
      withdraw: mayAct && open,
      comment: hasRole(ctx.actor, 'owner', 'approver', 'admin'),
      askAgain: askAgainHref !== null,
    },
  };
}

/** The last approving vote: what it grants is what holds. */
function lastApproval(request: LoadedRequest) {
  return request.votes
    .filter((vote) => vote.revisionId === request.revision.id && vote.verdict.startsWith('approve'))
    .at(-1);
}

function finalGrant(request: LoadedRequest): Snapshot | null {
  const vote = lastApproval(request);
  return vote?.granted ? parseSnapshot(vote.granted) : null;
}

/**
 * Where the same words can be asked again: of an agent that works, as a change of it (what was taken away, what was
 * withdrawn); of one that never did, with its client, unless that one registers itself.
 */
function hrefToAskAgain(request: LoadedRequest, granted: Snapshot | null): string | null {
  const { snapshot } = request.revision;
  if (request.kind === 'reinstate') return null;
  const tookAway = granted !== null && snapshotDigestOf(granted) !== request.revision.snapshotDigest;
  const endedWithout = ['rejected', 'withdrawn', 'expired'].includes(request.state);
  if (!tookAway && !endedWithout) return null;
  if (request.kind === 'change' || tookAway) {
    return request.agent.state === 'active'
      ? `/requests/new?agent=${request.agentId}&from=${request.id}`
      : null;
  }
  return snapshot.instances.every((instance) => instance.kind !== 'dynamic')
    ? `/requests/new?from=${request.id}`
    : null;
}

/** What would make a refused request another one: what policy said against it, and what weighs on a reviewer. */
function differentEnough(request: LoadedRequest, verdict: Verdict): string[] {
  const { snapshot } = request.revision;
  const remedies = verdict.tools
    .filter((tool) => tool.outcome === 'deny')
    .flatMap((tool) => tool.reasons.flatMap(({ remedy }) => (remedy ? `${tool.name}: ${remedy}` : [])));
  const risky = snapshot.tools.filter((tool) => tool.risk !== 'low').map((tool) => tool.name);
  const list = new Intl.ListFormat('en');
  return [
    'Answer the reason above in the new request: the same words again will be refused again.',
    ...remedies,
    ...(risky.length > 0 && risky.length < snapshot.tools.length
      ? [`Without ${list.format(risky.slice(0, 5))} it would be a request of low risk.`]
      : []),
    ...(snapshot.purpose.attended ? [] : ['A person who attends the agent makes it a different request.']),
    ...(snapshot.lifetimeSeconds > 86_400
      ? ['A shorter time can be extended later, by a change that shows how it went.']
      : []),
  ];
}

function nextStepFor(
  request: LoadedRequest,
  granted: Snapshot | null,
  approvers: readonly string[],
  sentBack: boolean,
): string {
  const { snapshot } = request.revision;
  const interactive = snapshot.agent.clientClass === 'interactive';
  switch (request.state) {
    case 'draft':
      return 'Submit it when it is complete. Until then nobody else acts on it.';
    case 'submitted':
      return approvers.length > 0
        ? `${new Intl.ListFormat('en', { type: 'disjunction' }).format(approvers)} can decide it. They have been told.`
        : 'Nobody can decide it yet.';
    case 'changes requested':
      return sentBack
        ? 'Answer the approver: edit the request, then submit it again.'
        : 'Submit the changed request.';
    case 'approved':
      if (request.kind === 'reinstate') return 'The agent works again. Nobody has to sign in anew.';
      if (interactive) return 'If your client no longer waits, start its sign-in again: it goes straight on.';
      return granted?.instances.some((instance) => instance.jwksThumbprints.length > 0)
        ? 'The agent gets its tokens with its key from now on.'
        : 'Open the agent within 24 hours of the approval to reveal its token.';
    default:
      return snapshot.instances.some((instance) => instance.kind === 'dynamic')
        ? 'To ask again, start the sign-in from your client: the form opens in your browser.'
        : 'You can ask again with a new request.';
  }
}

async function readDecision(db: Tx, request: LoadedRequest): Promise<RequestDetail['decision']> {
  const deciding = request.votes.filter(
    (vote) =>
      vote.revisionId === request.revision.id &&
      (request.state === 'approved'
        ? vote.verdict.startsWith('approve')
        : request.state === 'rejected'
          ? vote.verdict === 'reject'
          : request.state === 'changes requested' && vote.verdict === 'request changes'),
  );
  const vote = deciding.at(-1);
  if (!vote) return null;
  const names = await readNames(
    db,
    deciding.map((each) => each.personId),
  );
  return {
    by: deciding.map((each) => ({ personId: each.personId, displayName: names.get(each.personId) ?? '' })),
    verdict: vote.verdict,
    reason: vote.reason,
    at: vote.decidedAt.toISOString(),
  };
}

async function readVotes(db: Tx, request: LoadedRequest): Promise<RequestDetail['votesCast']> {
  const names = await readNames(
    db,
    request.votes.map((vote) => vote.personId),
  );
  const revisions = await db.requestRevision.findMany({
    where: { requestId: request.id },
    select: { id: true, number: true },
  });
  return request.votes.map((vote) => ({
    voter: { personId: vote.personId, displayName: names.get(vote.personId) ?? '' },
    verdict: vote.verdict as RequestDetail['votesCast'][number]['verdict'],
    reason: vote.reason,
    signedWith: (vote.signature as Signature | null)?.by ?? null,
    decidedAt: vote.decidedAt.toISOString(),
    revision: revisions.find((revision) => revision.id === vote.revisionId)?.number ?? 0,
    current: vote.revisionId === request.revision.id,
  }));
}

async function readComments(db: Tx, requestId: string): Promise<RequestDetail['comments']> {
  const comments = await db.requestComment.findMany({
    where: { requestId },
    orderBy: { createdAt: 'asc' },
    take: 500,
  });
  const names = await readNames(
    db,
    comments.map((comment) => comment.personId),
  );
  return comments.map((comment) => ({
    id: comment.id,
    author: { personId: comment.personId, displayName: names.get(comment.personId) ?? '' },
    text: comment.text,
    createdAt: comment.createdAt.toISOString(),
  }));
}

async function readNames(db: Tx, ids: readonly string[]): Promise<Map<string, string>> {
  const people = await db.person.findMany({
    where: { id: { in: [...new Set(ids)] } },
    select: { id: true, displayName: true },
  });
  return new Map(people.map((person) => [person.id, person.displayName]));
}

/** The kinds of events that tell a request's story; comments and votes are shown by themselves, tokens by the agent. */
const tellingKinds: readonly EventKind[] = [
  'request.create',
  'request.edit',
  'request.submit',
  'request.request_changes',
  'request.approve',
  'request.reject',
  'request.withdraw',
  'request.expire',
  'agent.activate',
  'agent.reinstate',
  'agent.expire',
  'binding.create',
  'binding.end',
  'client.claim',
];

/** What history says about this request, oldest first. */
async function readHistory(db: Tx, requestId: string): Promise<RequestDetail['history']> {
  const events = await db.auditEvent.findMany({
    where: {
      requestRef: requestId,
      kind: { in: [...tellingKinds] },
    },
    orderBy: { id: 'asc' },
    take: 200,
    select: { id: true, at: true, kind: true, actorName: true, reason: true, data: true },
  });
  return events.map((event) => {
    const { changes } = (event.data ?? {}) as { changes?: RequestDetail['history'][number]['changes'] };
    return {
      id: event.id,
      at: event.at.toISOString(),
      kind: event.kind,
      says: eventCatalogue[event.kind as EventKind]?.says ?? event.kind,
      actorName: event.actorName,
      reason: event.reason,
      changes: (changes ?? []).map(({ label, effect, before, after }) => ({ label, effect, before, after })),
    };
  });
}

async function readEvidence(db: Tx, revisionId: string): Promise<Review['evidence']> {
  const facts = await db.evidence.findMany({ where: { revisionId }, orderBy: { id: 'asc' } });
  return sortFacts(facts).map((fact) => ({
    kind: fact.kind,
    status: fact.status as Review['evidence'][number]['status'],
    ...describeFact(fact),
    method: fact.method,
    establishedAt: fact.establishedAt.toISOString(),
    proofDigest: fact.proofDigest,
  }));
}

/** Other requests about the same agent, and those this one follows, newest first. */
async function readLineage(db: Tx, request: LoadedRequest): Promise<Review['lineage']> {
  const ids = new Set<string>();
  let previous = request.previousRequestId;
  for (let step = 0; previous && step < 20; step++) {
    ids.add(previous);
    const row: { previousRequestId: string | null } | null = await db.registrationRequest.findUnique({
      where: { id: previous },
      select: { previousRequestId: true },
    });
    previous = row?.previousRequestId ?? null;
  }
  const rows = await db.registrationRequest.findMany({
    where: { OR: [{ agentId: request.agentId }, { id: { in: [...ids] } }], NOT: { id: request.id } },
    orderBy: { id: 'desc' },
    take: 50,
    select: { id: true, number: true, kind: true, state: true, decidedAt: true, createdAt: true },
  });
  return rows.map((row) => ({
    id: row.id,
    label: requestLabel(row.number),
    kind: row.kind,
    state: row.state as RequestState,
    decidedAt: row.decidedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
  }));
}

/** The tools asked for with the very definitions the snapshot names, changed ones first. */
async function readToolLines(
  db: Tx,
  snapshot: Snapshot,
  lastGranted: Snapshot | null,
  ambient: Ambient,
): Promise<ToolLineView[]> {
  const before = new Map(lastGranted?.tools.map((tool) => [tool.toolId, tool]) ?? []);
  const versions = await db.toolVersion.findMany({
    where: {
      id: {
        in: [
          ...snapshot.tools.map((tool) => tool.toolVersionId),
          ...[...before.values()].map((tool) => tool.toolVersionId),
        ],
      },
    },
  });
  const byId = new Map(versions.map((version) => [version.id, version]));
  const lines = snapshot.tools.map((tool): ToolLineView => {
    const version = byId.get(tool.toolVersionId);
    const earlier = before.get(tool.toolId);
    const earlierVersion = earlier ? byId.get(earlier.toolVersionId) : undefined;
    const redefined = earlier !== undefined && earlier.definitionDigest !== tool.definitionDigest;
    const verdict = ambient.verdict.tools.find((each) => each.toolId === tool.toolId);
    return {
      toolId: tool.toolId,
      serverId: tool.serverId,
      server: tool.server,
      name: tool.name,
      class: tool.class,
      risk: tool.risk,
      version: tool.version,
      definitionDigest: tool.definitionDigest,
      constraints: tool.constraints,
      justification: tool.justification,
      title: version?.title ?? null,
      description: version?.description ?? '',
      inputSchema: version?.inputSchema ?? null,
      hints: (version?.annotations ?? {}) as Record<string, unknown>,
      classReason: version?.proposedReason ?? '',
      classConfirmed: version?.confirmedAt != null,
      holders: ambient.holders[tool.toolId] ?? 0,
      previous:
        redefined && earlierVersion
          ? {
              version: earlierVersion.version,
              description: earlierVersion.description,
              inputSchema: earlierVersion.inputSchema,
            }
          : null,
      change: !lastGranted || earlier ? (redefined ? 'changed' : lastGranted ? 'same' : 'added') : 'added',
      verdict: { outcome: verdict?.outcome ?? 'needs_review', reasons: verdict?.reasons ?? [] },
    };
  });
  const rank = { added: 0, changed: 0, same: 1 };
  const risk = { high: 0, medium: 1, low: 2 };
  return lines.sort((a, b) => rank[a.change] - rank[b.change] || risk[a.risk] - risk[b.risk]);
}
