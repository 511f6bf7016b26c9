import { toAgentFacts } from '#lib/agents/agent-facts.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { deliverCode } from '#lib/credentials/authorization-codes.ts';
import { type Ctx, consoleUrl } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx } from '#lib/platform/db.ts';
import { Conflict } from '#lib/platform/errors.ts';
import { decide } from '#lib/policy/policies.ts';
import { decisionReason } from './decision-reason.ts';
import { stoppedCauses, type WaitingState, waitingState } from './waiting.ts';

/** The row of one wait, as it was read. */
export type WaitRow = {
  id: string;
  clientId: string;
  instanceId: string;
  requestId: string | null;
  redirectUri: string;
  resource: string;
  status: string;
  endCause: string | null;
  deadlineAt: Date;
};

/** What became of a wait: its code to carry, a sentence for its client, or nothing yet (or any more). */
export type Settled =
  | { kind: 'delivered'; code: string }
  | { kind: 'refused'; description: string; errorUri: string | null }
  | { kind: 'open'; state: WaitingState };

/** Where a wait stands now. */
export async function readWaitingState(tx: Tx, ctx: Ctx, wait: WaitRow): Promise<WaitingState> {
  return (await readAround(tx, ctx, wait)).state;
}

async function readAround(tx: Tx, ctx: Ctx, wait: WaitRow) {
  const instance = await tx.instance.findUniqueOrThrow({
    where: { id: wait.instanceId },
    include: { agent: true },
  });
  const request = wait.requestId
    ? await tx.registrationRequest.findUnique({ where: { id: wait.requestId } })
    : null;
  const state = waitingState({
    status: wait.status,
    endCause: wait.endCause,
    deadlineAt: wait.deadlineAt,
    requestState: request?.state ?? null,
    instanceState: instance.state,
    agentState: instance.agent?.state ?? null,
    now: ctx.clock.now(),
  });
  return { instance, request, state };
}

/**
 * Ends one wait for whoever may take what comes of it, which the caller has made sure of: the browser that claimed, or
 * the device. The wait itself, states, epoch and policy are read in this transaction: a wait read before it, with an
 * approval in between, would look like one the approval had left out. Of all that try exactly one gets the code, because
 * the status moves under the same condition for all. Throws `Conflict` for the others.
 */
export async function settleWait(
  tx: Tx,
  ctx: Ctx,
  transactionId: string,
  { isOwner }: { isOwner: boolean },
): Promise<Settled> {
  const row = await tx.authorizationTransaction.findUniqueOrThrow({ where: { id: transactionId } });
  const { instance, request, state } = await readAround(tx, ctx, row);
  const wait = { ...row, agentId: instance.agentId };
  const number = `CS-${request?.number}`;
  const link = row.requestId ? consoleUrl(ctx.site, `/requests/${row.requestId}`) : ctx.site.consoleOrigin;
  const refuse = (description: string) => end(tx, ctx, wait, description);
  switch (state) {
    case 'ready': {
      if (!isOwner || !instance.agent) return refuse('You are no longer an owner here.');
      const server = await tx.mcpServer.findUnique({ where: { resource: row.resource } });
      const refusal = await policyRefusal(tx, ctx, instance.agent.id, server?.id ?? null);
      if (refusal) return refuse(refusal);
      return goOn(tx, ctx, wait, { agentId: instance.agent.id, epoch: instance.agent.epoch });
    }
    case 'time is up':
      return refuse(`Request ${number} is waiting for approval: ${link} Sign in again once approved.`);
    case 'rejected': {
      const reason = request ? await decisionReason({ db: ctx.db }, request.id) : null;
      return refuse(`Request ${number} was rejected${reason ? `: ${reason}` : ''}. ${link}`);
    }
    case 'withdrawn':
      return refuse(`Request ${number} was withdrawn. ${link}`);
    case 'request expired':
      return refuse(`Request ${number} expired undecided. ${link}`);
    case 'approved elsewhere':
      return refuse(`Request ${number} was approved without this server. ${link}`);
    case 'stopped':
      return refuse(`This agent was stopped. ${link}`);
    default:
      return { kind: 'open', state };
  }
}

type Wait = WaitRow & { agentId: string | null };

async function goOn(
  tx: Tx,
  ctx: Ctx,
  wait: Wait,
  agent: { agentId: string; epoch: number },
): Promise<Settled> {
  const code = await tx.authorizationCode.findUnique({
    where: { transactionId: wait.id },
    select: { agentEpoch: true, codeDigest: true },
  });
  if (code?.agentEpoch !== agent.epoch) {
    return end(tx, ctx, wait, 'This agent was stopped after the approval. Ask for it again.');
  }
  const { count } = await tx.authorizationTransaction.updateMany({
    where: { id: wait.id, status: 'ready' },
    data: { status: 'continued', continuedAt: ctx.clock.now() },
  });
  if (count === 0) throw new Conflict('This sign-in has already gone on in another tab.');
  const delivered = await deliverCode(tx, ctx, wait.id);
  await recordEvent(tx, ctx, {
    kind: 'transaction.continue',
    subjectId: wait.id,
    clientId: wait.clientId,
    agentId: agent.agentId,
    requestRef: wait.requestId,
    data: { instanceId: wait.instanceId, redirectUri: wait.redirectUri, resource: wait.resource },
  });
  await notifyChange(tx, 'requests', wait.requestId ?? wait.id);
  return { kind: 'delivered', code: delivered.code };
}

async function end(tx: Tx, ctx: Ctx, wait: Wait, description: string): Promise<Settled> {
  const { count } = await tx.authorizationTransaction.updateMany({
    where: {
      id: wait.id,
      OR: [
        { status: { in: ['waiting', 'ready'] } },
        { status: 'ended', endCause: { in: [...stoppedCauses] } },
      ],
    },
    data: { status: 'ended', endCause: description.slice(0, 300) },
  });
  if (count === 0) throw new Conflict('This sign-in has already ended in another tab.');
  await recordEvent(tx, ctx, {
    kind: 'transaction.end',
    subjectId: wait.id,
    clientId: wait.clientId,
    agentId: wait.agentId,
    requestRef: wait.requestId,
    outcome: 'refused',
    reason: 'access_denied',
    data: { description, redirectUri: wait.redirectUri },
  });
  const errorUri = wait.requestId ? consoleUrl(ctx.site, `/requests/${wait.requestId}`) : null;
  return { kind: 'refused', description, errorUri };
}

/** Policy at the moment of issuing, for an agent that may no longer be what it was when approved. */
async function policyRefusal(
  tx: Tx,
  ctx: Ctx,
  agentId: string,
  serverId: string | null,
): Promise<string | null> {
  if (!serverId) return 'The server this sign-in is for is no longer in the catalogue.';
  const binding = await tx.toolBinding.findFirst({
    where: { agentId, serverId, endedAt: null },
    select: { toolVersionIds: true },
  });
  if (!binding) return 'The approval of these tools has ended. Ask for them again.';
  const agent = await toAgentFacts(tx, agentId);
  const versions = await tx.toolVersion.findMany({
    where: { id: { in: binding.toolVersionIds } },
    select: { class: true, risk: true, tool: { select: { name: true } } },
  });
  const decisions = versions.map((version) =>
    decide(
      'issue',
      {
        agent,
        tool: {
          serverId,
          name: version.tool.name,
          class: version.class as never,
          risk: version.risk as never,
        },
        bound: true,
        at: ctx.clock.now(),
      },
      serverId,
    ),
  );
  // A tool policy now refuses is left out of the token; only when it refuses all is there nothing to go on with.
  if (decisions.length === 0 || decisions.some((decision) => decision.outcome !== 'deny')) return null;
  return decisions[0]?.reasons[0]?.text ?? 'Policy does not permit this at the moment.';
}
