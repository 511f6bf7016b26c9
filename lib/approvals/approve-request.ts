import { z } from 'zod';
import { notePasskeyRefusal } from '#lib/access/accept-passkey.ts';
import { relyingPartyOf } from '#lib/access/relying-party.ts';
import { type Signature, signatureSchema } from '#lib/access/signatures.ts';
import { type ActivatedBinding, activateAgent } from '#lib/agents/activate-agent.ts';
import { toAgentFacts } from '#lib/agents/agent-facts.ts';
import { reinstateAgent } from '#lib/agents/reinstate-agent.ts';
import { needsSignature, riskOf } from '#lib/agents/risk.ts';
import { type Snapshot, snapshotDigestOf } from '#lib/agents/snapshot.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { isApprovalHonoured, isVoteHonoured } from '#lib/credentials/approved-binding.ts';
import { prepareCode } from '#lib/credentials/authorization-codes.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden, PreconditionFailed, PreconditionRequired } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { applyPendingMetadata } from '#lib/registration/pending-metadata.ts';
import { approvalsOf, castVote, openDecision, requireCurrentDigest } from './decision.ts';
import { describeSeconds, diffSnapshots } from './diff.ts';
import { deriveGranted, narrowingFields } from './granted.ts';
import { requireSignature } from './signed-approval.ts';
import { findStaleFacts } from './stale-facts.ts';
import { type LoadedRequest, moveRequest, requireMove } from './store.ts';
import { requireNotDenied } from './submit-request.ts';
import { judgeProposal } from './verdict.ts';

export const approveRequestFields = {
  /** Names what was read. Without it nothing is decided. */
  snapshotDigest: z.string().max(128).optional(),
  ...narrowingFields,
  /** The approver's signature over the statement of `requests.beginApproval`; needed for anything but reading. */
  signature: signatureSchema.optional(),
  comment: z.string().trim().max(2000).default(''),
};
export const approveRequestInput = z.strictObject({
  requestId: z.string().max(64),
  ...approveRequestFields,
});

export type ApprovedRequest = {
  id: string;
  number: number;
  /** `submitted` while more approvals are needed. */
  state: 'approved' | 'submitted';
  votes: number;
  requiredApprovals: number;
  grantedDigest: string;
  narrowed: boolean;
  agentId: string;
  bindings: ActivatedBinding[];
};

/** How long the owner of a headless agent may come for the credential they carry, in seconds. */
const revealSeconds = 24 * 3600;

/**
 * Approves exactly what the named snapshot says, or less of it. One serialisable transaction holds the vote, the
 * decision, the activated instances and agent, its bindings, the codes of browsers that wait, and the events of all
 * of it: there is no moment at which one of them exists without the others.
 *
 * Granting anything but reading takes the approver's signature, which is stored with the vote and checked again by the
 * minter: what the database says is not enough to mint.
 *
 * The approver is the actor. Nobody involved in the request can be (403). A decision without a digest is refused
 * (428), one on other words (412), one on a decided or moved request (409); of two at once exactly one takes effect
 * and the other is told so. Narrowing derives a snapshot that is checked to be a subset; a later vote starts from what
 * earlier ones left, so it can narrow further and never widen.
 */
export async function approveRequest(
  ctx: Ctx,
  input: z.output<typeof approveRequestInput>,
): Promise<ApprovedRequest> {
  return withTransaction<ApprovedRequest>(ctx, async (tx) => {
    const { person, request } = await openDecision(tx, ctx, input.requestId);
    if (input.snapshotDigest === undefined || input.snapshotDigest === '') {
      throw new PreconditionRequired('Name the snapshotDigest of the review this decision was made on.', {
        requestId: request.id,
      });
    }
    requireMove(request, 'approve');
    await requireCurrentDigest(tx, request, input.snapshotDigest);

    const granted = deriveGranted(request, input);
    const grantedDigest = snapshotDigestOf(granted);
    requireWithinRights(person, granted, input.signature);
    await requireStillTrue(tx, granted);
    requireClockMovedOn(request, ctx.clock.now());
    requireNotDenied(await judge(tx, ctx, request, granted), granted.tools);
    await requireLivingOwner(tx, request);

    const signed = await requireSignature(tx, ctx, person, request, granted, input.signature);
    const narrowed = grantedDigest !== request.revision.snapshotDigest;
    const voteId = await castVote(tx, ctx, request, person, {
      verdict: narrowed ? 'approve narrowed' : 'approve',
      reason: input.comment,
      granted: { snapshot: granted, digest: grantedDigest },
      signed,
    });
    const voteEvent = await recordEvent(tx, ctx, {
      kind: 'request.vote',
      subjectId: request.id,
      agentId: request.agentId,
      requestRef: request.id,
      reason: input.comment,
      data: {
        voteId,
        verdict: narrowed ? 'approve narrowed' : 'approve',
        snapshotDigest: request.revision.snapshotDigest,
        grantedDigest,
        ...(signed ? { keyId: signed.keyId, signedBy: signed.signature.by } : {}),
        // What the signature was accepted for; the console may have another port or scheme by the time it is checked.
        ...(signed?.signature.by === 'passkey' ? { origin: relyingPartyOf(ctx.site).origin } : {}),
      },
    });
    const votes = approvalsOf(request).length + 1;
    const answer = {
      id: request.id,
      number: request.number,
      votes,
      requiredApprovals: request.requiredApprovals,
      grantedDigest,
      narrowed,
      agentId: request.agentId,
    };
    if (votes < request.requiredApprovals) {
      if (signed && !(await isVoteHonoured(tx, voteId, request.revision.number))) throw notHonoured();
      await moveRequest(tx, request, { state: 'submitted' });
      await notifyChange(tx, 'requests', request.id);
      return { ...answer, state: 'submitted', bindings: [] };
    }
    const bindings = await putIntoEffect(tx, ctx, {
      request,
      person,
      granted,
      grantedDigest,
      narrowed,
      voteEvent,
      comment: input.comment,
    });
    for (const binding of bindings) {
      if (!(await isApprovalHonoured(tx, binding.id))) throw notHonoured();
    }
    return { ...answer, state: 'approved', bindings };
  }).catch(async (error: unknown) => {
    await noteRefusedSignature(ctx, error);
    throw error;
  });
}

/** What is not honoured when tokens are minted is not approved in the first place. */
function notHonoured(): Conflict {
  return new Conflict(
    'No token could be minted from this approval: a vote or a key behind it does not hold, as when an earlier approver did not sign. Ask for changes, so that a new revision is voted on from the start; if that was refused too, enrol a new passkey.',
    { signature: 'not honoured' },
  );
}

/** Votes narrow one after the other; one that seemed to come before the last would not be known as the later. */
function requireClockMovedOn(request: LoadedRequest, now: Date): void {
  if (approvalsOf(request).every((vote) => vote.decidedAt <= now)) return;
  throw new Conflict(
    'By this machine’s clock, the approval before yours is still to come. Try again in a moment; if it stays so, have the clock checked.',
  );
}

/** The transaction is gone with what it wrote; that a passkey may have been copied is kept nevertheless. */
async function noteRefusedSignature(ctx: Ctx, error: unknown): Promise<void> {
  if (!(error instanceof Forbidden) || ctx.actor.kind !== 'person') return;
  const { refused, keyId } = error.detail;
  if (refused !== 'counted backwards' || typeof keyId !== 'string') return;
  await notePasskeyRefusal(ctx, { refused, keyId, personId: ctx.actor.personId });
}

/**
 * An API token is a secret in a file: alone it approves low risk that only reads. With a signature of its holder's own
 * key it is merely how the signature got here.
 */
function requireWithinRights(person: PersonActor, granted: Snapshot, signature: Signature | undefined): void {
  const risk = riskOf(granted.tools);
  if (person.via !== 'token' || signature?.by === 'command line') return;
  if (risk === 'low' && !needsSignature(granted.tools)) return;
  throw new Forbidden(
    `An API token alone approves only reading at low risk, and this is ${risk === 'low' ? 'more than reading' : `of ${risk} risk`}. Sign it with “countersign approve”, decide it in the browser, or leave the riskier tools out.`,
    { risk },
  );
}

/** Bytes, not names, are approved: a tool or client that changed since the snapshot is not what was read. */
async function requireStillTrue(tx: Tx, granted: Snapshot): Promise<void> {
  const stale = granted.kind === 'reinstate' ? [] : await findStaleFacts(tx, granted);
  if (stale.length === 0) return;
  throw new PreconditionFailed(
    `${stale.map((fact) => fact.text).join('. ')}. Leave it out, or ask the owner for a new revision.`,
    { stale },
  );
}

async function judge(tx: Tx, ctx: Ctx, request: LoadedRequest, granted: Snapshot) {
  return judgeProposal(
    {
      agentId: request.agentId,
      ownerId: request.ownerId,
      sourceId: (await toAgentFacts(tx, request.agentId)).source,
      clientClass: granted.agent.clientClass,
      purpose: granted.purpose,
      tools: granted.tools,
    },
    ctx.clock.now(),
  );
}

async function requireLivingOwner(tx: Tx, request: LoadedRequest): Promise<void> {
  const owner = await tx.person.findUnique({ where: { id: request.ownerId }, select: { state: true } });
  if (owner?.state !== 'active') {
    throw new Conflict('The owner has left, and nothing runs without one. Another owner has to ask.');
  }
}

type Effect = {
  request: LoadedRequest;
  person: PersonActor;
  granted: Snapshot;
  grantedDigest: string;
  narrowed: boolean;
  voteEvent: string;
  comment: string;
};

async function putIntoEffect(tx: Tx, ctx: Ctx, effect: Effect): Promise<ActivatedBinding[]> {
  const { request, person, granted, grantedDigest, narrowed } = effect;
  await moveRequest(tx, request, { state: 'approved', decidedAt: ctx.clock.now() });
  const parentEventId = await recordEvent(tx, ctx, {
    kind: 'request.approve',
    subjectId: request.id,
    agentId: request.agentId,
    requestRef: request.id,
    parentIds: [effect.voteEvent],
    reason: effect.comment,
    before: { state: request.state },
    after: {
      state: 'approved',
      revision: request.revision.number,
      snapshotDigest: request.revision.snapshotDigest,
      grantedDigest,
      lifetimeSeconds: granted.lifetimeSeconds,
      tools: granted.tools.map((tool) => `${tool.server}/${tool.name}`),
    },
    data: {
      narrowed,
      requiredApprovals: request.requiredApprovals,
      takenAway: diffSnapshots(request.revision.snapshot, granted).map((line) => line.label),
    },
  });
  const { agentId } = request;
  let bindings: ActivatedBinding[] = [];
  if (request.kind === 'reinstate') {
    await reinstateAgent(tx, ctx, { agentId, requestId: request.id, parentEventId });
  } else {
    await applyPendingMetadata(tx, ctx, granted.instances, { agentId, requestId: request.id, parentEventId });
    bindings = await activateAgent(tx, ctx, {
      agentId,
      requestId: request.id,
      revisionId: request.revision.id,
      granted,
      grantedDigest,
      parentEventId,
    });
    await mintForWaitingBrowsers(tx, ctx, request, granted, bindings, parentEventId);
    await openReveals(tx, ctx, request, granted);
  }
  await notify(tx, ctx, {
    personIds: [request.ownerId, request.createdById],
    kind: 'request.approve',
    title: `${request.label} was approved${narrowed ? ', narrowed' : ''}`,
    body: `${person.displayName} ${describeGrant(request, granted, narrowed)} ${nextStep(request, granted)}`,
    href: `/requests/${request.id}`,
  });
  await notifyChange(tx, 'requests', request.id);
  return bindings;
}

/** A browser that waits gets its code in this very transaction; the browser that claimed carries it to its client. */
async function mintForWaitingBrowsers(
  tx: Tx,
  ctx: Ctx,
  request: LoadedRequest,
  granted: Snapshot,
  bindings: readonly ActivatedBinding[],
  parentEventId: string,
): Promise<void> {
  const waiting = await tx.authorizationTransaction.findMany({
    where: { requestId: request.id, status: 'waiting', deadlineAt: { gt: ctx.clock.now() } },
  });
  if (waiting.length === 0) return;
  const agent = await tx.agent.findUniqueOrThrow({
    where: { id: request.agentId },
    select: { id: true, epoch: true },
  });
  const resources = new Set(
    granted.tools
      .filter((tool) => bindings.some((binding) => binding.serverId === tool.serverId))
      .map((tool) => tool.resource),
  );
  for (const transaction of waiting) {
    // Narrowed away from the server this sign-in is about: there is nothing to carry there.
    if (!resources.has(transaction.resource)) continue;
    await prepareCode(tx, ctx, transaction, agent, { parentIds: [parentEventId], requestRef: request.id });
    await tx.authorizationTransaction.updateMany({
      where: { id: transaction.id, status: 'waiting' },
      data: { status: 'ready' },
    });
  }
}

/** Headless clients without a key have nobody but their owner to carry the credential: a right to mint it once. */
async function openReveals(tx: Tx, ctx: Ctx, request: LoadedRequest, granted: Snapshot): Promise<void> {
  const carried =
    granted.agent.clientClass === 'headless service' &&
    granted.instances.every((instance) => instance.jwksThumbprints.length === 0);
  if (!carried) return;
  const now = ctx.clock.now();
  await tx.reveal.createMany({
    data: [...new Set(granted.tools.map((tool) => tool.serverId))].map((serverId) => ({
      id: newId('reveal'),
      agentId: request.agentId,
      serverId,
      ownerId: request.ownerId,
      requestId: request.id,
      createdAt: now,
      expiresAt: addSeconds(now, revealSeconds),
      mintedCredentialIds: [],
    })),
  });
}

function describeGrant(request: LoadedRequest, granted: Snapshot, narrowed: boolean): string {
  if (request.kind === 'reinstate') return 'let the agent work again.';
  const asked = request.revision.snapshot;
  if (!narrowed) {
    return `approved all ${granted.tools.length} tools for ${describeSeconds(granted.lifetimeSeconds)}.`;
  }
  return `approved ${granted.tools.length} of ${asked.tools.length} tools for ${describeSeconds(granted.lifetimeSeconds)}.`;
}

/** What the owner does now, by how the credential reaches the agent. */
function nextStep(request: LoadedRequest, granted: Snapshot): string {
  if (request.kind === 'reinstate') return 'Clients go on by themselves; nobody has to sign in again.';
  if (granted.agent.clientClass === 'interactive') {
    return 'If your client no longer waits, start its sign-in again. The time counts from its first token.';
  }
  return granted.instances.some((instance) => instance.jwksThumbprints.length > 0)
    ? 'The agent gets its tokens with its key from now on. The time counts from its first token.'
    : 'Open the agent within 24 hours to reveal its token. The time counts from its first token.';
}
