import { endPendingAgent } from '#lib/agents/end-pending.ts';
import type { EventInput } from '#lib/audit/record.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx } from '#lib/platform/db.ts';
import { type LoadedRequest, moveRequest, requireMove } from './store.ts';

type Ending = {
  action: 'reject' | 'withdraw' | 'expire';
  kind: Extract<EventInput['kind'], 'request.reject' | 'request.withdraw' | 'request.expire'>;
  /** Why the instance and the agent ended, in the words a client and its owner are told. */
  cause: string;
  reason: string;
  parentIds?: readonly string[];
};

/**
 * Ends a request without an approval: the request moves, its event is written, and what never got authority (a pending
 * agent, its quarantined clients) ends with it. An agent that was approved before keeps what it has.
 */
export async function endRequest(tx: Tx, ctx: Ctx, request: LoadedRequest, ending: Ending): Promise<string> {
  const state = requireMove(request, ending.action);
  await moveRequest(tx, request, { state, decidedAt: ctx.clock.now() });
  const eventId = await recordEvent(tx, ctx, {
    kind: ending.kind,
    subjectId: request.id,
    agentId: request.agentId,
    requestRef: request.id,
    parentIds: ending.parentIds ?? [],
    reason: ending.reason,
    before: { state: request.state },
    after: { state, revision: request.revision.number, snapshotDigest: request.revision.snapshotDigest },
  });
  await endPendingAgent(tx, ctx, {
    agentId: request.agentId,
    requestId: request.id,
    cause: ending.cause,
    parentEventId: eventId,
  });
  await notifyChange(tx, 'requests', request.id);
  return eventId;
}
