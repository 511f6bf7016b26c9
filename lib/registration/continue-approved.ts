import { z } from 'zod';
import { requireRole, requireSession } from '#lib/access/require.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { prepareCode } from '#lib/credentials/authorization-codes.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { isUniqueViolation, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Invalid } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { transactionDigest, waitEndsAt } from './authorization-handle.ts';
import { createTransaction } from './claim-client.ts';
import { requireKnownDevice } from './device-place.ts';
import { claimHandleInput, openClaim } from './prepare-claim.ts';

export const continueApprovedInput = z.strictObject({
  ...claimHandleInput,
  /** Needed only when the client did not say which server it wants and the agent has several. */
  serverId: z.string().max(64).optional(),
});

/**
 * The owner's press on Continue for a client already approved: opens a transaction with its code prepared. A code is
 * never given unasked, because any local process can open an authorize URL in somebody's browser.
 *
 * The states are read again inside the transaction; a suspension that came first wins.
 */
export async function continueApproved(
  ctx: Ctx,
  input: z.output<typeof continueApprovedInput>,
): Promise<{ transactionId: string }> {
  const person = requireSession(ctx);
  requireRole(ctx, 'owner');
  const opened = await openClaim(ctx, person, input);
  const { standing, client, handle, server } = opened;
  if (!server) {
    throw new Invalid('Choose the server to go on to.', {
      issues: [{ path: 'serverId', message: 'Choose the server to go on to.' }],
    });
  }
  if (standing.standing !== 'approved' || !standing.instance || !standing.agent) {
    throw new Conflict('This client is not approved for you at the moment. Reload the page.', {
      standing: standing.standing,
    });
  }
  const { instance, agent } = standing;
  await requireKnownDevice(ctx, handle, person.personId);
  const transactionId = newId('transaction');
  const digest = transactionDigest(input.handle, handle);
  return withTransaction(ctx, async (tx) => {
    const living = await tx.instance.findFirst({
      where: { id: instance.id, state: 'active', ownerId: person.personId, agentId: agent.id },
      select: { agent: { select: { id: true, state: true, epoch: true } } },
    });
    if (living?.agent?.state !== 'active')
      throw new Conflict('This client was stopped a moment ago. Reload the page.');
    const used = await tx.authorizationTransaction.findUnique({
      where: { handleDigest: digest },
      select: { id: true },
    });
    if (used) throw usedBefore();
    const transaction = { transactionId, person, handle, handleDigest: digest, client, server };
    try {
      await createTransaction(tx, ctx, transaction, { instanceId: instance.id, requestId: null });
    } catch (error) {
      throw isUniqueViolation(error) ? usedBefore() : error;
    }
    await tx.authorizationTransaction.update({ where: { id: transactionId }, data: { status: 'ready' } });
    const parent = await recordEvent(tx, ctx, {
      kind: 'transaction.open',
      subjectId: transactionId,
      clientId: client.id,
      agentId: agent.id,
      serverId: server.id,
      data: { instanceId: instance.id, redirectUri: handle.redirectUri, resource: server.resource },
    });
    await prepareCode(
      tx,
      ctx,
      {
        id: transactionId,
        clientId: client.id,
        instanceId: instance.id,
        redirectUri: handle.redirectUri,
        codeChallenge: handle.codeChallenge,
        resource: server.resource,
        address: ctx.address,
        deviceAddress: handle.device?.address ?? null,
        deadlineAt: waitEndsAt(handle),
      },
      living.agent,
      { parentIds: [parent] },
    );
    return { transactionId };
  });
}

function usedBefore(): Conflict {
  return new Conflict('This sign-in has already gone on. Start it again from your client.', {
    reason: 'handle used',
  });
}
