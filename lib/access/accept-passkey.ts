import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { enrolledAt } from './key-material.ts';
import { relyingPartyOf } from './relying-party.ts';
import { type Assertion, verifyAssertion } from './webauthn.ts';

export type PasskeyRefusal = 'unknown key' | 'not verified' | 'counted backwards';

export type AcceptedPasskey = { keyId: string; credentialId: string };

/**
 * Checks what a passkey signed just now: a living key of this person, as history enrolled it, for this console, and a
 * counter that went up where the passkey counts at all (Web Authentication Level 3 §7.2 step 22). Notes its use.
 * The challenge has been spent by the caller.
 */
export async function acceptPasskey(
  tx: Tx,
  ctx: Ctx,
  personId: string,
  challengeDigest: string,
  assertion: Assertion,
): Promise<AcceptedPasskey | { refused: PasskeyRefusal; keyId: string | null; personId: string }> {
  const key = await tx.personKey.findUnique({ where: { credentialId: assertion.id } });
  const party = relyingPartyOf(ctx.site);
  if (!key || key.personId !== personId || key.kind !== 'passkey' || key.endedAt || key.rpId !== party.rpId) {
    return { refused: 'unknown key', keyId: key?.id ?? null, personId };
  }
  const refuse = (refused: PasskeyRefusal) => ({ refused, keyId: key.id, personId });
  const checked = await verifyAssertion(party, key, challengeDigest, assertion);
  if (!checked.ok || (await enrolledAt(tx, key)) === null) return refuse('not verified');
  const { signCount, backedUp } = checked.value;
  const counts = signCount > 0 || key.signCount > 0n;
  if (counts && BigInt(signCount) <= key.signCount) return refuse('counted backwards');
  const { count } = await tx.personKey.updateMany({
    where: { id: key.id, endedAt: null, signCount: key.signCount },
    data: { signCount, backedUp, lastUsedAt: ctx.clock.now() },
  });
  if (count === 0) return refuse('not verified');
  return { keyId: key.id, credentialId: key.credentialId };
}

/** Keeps, outside the transaction that failed, that a passkey counted backwards: two of it may exist. */
export async function notePasskeyRefusal(
  ctx: Ctx,
  { refused, keyId, personId }: { refused: PasskeyRefusal; keyId: string | null; personId: string },
): Promise<void> {
  if (refused !== 'counted backwards' || !keyId) return;
  const event = toEventRow(ctx, {
    kind: 'person_key.refuse',
    subjectId: keyId,
    outcome: 'refused',
    reason: refused,
    data: { personId },
  });
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([event])]);
}
