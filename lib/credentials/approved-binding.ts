import { enrolledAt } from '#lib/access/key-material.ts';
import { isSignedBy, signatureSchema } from '#lib/access/signatures.ts';
import { unusedApprovalSeconds } from '#lib/agents/activate-agent.ts';
import { statementText } from '#lib/agents/approval-statement.ts';
import { needsSignature, requiredApprovals } from '#lib/agents/risk.ts';
import { checkSubset, type Snapshot, snapshotDigestOf, snapshotSchema } from '#lib/agents/snapshot.ts';
import { type EventRow, insertEvents, toEventRow } from '#lib/audit/record.ts';
import { digestOfRow } from '#lib/audit/verify.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { canonicalJson } from '#lib/platform/canonical-json.ts';
import { addSeconds, clockSkewSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db, Tx } from '#lib/platform/db.ts';

/** What the votes behind a binding granted, as their signatures cover it: what the binding's row may say and no more. */
type Approval = {
  agentId: string;
  serverId: string;
  requestId: string;
  lifetimeSeconds: number;
  toolNames: ReadonlySet<string>;
  toolVersionIds: ReadonlySet<string>;
  constraints: string;
  /** Until when its clock may start and until when it may run, in milliseconds since the epoch. */
  unusedEndsAtMs: number;
  endsAtMs: number;
  /** Audience of its tokens, and what policies are told of its purpose; null where history does not say. */
  resource: string | null;
  purpose: { attended: boolean; dataClass: string } | null;
  /** The clients it activates, by instance; null where nobody signed for any. */
  clientOfInstance: ReadonlyMap<string, string> | null;
  proof: NonNullable<ApprovalProof>;
};

/** The binding's row as a standing read it. */
export type BindingRow = {
  id: string;
  agentId: string;
  serverId: string;
  requestId: string;
  lifetimeSeconds: number;
  grantedTools: readonly string[];
  toolVersionIds: readonly string[];
  constraints: unknown;
  unusedEndsAt: string;
  expiresAt: string | null;
  resource: string;
  purpose: { attended?: boolean; dataClass?: string } | null;
  /** Whether history says that it ended, whatever its row says. */
  isEndedInHistory: boolean;
  /** Who would use it: an instance of the agent, and its client. */
  instanceId: string;
  instanceState: string;
  clientId: string;
};

/**
 * How the approval behind a binding is known. `unsigned` covers reading and nothing else; null covers nothing.
 * `before signatures` is a row of that time as history knows it, which the database lets nobody make or widen.
 */
export type ApprovalProof = 'signed' | 'unsigned' | 'before signatures' | null;

type Known = { approval: Promise<Approval | null>; refusedAtMs: number | null };
const known = new WeakMap<Db, Map<string, Known>>();
const maxKnown = 10_000;
/** Something that does not hold is looked at again, but not for every try of a client that keeps trying. */
const refusedMs = 5_000;

/**
 * What tokens may be minted from this binding on: its approval is checked from the ground up at the first use in this
 * process (votes, their signatures, the keys behind them, all against the history) and remembered by the binding's id;
 * after that, and so on the warm path, the row is merely compared with what was signed.
 */
export async function proofOf(ctx: Pick<Ctx, 'db' | 'clock'>, row: BindingRow): Promise<ApprovalProof> {
  const approval = await recall(ctx, row);
  const misfit = approval === null ? 'approval does not hold' : misfitOf(row, approval);
  if (approval === null || misfit !== null) return distrust(ctx, row, misfit ?? 'approval does not hold');
  const { clientOfInstance, proof } = approval;
  const isListed = clientOfInstance === null || clientOfInstance.get(row.instanceId) === row.clientId;
  if (isListed || (await isLinked(ctx, row))) return proof;
  // One that still waits for its own approval beside those of its agent is nothing to wonder at.
  return row.instanceState === 'quarantined'
    ? null
    : distrust(ctx, row, 'client was neither approved nor linked');
}

const linked = new WeakMap<Db, Set<string>>();

/** Whether history knows that the owner linked this client to the agent after its approval; what it knew it keeps. */
async function isLinked({ db }: Pick<Ctx, 'db'>, row: BindingRow): Promise<boolean> {
  let remembered = linked.get(db);
  if (!remembered) {
    remembered = new Set();
    linked.set(db, remembered);
  }
  const name = `${row.agentId} ${row.instanceId} ${row.clientId}`;
  if (remembered.has(name)) return true;
  const events = await db.prisma.$queryRaw<{ event: EventRow }[]>`
    SELECT to_jsonb(e) - 'words' - 'arrival' AS event FROM audit_event e
     WHERE e.subject_id = ${row.instanceId} AND e.kind = 'client.link' AND e.outcome = 'done'
       AND e.agent_id = ${row.agentId} AND e.client_id = ${row.clientId}`;
  if (!events.some(({ event }) => digestOfRow(event) === event.digest)) return false;
  if (remembered.size >= maxKnown) remembered.clear();
  remembered.add(name);
  return true;
}

async function recall(ctx: Pick<Ctx, 'db' | 'clock'>, row: BindingRow): ReturnType<typeof readApproval> {
  let byId = known.get(ctx.db);
  if (!byId) {
    byId = new Map();
    known.set(ctx.db, byId);
  }
  const nowMs = ctx.clock.monotonicMs();
  const before = byId.get(row.id);
  if (before && (before.refusedAtMs === null || nowMs - before.refusedAtMs < refusedMs))
    return before.approval;
  const entry: Known = { approval: readApproval(ctx.db.prisma, row.id), refusedAtMs: null };
  byId.set(row.id, entry);
  if (byId.size > maxKnown) byId.delete(byId.keys().next().value as string);
  try {
    const approval = await entry.approval;
    if (approval === null) entry.refusedAtMs = nowMs;
    return approval;
  } catch (error) {
    // Not knowing is not refusing: the next one asks again.
    byId.delete(row.id);
    throw error;
  }
}

/** What the row says beyond what was signed; null when nothing. */
function misfitOf(row: BindingRow, approval: Approval): string | null {
  if (row.isEndedInHistory) return 'it ended, and its row says it did not';
  const isWithin =
    row.agentId === approval.agentId &&
    row.serverId === approval.serverId &&
    row.requestId === approval.requestId &&
    row.lifetimeSeconds <= approval.lifetimeSeconds &&
    row.grantedTools.every((name) => approval.toolNames.has(name)) &&
    row.toolVersionIds.every((id) => approval.toolVersionIds.has(id)) &&
    canonicalJson(row.constraints) === approval.constraints;
  if (!isWithin) return 'more than was approved';
  if (
    Date.parse(row.unusedEndsAt) > approval.unusedEndsAtMs ||
    (row.expiresAt !== null && Date.parse(row.expiresAt) > approval.endsAtMs)
  ) {
    return 'longer than was approved';
  }
  if (approval.resource !== null && row.resource !== approval.resource) return 'another resource';
  const { purpose } = approval;
  if (purpose === null) return null;
  const isPurpose = row.purpose?.attended === purpose.attended && row.purpose.dataClass === purpose.dataClass;
  return isPurpose ? null : 'another purpose';
}

/** When an approval has to have been used first, and when it is over however late it was; clocks may differ a little. */
function boundsOf(approvedAtMs: number, lifetimeSeconds: number) {
  const unusedEndsAtMs = approvedAtMs + (unusedApprovalSeconds + clockSkewSeconds) * 1000;
  return { unusedEndsAtMs, endsAtMs: unusedEndsAtMs + lifetimeSeconds * 1000 };
}

const noted = new WeakMap<Db, Set<string>>();

/** Tells the operator, once for each cause: somebody wrote this past the verbs, or the history was altered. */
async function distrust(ctx: Pick<Ctx, 'db' | 'clock'>, row: BindingRow, reason: string): Promise<null> {
  let before = noted.get(ctx.db);
  if (!before) {
    before = new Set();
    noted.set(ctx.db, before);
  }
  const name = `${row.id} ${reason}`;
  if (before.has(name)) return null;
  if (before.size >= maxKnown) before.clear();
  before.add(name);
  try {
    await noteDistrust(ctx, row, reason);
  } catch (error) {
    before.delete(name);
    throw error;
  }
  return null;
}

async function noteDistrust(ctx: Pick<Ctx, 'db' | 'clock'>, row: BindingRow, reason: string): Promise<void> {
  const event = toEventRow(
    { actor: systemActor('minter'), clock: ctx.clock, traceId: 'minter', address: null, userAgent: null },
    {
      kind: 'binding.distrust',
      subjectId: row.id,
      outcome: 'refused',
      agentId: row.agentId,
      clientId: row.clientId || null,
      serverId: row.serverId,
      requestRef: row.requestId,
      reason,
    },
  );
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([event])]);
}

/** Whether the minter will honour this binding's approval: for the transaction that creates it, its last vote written. */
export async function isApprovalHonoured(tx: Tx, bindingId: string): Promise<boolean> {
  return (await readApproval(tx, bindingId)) !== null;
}

/** The same of one vote that is not the last, and so stands behind no binding yet. */
export async function isVoteHonoured(tx: Tx, voteId: string, revision: number): Promise<boolean> {
  const vote = await tx.decisionVote.findUniqueOrThrow({ where: { id: voteId } });
  const event = (await readVoteEvents(tx, vote.requestId)).get(voteId);
  return event !== undefined && (await isSigned(tx, vote, event, vote.requestId, revision));
}

/** The approval of a binding, from the ground up; null when any of it does not hold. */
async function readApproval(prisma: Tx, bindingId: string): Promise<Approval | null> {
  const binding = await prisma.toolBinding.findUnique({ where: { id: bindingId } });
  if (!binding) return null;
  if (binding.proof !== 'votes') return readOldApproval(prisma, binding);
  const revision = await prisma.requestRevision.findUnique({ where: { id: binding.revisionId } });
  const request = await prisma.registrationRequest.findUnique({ where: { id: binding.requestId } });
  if (!revision || !request || revision.requestId !== request.id || request.state !== 'approved') return null;
  const asked = parse(revision.snapshot, revision.snapshotDigest);
  if (!asked) return null;
  const votes = await prisma.decisionVote.findMany({
    where: { revisionId: revision.id, verdict: { in: ['approve', 'approve narrowed'] } },
    orderBy: { id: 'asc' },
  });
  // The vote that says what the binding is for is known by what it granted, not by a clock.
  const final = votes.find((vote) => vote.grantedDigest === binding.grantedDigest);
  const granted = parse(final?.granted, binding.grantedDigest);
  if (!granted || granted.agent.id !== binding.agentId || !checkSubset(granted, asked).ok) return null;
  const needed = Math.max(request.requiredApprovals, requiredApprovals(asked));
  if (new Set(votes.map((vote) => vote.personId)).size < needed) return null;
  const involved = [request.ownerId, request.createdById, revision.authorId, granted.owner.personId];
  const events = await readVoteEvents(prisma, request.id);
  let signed = true;
  let lastVotedAtMs = 0;
  for (const vote of votes) {
    const theirs = parse(vote.granted, vote.grantedDigest);
    if (!theirs || !checkSubset(granted, theirs).ok || involved.includes(vote.personId)) return null;
    const event = events.get(vote.id);
    if (event?.actor_id !== vote.personId || event.data.grantedDigest !== vote.grantedDigest) return null;
    const isVoteSigned = await isSigned(prisma, vote, event, request.id, revision.number);
    if (needsSignature(theirs.tools) && !isVoteSigned) return null;
    signed &&= isVoteSigned;
    lastVotedAtMs = Math.max(lastVotedAtMs, Date.parse(event.at));
  }
  const tools = granted.tools.filter((tool) => tool.serverId === binding.serverId);
  const resources = new Set(tools.map((tool) => tool.resource));
  // Where it grants no tool, nothing can be minted for any resource.
  const [resource = null] = resources;
  if (resources.size > 1) return null;
  return {
    agentId: granted.agent.id,
    serverId: binding.serverId,
    requestId: request.id,
    lifetimeSeconds: granted.lifetimeSeconds,
    toolNames: new Set(tools.map((tool) => tool.name)),
    toolVersionIds: new Set(tools.map((tool) => tool.toolVersionId)),
    constraints: canonicalJson(
      Object.fromEntries(
        tools.filter((tool) => tool.constraints.length > 0).map((tool) => [tool.name, tool.constraints]),
      ),
    ),
    ...boundsOf(lastVotedAtMs, granted.lifetimeSeconds),
    resource,
    purpose: { attended: granted.purpose.attended, dataClass: granted.purpose.dataClass },
    clientOfInstance: new Map(
      granted.instances.map(({ instanceId, clientId: client }) => [instanceId, client]),
    ),
    proof: signed ? 'signed' : 'unsigned',
  };
}

/** What was approved before votes were signed counts as the event of its binding says, and not as its row does. */
async function readOldApproval(
  prisma: Tx,
  binding: {
    id: string;
    agentId: string;
    serverId: string;
    requestId: string;
    toolVersionIds: string[];
    constraints: unknown;
  },
): Promise<Approval | null> {
  const [row] = await prisma.$queryRaw<{ event: EventRow }[]>`
    SELECT to_jsonb(e) - 'words' - 'arrival' AS event FROM audit_event e
     WHERE e.subject_id = ${binding.id} AND e.kind = 'binding.create' ORDER BY e.at LIMIT 1`;
  if (!row || digestOfRow(row.event) !== row.event.digest) return null;
  const { agent_id, server_id, after } = row.event;
  if (agent_id !== binding.agentId || server_id !== binding.serverId || !after) return null;
  return {
    agentId: binding.agentId,
    serverId: binding.serverId,
    requestId: binding.requestId,
    lifetimeSeconds: Number(after.lifetimeSeconds),
    toolNames: new Set(after.tools as string[]),
    toolVersionIds: new Set(binding.toolVersionIds),
    constraints: canonicalJson(binding.constraints),
    ...boundsOf(Date.parse(row.event.at), Number(after.lifetimeSeconds)),
    resource: null,
    purpose: null,
    clientOfInstance: null,
    proof: 'before signatures',
  };
}

/** A stored snapshot whose digest is the stored one; null for anything else. */
function parse(value: unknown, digest: string | null): Snapshot | null {
  const parsed = snapshotSchema.safeParse(value);
  return parsed.success && snapshotDigestOf(parsed.data) === digest ? parsed.data : null;
}

/** Votes as history knows them, by the vote's id. An event whose columns do not have its digest is none. */
async function readVoteEvents(prisma: Tx, requestId: string): Promise<Map<string, EventRow>> {
  const rows = await prisma.$queryRaw<{ event: EventRow }[]>`
    SELECT to_jsonb(e) - 'words' - 'arrival' AS event FROM audit_event e
     WHERE e.request_ref = ${requestId} AND e.kind = 'request.vote' AND e.outcome = 'done'`;
  return new Map(
    rows
      .filter(({ event }) => digestOfRow(event) === event.digest)
      .map(({ event }) => [String(event.data.voteId), event]),
  );
}

async function isSigned(
  prisma: Tx,
  vote: {
    personId: string;
    keyId: string | null;
    signature: unknown;
    grantedDigest: string | null;
    decidedAt: Date;
  },
  event: EventRow,
  requestId: string,
  revision: number,
): Promise<boolean> {
  const signature = signatureSchema.safeParse(vote.signature);
  const key = vote.keyId ? await prisma.personKey.findUnique({ where: { id: vote.keyId } }) : null;
  if (!signature.success || !key || !vote.grantedDigest || key.personId !== vote.personId) return false;
  const enrolled = await enrolledAt(prisma, key);
  // Enrolment, vote and removal were noted by different processes, whose clocks may differ.
  if (!enrolled || enrolled > addSeconds(vote.decidedAt, clockSkewSeconds)) return false;
  if (key.endedAt && addSeconds(key.endedAt, clockSkewSeconds) < vote.decidedAt) return false;
  // What history says of its end counts, whatever became of the row.
  const ended = await prisma.auditEvent.findFirst({
    where: {
      kind: 'person_key.end',
      subjectId: key.id,
      at: { lt: addSeconds(vote.decidedAt, -clockSkewSeconds) },
    },
    select: { id: true },
  });
  if (ended) return false;
  const origin = acceptedOrigin(event, key);
  if (origin === null) return false;
  const { grantedDigest } = vote;
  const statement = statementText({ decision: 'approve', grantedDigest, requestId, revision });
  return isSignedBy({ ...key, origin }, statement, signature.data);
}

/** The console's origin when the vote was accepted, on the host the key is for; the one of its enrolment in older votes. */
function acceptedOrigin(event: EventRow, key: { rpId: string; origin: string }): string | null {
  const { origin } = event.data;
  if (origin === undefined) return key.origin;
  if (typeof origin !== 'string' || !URL.canParse(origin)) return null;
  return new URL(origin).hostname === key.rpId ? origin : null;
}
