import { z } from 'zod';
import { hasRole, requireSession } from '#lib/access/require.ts';
import { toCodeRedirect, toErrorRedirect } from '#lib/oauth/authorization-response.ts';
import { deviceRedirectUri } from '#lib/oauth/device-grant.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { readWaitingState, settleWait } from './settle-wait.ts';
import type { WaitingState } from './waiting.ts';

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
    // A device asks for itself; no browser carries its code or its refusal.
    const isOwn = transaction.sessionId === person.sessionId && transaction.redirectUri !== deviceRedirectUri;
    if (!isOwn) return { location: null, state: await readWaitingState(tx, ctx, transaction) };
    const settled = await settleWait(tx, ctx, transaction.id, { isOwner: hasRole(person, 'owner') });
    const { redirectUri, state: clientState } = transaction;
    const { issuer } = ctx.site;
    switch (settled.kind) {
      case 'open':
        return { location: null, state: settled.state };
      case 'delivered': {
        const location = toCodeRedirect({ redirectUri, code: settled.code, state: clientState, issuer });
        return { state: 'continued', location };
      }
      case 'refused': {
        const location = toErrorRedirect({
          redirectUri,
          error: 'access_denied',
          description: settled.description,
          ...(settled.errorUri ? { errorUri: settled.errorUri } : {}),
          state: clientState,
          issuer,
        });
        return { state: 'ended', location };
      }
    }
  });
}
