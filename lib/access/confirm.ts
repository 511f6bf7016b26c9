import { z } from 'zod';
import { recordEvent } from '#lib/audit/record.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { newRandomBytes, randomToken, sha256, verifyPassword } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden, Invalid } from '#lib/platform/errors.ts';
import { acceptPasskey, notePasskeyRefusal } from './accept-passkey.ts';
import { issueChallenge, spendChallenge } from './challenges.ts';
import { longestPassword } from './passwords.ts';
import { requireToken } from './rate-limit.ts';
import { livingPasskeysOf, relyingPartyOf } from './relying-party.ts';
import { requireSession } from './require.ts';
import { isElevated, stepUpSeconds } from './step-up.ts';
import { assertionSchema, type PublicKeyCredentialRequestOptionsJSON, requestOptions } from './webauthn.ts';

/** Somebody who begins something long must not find their proof gone at its end. */
const worthKeepingSeconds = 2 * 60;

export const beginConfirmationInput = z.strictObject({});

/** How the person at this browser proves that it is them: with a passkey as soon as they have one. */
export type ConfirmationWay =
  | { way: 'confirmed' }
  | { way: 'passkey'; options: PublicKeyCredentialRequestOptionsJSON }
  | { way: 'password' }
  /** By signing in there once more. */
  | { way: 'provider'; name: string }
  /** On the demo's own page, outside the console. */
  | { way: 'demo' }
  /** Nothing to prove it with: an admin has to make a reset link. */
  | { way: 'none' };

/** Says how to confirm, with the challenge where it is a passkey; `confirmed` while an earlier proof is still young. */
export async function beginConfirmation(ctx: Ctx): Promise<ConfirmationWay> {
  const person = requireSession(ctx);
  if (isElevated(ctx, person, stepUpSeconds - worthKeepingSeconds)) return { way: 'confirmed' };
  const { prisma } = ctx.db;
  const [passkeys, password] = await Promise.all([
    prisma.personKey.findMany({
      where: livingPasskeysOf(ctx.site, person.personId),
      select: { credentialId: true, transports: true },
    }),
    prisma.passwordCredential.findUnique({
      where: { personId: person.personId },
      select: { personId: true },
    }),
  ]);
  if (passkeys.length > 0) {
    const challenge = new Uint8Array(newRandomBytes(32));
    await issueChallenge(ctx, person, { purpose: 'confirm', challenge });
    return { way: 'passkey', options: await requestOptions(relyingPartyOf(ctx.site), challenge, passkeys) };
  }
  if (ctx.site.demo) return { way: 'demo' };
  if (password) return { way: 'password' };
  const { identityProvider } = ctx.site;
  return identityProvider ? { way: 'provider', name: identityProvider.name } : { way: 'none' };
}

export const confirmInput = z.union([
  z.strictObject({ password: z.string().max(longestPassword * 4) }),
  z.strictObject({ assertion: assertionSchema }),
]);

/** The session's new token, shown this once: whoever holds a copy of the old one is out. */
export type Confirmed = { token: string; expiresAt: string };

/** As when a password is changed: guessing is the same there and here. */
const passwordTries = { capacity: 5, refillSeconds: 30 };

/**
 * Proves that it is really the person at this browser, who then may do for some minutes what a session alone may not.
 * Whoever has a passkey proves it with that; the password counts only where there is none.
 */
export async function confirm(ctx: Ctx, input: z.output<typeof confirmInput>): Promise<Confirmed> {
  const person = requireSession(ctx);
  if ('password' in input) return confirmByPassword(ctx, person, input.password);
  const challengeDigest = await spendChallenge(ctx.db.prisma, ctx, person, {
    purpose: 'confirm',
    answer: input.assertion,
  });
  if (!challengeDigest) throw new Conflict('This took too long, or was begun in another window. Try again.');
  const outcome = await withTransaction(ctx, async (tx) => {
    const used = await acceptPasskey(tx, ctx, person.personId, challengeDigest, input.assertion);
    return 'refused' in used ? used : elevate(tx, ctx, person, 'passkey', { keyId: used.keyId });
  });
  if ('refused' in outcome) {
    await notePasskeyRefusal(ctx, outcome);
    throw new Forbidden('This passkey did not prove that it is you. Try again, or use another of yours.');
  }
  return outcome;
}

async function confirmByPassword(
  ctx: Ctx,
  person: PersonActor & { sessionId: string },
  password: string,
): Promise<Confirmed> {
  await requireToken(ctx, `password:${person.personId}`, passwordTries);
  const stored = await ctx.db.prisma.passwordCredential.findUnique({ where: { personId: person.personId } });
  if (!(await verifyPassword(password, stored?.hash ?? null))) {
    throw new Invalid('This is not your password.', {
      issues: [{ path: 'password', message: 'This is not your password.' }],
    });
  }
  return withTransaction(ctx, async (tx) => {
    if (await hasPasskey(tx, ctx, person.personId)) throw new Forbidden('Confirm it with your passkey.');
    return elevate(tx, ctx, person, 'password');
  });
}

/** Whether somebody has a passkey of this console, under its present host name. */
export async function hasPasskey(
  tx: Pick<Tx, 'personKey'>,
  ctx: Pick<Ctx, 'site'>,
  personId: string,
): Promise<boolean> {
  const key = await tx.personKey.findFirst({
    where: livingPasskeysOf(ctx.site, personId),
    select: { id: true },
  });
  return key !== null;
}

/** Notes on the session when and how it was proved, and gives it another token. */
export async function elevate(
  tx: Tx,
  ctx: Ctx,
  person: PersonActor & { sessionId: string },
  by: 'password' | 'passkey' | 'provider' | 'demo',
  { keyId, provedAt }: { keyId?: string; provedAt?: Date } = {},
): Promise<Confirmed> {
  const token = randomToken();
  const now = ctx.clock.now();
  const { count } = await tx.personSession.updateMany({
    where: { id: person.sessionId, personId: person.personId, endedAt: null, expiresAt: { gt: now } },
    data: { tokenDigest: sha256(token), elevatedAt: provedAt ?? now, elevatedBy: by },
  });
  if (count === 0) throw new Conflict('Your session ended meanwhile. Sign in again.');
  const { expiresAt } = await tx.personSession.findUniqueOrThrow({ where: { id: person.sessionId } });
  await recordEvent(tx, ctx, {
    kind: 'session.confirm',
    subjectId: person.sessionId,
    data: { personId: person.personId, by, ...(keyId ? { keyId } : {}) },
  });
  await notifyChange(tx, 'people', person.personId);
  return { token, expiresAt: expiresAt.toISOString() };
}
