import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { toAgentFacts } from '#lib/agents/agent-facts.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Invalid } from '#lib/platform/errors.ts';
import { describeMissingApprover, readEligibility } from './eligible.ts';
import { requireOwnRequest } from './own-request.ts';
import { findStaleFacts } from './stale-facts.ts';
import { quarantineRequestSeconds, standingRequestSeconds } from './states.ts';
import { type LoadedRequest, loadVisible, moveRequest, requireMove } from './store.ts';
import { judgeProposal, type Verdict } from './verdict.ts';

export const submitRequestInput = z.strictObject({ requestId: z.string().max(64) });

export type SubmittedRequest = {
  id: string;
  number: number;
  state: 'submitted';
  snapshotDigest: string;
  verdict: Verdict;
  /** Who can decide it; empty when somebody has to be made an approver first. */
  approvers: string[];
};

/**
 * Puts an owner's request before the approvers. What policy refuses outright is not worth their time: it comes back
 * with the reason and the remedy per tool. So does a draft whose tools were redefined meanwhile, because the person
 * who submits answers for what it says now.
 */
export async function submitRequest(
  ctx: Ctx,
  input: z.output<typeof submitRequestInput>,
): Promise<SubmittedRequest> {
  requireRole(ctx, 'owner');
  return withTransaction(ctx, async (tx) => {
    const request = await loadVisible(tx, ctx, input.requestId, { lock: true });
    requireOwnRequest(ctx, request);
    return submitInTransaction(tx, ctx, request);
  });
}

/** The same, for verbs that write the request in their own transaction. Rights were checked there. */
export async function submitInTransaction(
  tx: Tx,
  ctx: Ctx,
  request: LoadedRequest,
): Promise<SubmittedRequest> {
  const now = ctx.clock.now();
  const state = requireMove(request, 'submit');
  await requireAgentFor(tx, request);
  const { snapshot } = request.revision;
  const stale = await findStaleFacts(tx, snapshot);
  if (stale.length > 0 && request.kind !== 'reinstate') {
    throw new Conflict(
      `${stale.map((fact) => fact.text).join('. ')}. Save the request again to take this over, then submit.`,
      { stale },
    );
  }
  const verdict = judgeProposal(
    {
      agentId: snapshot.agent.id,
      ownerId: snapshot.owner.personId,
      sourceId: (await toAgentFacts(tx, request.agentId)).source,
      clientClass: snapshot.agent.clientClass,
      purpose: snapshot.purpose,
      tools: snapshot.tools,
    },
    now,
  );
  requireNotDenied(verdict, snapshot.tools);

  const expiresAt = await expiryOf(tx, request, now);
  await moveRequest(tx, request, { state, submittedAt: now, expiresAt });
  await recordEvent(tx, ctx, {
    kind: 'request.submit',
    subjectId: request.id,
    agentId: request.agentId,
    requestRef: request.id,
    before: { state: request.state },
    after: { state, revision: request.revision.number, snapshotDigest: request.revision.snapshotDigest },
    data: { verdict: verdict.outcome, policyVersion: verdict.policyVersion, risk: request.risk },
  });

  const submitted = { ...request, state, submittedAt: now };
  const { eligible, excluded } = await readEligibility(tx, ctx, submitted);
  const title = `${request.label}: ${snapshot.owner.displayName} asks for ${snapshot.agent.name}`;
  if (eligible.length > 0) {
    await notify(tx, ctx, {
      personIds: eligible.map((approver) => approver.personId),
      kind: 'request.submit',
      title,
      body: `${snapshot.tools.length} tools, ${request.risk} risk. It expires unless it is decided by ${expiresAt.toISOString()}.`,
      href: `/review/${request.id}`,
    });
  } else {
    const admins = await tx.roleGrant.findMany({
      where: { role: 'admin', endedAt: null, effectiveAt: { lte: now } },
      select: { personId: true },
    });
    await notify(tx, ctx, {
      personIds: admins.map((admin) => admin.personId),
      kind: 'request.submit',
      title: `${request.label}: nobody can decide it`,
      body: describeMissingApprover(excluded.length),
      href: `/requests/${request.id}`,
    });
  }
  await notifyChange(tx, 'requests', request.id);
  return {
    id: request.id,
    number: request.number,
    state: 'submitted',
    snapshotDigest: request.revision.snapshotDigest,
    verdict,
    approvers: eligible.map((approver) => approver.displayName),
  };
}

/** A denial by policy, as issues on the tools it concerns. */
export function requireNotDenied(verdict: Verdict, tools: readonly { toolId: string; name: string }[]): void {
  const denied = verdict.tools.filter((tool) => tool.outcome === 'deny');
  if (denied.length === 0) return;
  const issues = denied.map((tool) => ({
    path: `tools.${tools.findIndex((each) => each.toolId === tool.toolId)}`,
    tool: tool.name,
    message: tool.reasons.map((reason) => [reason.text, reason.remedy].filter(Boolean).join(' ')).join(' '),
  }));
  throw new Invalid(`Policy refuses ${denied.map((tool) => tool.name).join(', ')}: ${issues[0]?.message}`, {
    issues,
    policyVersion: verdict.policyVersion,
  });
}

/** A change needs an agent that works, a reinstatement one that is suspended, a first request one that is pending. */
async function requireAgentFor(tx: Tx, request: LoadedRequest): Promise<void> {
  const wanted = { new: 'pending', change: 'active', reinstate: 'suspended' }[request.kind];
  if (request.agent.state !== wanted) {
    throw new Conflict(`The agent is ${request.agent.state}; this request needs it ${wanted}.`, {
      agentState: request.agent.state,
    });
  }
  const owner = await tx.person.findUnique({ where: { id: request.ownerId }, select: { state: true } });
  if (owner?.state !== 'active')
    throw new Conflict('The owner has left. The agent needs another owner first.');
}

/** A quarantine ends within its day, submitted or not, and nothing about it is decided after that. */
async function expiryOf(tx: Tx, request: LoadedRequest, now: Date): Promise<Date> {
  if (request.kind !== 'new') return addSeconds(now, standingRequestSeconds);
  const instances = await tx.instance.findMany({
    where: { id: { in: request.revision.instanceIds }, state: 'quarantined' },
    select: { quarantineEndsAt: true },
  });
  const ends = instances.flatMap(({ quarantineEndsAt }) => quarantineEndsAt?.getTime() ?? []);
  return new Date(Math.min(addSeconds(now, quarantineRequestSeconds).getTime(), ...ends));
}
