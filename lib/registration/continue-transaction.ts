import { z } from 'zod';
import { hasRole, requireSession } from '#lib/access/require.ts';
import { toAgentFacts } from '#lib/agents/agent-facts.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { deliverCode } from '#lib/credentials/authorization-codes.ts';
import { toCodeRedirect, toErrorRedirect } from '#lib/oauth/authorization-response.ts';
import { type Ctx, consoleUrl } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import { decide } from '#lib/policy/policies.ts';
import { decisionReason } from './decision-reason.ts';
import { stoppedCauses, type WaitingState, waitingState } from './waiting.ts';

export const continueTransactionInput = z.strictObject({ transactionId: z.string().max(64) });

/** Where the browser goes now; null when there is nowhere to go and the waiting room says why. */
export type Continuation = { location: string | null; state: WaitingState };

/**
 * Ends one wait: with a code when it was approved while the client listens, with access_denied and a sentence the
 * client will print when it was refused or nobody decided in time, and with nothing when the client has stopped
 * listening (a code sent to a dead port could be read by whoever opens it next).
 *
 * Only the claiming session of the claiming person goes on; role, session, states, epoch and policy are read again;
 * of all tabs exactly one gets the code, because the status moves under the same condition for all.
 */
export async function continueTransaction(
  ctx: Ctx,
  input: z.output<typeof continueTransactionInput>,
): Promise<Continuation> {
  const person = requireSession(ctx);
  return withTransaction(ctx, async (tx) => {
    const transaction = await tx.authorizationTransaction.findUnique({ where: { id: input.transactionId } });
    if (!transaction || transaction.personId !== person.personId) throw new NotFound();
    const instance = await tx.instance.findUniqueOrThrow({
      where: { id: transaction.instanceId },
      include: { agent: true },
    });
    const request = transaction.requestId
      ? await tx.registrationRequest.findUnique({ where: { id: transaction.requestId } })
      : null;
    const state = waitingState({
      status: transaction.status,
      endCause: transaction.endCause,
      deadlineAt: transaction.deadlineAt,
      requestState: request?.state ?? null,
      instanceState: instance.state,
      agentState: instance.agent?.state ?? null,
      now: ctx.clock.now(),
    });
    if (transaction.sessionId !== person.sessionId) return { location: null, state };
    const wait = { ...transaction, agentId: instance.agentId, requestNumber: request?.number ?? null };
    switch (state) {
      case 'ready': {
        if (!hasRole(person, 'owner') || !instance.agent)
          return end(tx, ctx, wait, 'You are no longer an owner here.');
        const server = await tx.mcpServer.findUnique({ where: { resource: transaction.resource } });
        const refusal = await policyRefusal(tx, ctx, instance.agent.id, server?.id ?? null);
        if (refusal) return end(tx, ctx, wait, refusal);
        return goOn(tx, ctx, wait, { agentId: instance.agent.id, epoch: instance.agent.epoch });
      }
      case 'time is up':
        return end(tx, ctx, wait, pendingSentence(ctx, wait));
      case 'rejected': {
        const reason = request ? await decisionReason({ db: ctx.db }, request.id) : null;
        return end(
          tx,
          ctx,
          wait,
          `Request CS-${request?.number} was rejected${reason ? `: ${reason}` : ''}. ${requestLink(ctx, wait)}`,
        );
      }
      case 'withdrawn':
        return end(tx, ctx, wait, `Request CS-${request?.number} was withdrawn. ${requestLink(ctx, wait)}`);
      case 'request expired':
        return end(
          tx,
          ctx,
          wait,
          `Request CS-${request?.number} expired undecided. ${requestLink(ctx, wait)}`,
        );
      case 'approved elsewhere':
        return end(
          tx,
          ctx,
          wait,
          `Request CS-${request?.number} was approved without this server. ${requestLink(ctx, wait)}`,
        );
      case 'stopped':
        return end(tx, ctx, wait, `This agent was stopped. ${requestLink(ctx, wait)}`);
      default:
        return { location: null, state };
    }
  });
}

type Wait = {
  id: string;
  clientId: string;
  instanceId: string;
  requestId: string | null;
  requestNumber: number | null;
  agentId: string | null;
  redirectUri: string;
  resource: string;
  state: string | null;
  status: string;
};

async function goOn(
  tx: Tx,
  ctx: Ctx,
  wait: Wait,
  agent: { agentId: string; epoch: number },
): Promise<Continuation> {
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
  return {
    state: 'continued',
    location: toCodeRedirect({
      redirectUri: wait.redirectUri,
      code: delivered.code,
      state: wait.state,
      issuer: ctx.site.issuer,
    }),
  };
}

async function end(tx: Tx, ctx: Ctx, wait: Wait, description: string): Promise<Continuation> {
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
  return {
    state: 'ended',
    location: toErrorRedirect({
      redirectUri: wait.redirectUri,
      error: 'access_denied',
      description,
      ...(wait.requestId ? { errorUri: consoleUrl(ctx.site, `/requests/${wait.requestId}`) } : {}),
      state: wait.state,
      issuer: ctx.site.issuer,
    }),
  };
}

/** What the client prints for its person: what to wait for, where to look, what to do then. */
function pendingSentence(ctx: Ctx, wait: Wait): string {
  return `Request CS-${wait.requestNumber} is waiting for approval: ${requestLink(ctx, wait)} Sign in again once approved.`;
}

function requestLink(ctx: Ctx, wait: Wait): string {
  return wait.requestId ? consoleUrl(ctx.site, `/requests/${wait.requestId}`) : ctx.site.consoleOrigin;
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
