import type { z } from 'zod';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden } from '#lib/platform/errors.ts';
import { type Confirmed, elevate, hasPasskey } from './confirm.ts';
import { type ProviderIdentity, verifyIdToken } from './id-token.ts';
import { requireSession } from './require.ts';
import { findIdentity, providerOf, signInWithProviderInput, spendIdToken } from './sign-in-with-provider.ts';
import { isElevated } from './step-up.ts';

export const confirmWithProviderInput = signInWithProviderInput;

export type ConfirmationRefusal =
  | 'token'
  | 'e-mail'
  /** The provider let them through on an earlier sign-in, or does not say when it was. */
  | 'not fresh'
  /** Somebody signed in there who is not the person of this session. */
  | 'somebody else';

/**
 * Proves at the identity provider that it is really the person at this browser. Only a sign-in there of the last minutes
 * counts (`auth_time`, OpenID Connect Core 1.0 §2), and only that of an identity linked to this very person. The session
 * stays, with another token: claims that wait hang on it. Throws `Conflict` with `refused` in its detail.
 */
export async function confirmWithProvider(
  ctx: Ctx,
  input: z.output<typeof confirmWithProviderInput>,
): Promise<Confirmed> {
  const person = requireSession(ctx);
  const provider = providerOf(ctx);
  const verified = await verifyIdToken(provider, input.idToken, ctx.clock);
  if (!verified.ok) throw refusal(verified.error.reason === 'token not valid' ? 'token' : 'e-mail');
  const identity: ProviderIdentity = verified.value;
  const provedAt = identity.authenticatedAt;
  return withTransaction(ctx, async (tx) => {
    if (!(await spendIdToken(tx, identity))) throw refusal('token');
    const known = await findIdentity(tx, identity);
    if (!known || known.endedAt || known.personId !== person.personId) throw refusal('somebody else');
    if (!provedAt || !isElevated(ctx, { elevatedAt: provedAt })) throw refusal('not fresh');
    if (await hasPasskey(tx, ctx, person.personId)) throw new Forbidden('Confirm it with your passkey.');
    return elevate(tx, ctx, person, 'provider', { provedAt });
  });
}

const refusals: Record<ConfirmationRefusal, string> = {
  token: 'This sign-in was used or took too long.',
  'e-mail': 'The provider names no verified e-mail address.',
  'not fresh': 'The provider did not say that you have just signed in there.',
  'somebody else': 'That account is not linked to yours.',
};

function refusal(refused: ConfirmationRefusal): Conflict {
  return new Conflict(refusals[refused], { refused });
}
