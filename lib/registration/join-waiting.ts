import { z } from 'zod';
import { requireRole, requireSession } from '#lib/access/require.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { isUniqueViolation, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Invalid } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { transactionDigest } from './authorization-handle.ts';
import { createTransaction } from './claim-client.ts';
import { requireKnownDevice } from './device-place.ts';
import { claimHandleInput, openClaim } from './prepare-claim.ts';

export const joinWaitingInput = z.strictObject(claimHandleInput);

/**
 * Waits in this browser for a request that is already with the approvers: a sign-in started again by the same owner
 * for the same client. It adds a wait, no request and no claim.
 */
export async function joinWaiting(
  ctx: Ctx,
  input: z.output<typeof joinWaitingInput>,
): Promise<{ transactionId: string }> {
  const person = requireSession(ctx);
  requireRole(ctx, 'owner');
  const { standing, client, handle, server } = await openClaim(ctx, person, input);
  const { instance, request } = standing;
  if (!server) throw new Invalid('This sign-in names no server. Connect again from your client.');
  if (
    !['pending', 'changes requested'].includes(standing.standing) ||
    !instance ||
    !request ||
    standing.isInherited
  ) {
    throw new Conflict('There is nothing to wait for here any more. Reload the page.', {
      standing: standing.standing,
    });
  }
  await requireKnownDevice(ctx, handle, person.personId, { orAskedFor: true });
  const transactionId = newId('transaction');
  const digest = transactionDigest(input.handle, handle);
  return withTransaction(ctx, async (tx) => {
    const waiting = await tx.registrationRequest.findFirst({
      where: { id: request.id, state: { in: ['submitted', 'changes requested'] } },
      select: { id: true },
    });
    if (!waiting) throw new Conflict('The request was decided a moment ago. Reload the page.');
    try {
      await createTransaction(
        tx,
        ctx,
        { transactionId, person, handle, handleDigest: digest, client, server },
        { instanceId: instance.id, requestId: request.id },
      );
    } catch (error) {
      if (isUniqueViolation(error)) throw new Conflict('This sign-in is already waiting. Reload the page.');
      throw error;
    }
    await recordEvent(tx, ctx, {
      kind: 'transaction.open',
      subjectId: transactionId,
      clientId: client.id,
      agentId: standing.agent?.id ?? null,
      serverId: server.id,
      requestRef: request.id,
      data: { instanceId: instance.id, redirectUri: handle.redirectUri, resource: server.resource },
    });
    return { transactionId };
  });
}
