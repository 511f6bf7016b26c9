import { z } from 'zod';
import { recordEvent } from '#lib/audit/record.ts';
import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { sourcePrefix } from '#lib/platform/address.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { isUniqueViolation, notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { NotFound } from '#lib/platform/errors.ts';
import type { IdentityProvider } from '#lib/platform/identity-provider.ts';
import { newId } from '#lib/platform/ids.ts';
import { hasAdmin } from './has-admin.ts';
import { type ProviderIdentity, verifyIdToken } from './id-token.ts';
import { followGroups } from './provider-roles.ts';
import { refillBucket, requireToken } from './rate-limit.ts';
import { createHandoff } from './sessions.ts';

/** Sign-ins from one network that reach the provider and come to nothing: each costs it and us a request. */
const perSource = { capacity: 300, refillSeconds: 1 };

export const admitProviderSignInInput = z.strictObject({});

/**
 * Asked before a code is exchanged at the provider, so that strangers cannot make this installation ask it without end.
 * Throws `LimitExceeded`.
 *
 * @anonymous Nobody is signed in yet; it takes one of the network's tries and says nothing.
 */
export async function admitProviderSignIn(ctx: Ctx): Promise<void> {
  providerOf(ctx);
  await requireToken(ctx, bucketOf(ctx), perSource);
}

function bucketOf(ctx: Ctx): string {
  return `sign-in:provider:${sourcePrefix(ctx.address)}`;
}

export const signInWithProviderInput = z.strictObject({ idToken: z.string().min(1).max(32_768) });

export type ProviderRefusal =
  /** The token does not hold, is too old, or was used before. */
  | 'token'
  | 'e-mail'
  /** Somebody else's account has this e-mail address, and addresses join nobody. */
  | 'account exists'
  /** The identity was taken off an account here, and comes back to that account or not at all. */
  | 'unlinked'
  /** The provider knows them, and the operator admits only members of certain groups. */
  | 'not admitted'
  | 'deactivated'
  /** The first admin comes through the link the host printed, never from outside. */
  | 'nobody enrolled';

export type ProviderSignInOutcome = { handoff: string } | { refused: ProviderRefusal };

/**
 * Signs in whom the identity provider vouches for. The ID token is checked here, with the provider's own keys, and
 * counts once: the console that ran the dance is believed nothing. Somebody new gets an account without any role but
 * those of their groups.
 *
 * @anonymous The ID token is the right: the provider made it for us a moment ago.
 */
export async function signInWithProvider(
  ctx: Ctx,
  input: z.output<typeof signInWithProviderInput>,
): Promise<ProviderSignInOutcome> {
  const provider = providerOf(ctx);
  const verified = await verifyIdToken(provider, input.idToken, ctx.clock);
  if (!verified.ok) {
    return refuse(ctx, 'unknown', verified.error.reason === 'token not valid' ? 'token' : 'e-mail');
  }
  if (!(await hasAdmin(ctx))) return refuse(ctx, 'unknown', 'nobody enrolled');
  const identity = verified.value;
  const admit = () => withTransaction(ctx, (tx) => admitIdentity(tx, ctx, provider, identity));
  const outcome = await admit().catch((error: unknown) => {
    if (!isUniqueViolation(error)) throw error;
    // The same person was made in another window at this very moment, and is found now.
    return admit();
  });
  if ('refused' in outcome) return refuse(ctx, outcome.personId ?? 'unknown', outcome.refused);
  await refillBucket(ctx, bucketOf(ctx));
  return outcome;
}

async function admitIdentity(
  tx: Tx,
  ctx: Ctx,
  provider: IdentityProvider,
  identity: ProviderIdentity,
): Promise<ProviderSignInOutcome & { personId?: string }> {
  if (!(await spendIdToken(tx, identity))) return { refused: 'token' };
  const known = await findIdentity(tx, identity);
  if (known?.endedAt) return { refused: 'unlinked', personId: known.personId };
  const person = known?.person ?? (await enrol(tx, ctx, provider, identity));
  if ('refused' in person) return person;
  if (person.state !== 'active') return { refused: 'deactivated', personId: person.id };
  if (known) {
    await tx.personIdentity.update({ where: { id: known.id }, data: { lastUsedAt: ctx.clock.now() } });
  }
  const acting = { ...ctx, actor: systemActor('identity provider') };
  await followGroups(tx, acting, person.id, identity.groups, provider.roles);
  return { handoff: await createHandoff(tx, ctx, person.id, 'provider', identity.authenticatedAt) };
}

/** The configured provider. Throws `NotFound` where there is none. */
export function providerOf(ctx: Ctx): IdentityProvider {
  if (!ctx.site.identityProvider) throw new NotFound('No identity provider is configured.');
  return ctx.site.identityProvider;
}

function refuse(ctx: Ctx, subjectId: string, refused: ProviderRefusal): { refused: ProviderRefusal } {
  noteAnonymousRefusal(ctx, 'access.signInWithProvider', refused, { kind: 'session.refuse', subjectId });
  return { refused };
}

/** Uses an ID token up. False when it was used before, by any process of this installation. */
export async function spendIdToken(tx: Tx, identity: ProviderIdentity): Promise<boolean> {
  const { count } = await tx.assertionUse.createMany({
    data: [{ key: identity.digest, expiresAt: identity.expiresAt }],
    skipDuplicates: true,
  });
  return count === 1;
}

/** What is known of an identity, ended or not: it belongs to one person for good. */
export function findIdentity(tx: Tx, { issuer, subject }: ProviderIdentity) {
  return tx.personIdentity.findUnique({
    where: { issuer_subject: { issuer, subject } },
    include: { person: true },
  });
}

/** Makes an account for somebody new, if somebody new is admitted and nobody has the e-mail address. */
async function enrol(
  tx: Tx,
  ctx: Ctx,
  provider: IdentityProvider,
  identity: ProviderIdentity,
): Promise<{ id: string; state: string } | { refused: ProviderRefusal }> {
  const { issuer, subject, email, displayName, groups } = identity;
  if (provider.enrols === 'groups' && !provider.roles.some(({ group }) => groups.includes(group))) {
    return { refused: 'not admitted' };
  }
  if (await tx.person.findUnique({ where: { email }, select: { id: true } })) {
    return { refused: 'account exists' };
  }
  const now = ctx.clock.now();
  const person = await tx.person.create({
    data: { id: newId('person'), subject: `oidc:${issuer}#${subject}`, email, displayName, createdAt: now },
  });
  await tx.personIdentity.create({
    data: { id: newId('identity'), personId: person.id, issuer, subject, createdAt: now, lastUsedAt: now },
  });
  await recordEvent(
    tx,
    { ...ctx, actor: systemActor('identity provider') },
    { kind: 'person.create', subjectId: person.id, data: { email, displayName, issuer, subject } },
  );
  await notifyChange(tx, 'people', person.id);
  return person;
}
