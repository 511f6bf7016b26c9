import { z } from 'zod';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { verifyIdToken } from './id-token.ts';
import { endGroupRoles } from './provider-roles.ts';
import { requireRole, requireSession } from './require.ts';
import { endSessions } from './sessions.ts';
import { findIdentity, providerOf, signInWithProviderInput, spendIdToken } from './sign-in-with-provider.ts';
import { requireStepUp } from './step-up.ts';

export const linkProviderInput = signInWithProviderInput;

export type LinkRefusal =
  | 'token'
  | 'e-mail'
  /** The identity is another person's here, or was. */
  | 'linked elsewhere'
  /** The person signs in with another account of the provider already. */
  | 'linked already';

/**
 * Lets the person who is signed in also sign in through the provider. Both have been proved within this browser: the
 * account by its session, the identity by a token made a moment ago. The person is told, in case it was not them.
 * Throws `Conflict` with `refused` in its detail.
 */
export async function linkProvider(ctx: Ctx, input: z.output<typeof linkProviderInput>): Promise<void> {
  const actor = requireStepUp(ctx);
  const provider = providerOf(ctx);
  const verified = await verifyIdToken(provider, input.idToken, ctx.clock);
  if (!verified.ok) throw refusal(verified.error.reason === 'token not valid' ? 'token' : 'e-mail');
  const identity = verified.value;
  const { issuer, subject } = identity;
  await withTransaction(ctx, async (tx) => {
    if (!(await spendIdToken(tx, identity))) throw refusal('token');
    const known = await findIdentity(tx, identity);
    if (known && known.personId !== actor.personId) throw refusal('linked elsewhere');
    if (known && known.endedAt === null) return;
    const own = await tx.personIdentity.findFirst({
      where: { issuer, personId: actor.personId, endedAt: null },
      select: { id: true },
    });
    if (own) throw refusal('linked already');
    const now = ctx.clock.now();
    const linked = { createdAt: now, lastUsedAt: now, endedAt: null };
    await tx.personIdentity.upsert({
      where: { issuer_subject: { issuer, subject } },
      create: { id: newId('identity'), personId: actor.personId, issuer, subject, ...linked },
      update: linked,
    });
    await recordEvent(tx, ctx, {
      kind: 'person.identity',
      subjectId: actor.personId,
      reason: 'linked',
      after: { issuer, subject },
    });
    await notify(tx, ctx, {
      personIds: [actor.personId],
      kind: 'person.identity',
      title: `${provider.name} was linked to your account`,
      body: `Whoever is ${subject} there can sign in as you. If this was not you, unlink it, end your other sessions and change your password.`,
      href: '/settings/profile',
    });
    await notifyChange(tx, 'people', actor.personId);
  });
}

export const unlinkProviderInput = z.strictObject({});

/** Takes the provider's way in off one's own account; a password must be there, or nobody could sign in to it. */
export async function unlinkProvider(ctx: Ctx): Promise<void> {
  const actor = requireSession(ctx);
  await withTransaction(ctx, async (tx) => {
    const password = await tx.passwordCredential.findUnique({ where: { personId: actor.personId } });
    if (!password) throw new Conflict('It is the only way you can sign in.');
    const ended = await endIdentities(tx, ctx, actor.personId, 'unlinked');
    if (ended === 0) throw new NotFound();
  });
}

export const unlinkPersonInput = z.strictObject({ personId: z.string() });

/** Takes it off somebody else's account, for an admin: who has no password is given a reset link next. */
export async function unlinkPerson(ctx: Ctx, input: z.output<typeof unlinkPersonInput>): Promise<void> {
  const admin = requireRole(ctx, 'admin');
  requireStepUp(ctx);
  await withTransaction(ctx, async (tx) => {
    const ended = await endIdentities(tx, ctx, input.personId, 'unlinked');
    if (ended === 0) throw new NotFound();
    await notify(tx, ctx, {
      personIds: [input.personId],
      kind: 'person.identity',
      title: `${admin.displayName} unlinked your single sign-on`,
      body: 'You sign in with a password from now on; without one, ask for a reset link.',
      href: '/settings/profile',
    });
  });
}

/**
 * Ends every identity of a person, with the roles it gave and the sessions it opened, and says how many there were: a
 * stranger who was linked must not stay in. The rows stay: whoever was one person here must not come back as a second
 * one, who could approve what the first asks for.
 */
export async function endIdentities(tx: Tx, ctx: Ctx, personId: string, reason: string): Promise<number> {
  const living = await tx.personIdentity.findMany({ where: { personId, endedAt: null } });
  for (const { id, issuer, subject } of living) {
    await tx.personIdentity.update({ where: { id }, data: { endedAt: ctx.clock.now() } });
    await recordEvent(tx, ctx, {
      kind: 'person.identity',
      subjectId: personId,
      reason,
      before: { issuer, subject },
    });
  }
  if (living.length > 0) {
    await endGroupRoles(tx, ctx, personId, reason);
    // The session somebody unlinks in is theirs, however it was opened.
    const own = ctx.actor.kind === 'person' ? ctx.actor.sessionId : null;
    const others = own ? { id: { not: own } } : {};
    await endSessions(tx, ctx, { personId, authMethod: 'provider', ...others }, 'unlinked');
    await notifyChange(tx, 'people', personId);
  }
  return living.length;
}

const refusals: Record<LinkRefusal, string> = {
  token: 'This sign-in was used or took too long.',
  'e-mail': 'The provider names no verified e-mail address.',
  'linked elsewhere': 'That account belongs to somebody else here.',
  'linked already': 'You sign in with another account there already.',
};

function refusal(refused: LinkRefusal): Conflict {
  return new Conflict(refusals[refused], { refused });
}
