import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';

export type NewAgent = {
  name: string;
  ownerId: string;
  deputyId: string | null;
  softwareIdentity: string;
  softwareIdentityKind: 'metadata document' | 'workload' | 'self-asserted';
  clientClass: 'interactive' | 'headless service';
};

/**
 * The governed unit comes to life as `pending`, in the transaction of the request that asks for it: it has an owner
 * from its first moment and no tool until an approval.
 */
export async function createAgent(
  tx: Tx,
  ctx: Ctx,
  input: NewAgent & { requestId: string },
): Promise<{ id: string }> {
  const { requestId, ...agent } = input;
  const id = newId('agent');
  const now = ctx.clock.now();
  await tx.agent.create({
    data: { id, ...agent, environment: ctx.site.environment, stateSince: now, createdAt: now },
  });
  await recordEvent(tx, ctx, {
    kind: 'agent.create',
    subjectId: id,
    agentId: id,
    requestRef: requestId,
    after: { state: 'pending', ...agent },
  });
  await notifyChange(tx, 'agents', id);
  return { id };
}
