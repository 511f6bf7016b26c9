import { requireSession } from '#lib/access/require.ts';
import { deviceRedirectUri } from '#lib/oauth/device-grant.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { decisionReason } from './decision-reason.ts';
import { clientGoneAt, type WaitingState, waitingState } from './waiting.ts';

/** What the waiting room shows. Only the person who claimed sees it; only their claiming session goes on. */
export type WaitingRoom = {
  id: string;
  state: WaitingState;
  isClaimingSession: boolean;
  client: { id: string; name: string };
  /** Where the code goes; null when a device asks for itself. */
  redirectUri: string | null;
  device: { address: string | null } | null;
  server: { name: string; resource: string };
  agent: { id: string; name: string } | null;
  request: {
    id: string;
    number: number;
    state: string;
    submittedAt: string | null;
    reason: string | null;
  } | null;
  deadlineAt: string;
  clientGoneAt: string;
  readAt: string;
};

/** The wait with this id, for the person it belongs to. Throws `NotFound` for everybody else. */
export async function readWaiting(ctx: Ctx, transactionId: string): Promise<WaitingRoom> {
  const person = requireSession(ctx);
  const { prisma } = ctx.db;
  const now = ctx.clock.now();
  const transaction = await prisma.authorizationTransaction.findUnique({ where: { id: transactionId } });
  if (!transaction || transaction.personId !== person.personId) throw new NotFound();
  const [instance, request, server] = await Promise.all([
    prisma.instance.findUniqueOrThrow({
      where: { id: transaction.instanceId },
      select: {
        state: true,
        client: { select: { id: true, name: true } },
        agent: { select: { id: true, name: true, state: true } },
      },
    }),
    transaction.requestId
      ? prisma.registrationRequest.findUnique({
          where: { id: transaction.requestId },
          select: { id: true, number: true, state: true, submittedAt: true },
        })
      : null,
    prisma.mcpServer.findUnique({ where: { resource: transaction.resource }, select: { name: true } }),
  ]);
  const isDevice = transaction.redirectUri === deviceRedirectUri;
  return {
    id: transaction.id,
    state: waitingState({
      status: transaction.status,
      endCause: transaction.endCause,
      deadlineAt: transaction.deadlineAt,
      requestState: request?.state ?? null,
      instanceState: instance.state,
      agentState: instance.agent?.state ?? null,
      now,
    }),
    isClaimingSession: transaction.sessionId === person.sessionId,
    client: instance.client,
    redirectUri: isDevice ? null : transaction.redirectUri,
    device: isDevice ? { address: transaction.deviceAddress } : null,
    server: { name: server?.name ?? transaction.resource, resource: transaction.resource },
    agent: instance.agent && { id: instance.agent.id, name: instance.agent.name },
    request: request && {
      id: request.id,
      number: request.number,
      state: request.state,
      submittedAt: request.submittedAt?.toISOString() ?? null,
      reason: await decisionReason(ctx, request.id),
    },
    deadlineAt: transaction.deadlineAt.toISOString(),
    clientGoneAt: clientGoneAt(transaction.deadlineAt).toISOString(),
    readAt: now.toISOString(),
  };
}
