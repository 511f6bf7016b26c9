import { z } from 'zod';
import { recordEvent } from '#lib/audit/record.ts';
import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { sourcePrefix } from '#lib/platform/address.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { isUniqueViolation, notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound } from '#lib/platform/errors.ts';
import type { IdentityProvider } from '#lib/platform/identity-provider.ts';
import { newId } from '#lib/platform/ids.ts';
import { hasAdmin } from './has-admin.ts';
import { type ProviderIdentity, verifyIdToken } from './id-token.ts';
import { followGroups } from './provider-roles.ts';
import { requireToken } from './rate-limit.ts';
import { requireSession } from './require.ts';
import { createHandoff } from './sessions.ts';

/** Sign-ins from one network that reach the provider: each costs it and us a request. */
const perSource = { capacity: 60, refillSeconds: 5 };

export const admitProviderSignInInput = z.strictObject({});

/**
 * Asked before a code is exchanged at the provider, so that strangers cannot make this installation ask it without end.
 * Throws `LimitExceeded`.
 *
 * @anonymous Nobody is signed in yet; it takes one of the network's tries and says nothing.
 */
export async function admitProviderSignIn(ctx: Ctx): Promise<void> {
  providerOf(ctx);
  await requireToken(ctx, `sign-in:provider:${sourcePrefix(ctx.address)}`, perSource);
}

export const signInWithProviderInput = z.strictObject({ idToken: z.string().min(1).max(32_768) });

export type ProviderRefusal =
  /** The token does not hold, is too old, or was used before. */
  | 'token'
  | 'e-mail'
  /** Somebody else's account has this e-mail address, and addresses join nobody. */
  | 'account exists'
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
  return outcome;
}

async function admitIdentity(
  tx: Tx,
  ctx: Ctx,
  provider: IdentityProvider,
  identity: ProviderIdentity,
): Promise<ProviderSignInOutcome & { personId?: string }> {
  if (!(await spend(tx, identity))) return { refused: 'token' };
  const person = (await findPerson(tx, ctx, identity)) ?? (await enrol(tx, ctx, identity));
  if (person === null) return { refused: 'account exists' };
  if (person.state !== 'active') return { refused: 'deactivated', personId: person.id };
  const acting = { ...ctx, actor: systemActor('identity provider') };
  await followGroups(tx, acting, person.id, identity.groups, provider.roles);
  return { handoff: await createHandoff(tx, ctx, person.id, 'provider') };
}

export const linkProviderInput = signInWithProviderInput;

export type LinkRefusal =
  | 'token'
  | 'e-mail'
  /** The identity is another person's here. */
  | 'linked elsewhere'
  /** The person signs in with another account of the provider already. */
  | 'linked already';

/**
 * Lets the person who is signed in also sign in through the provider. Both have been proved within this browser: the
 * account by its session, the identity by a token made a moment ago.
 */
export async function linkProvider(
  ctx: Ctx,
  input: z.output<typeof linkProviderInput>,
): Promise<{ linked: true } | { refused: LinkRefusal }> {
  const actor = requireSession(ctx);
  const verified = await verifyIdToken(providerOf(ctx), input.idToken, ctx.clock);
  if (!verified.ok) return { refused: verified.error.reason === 'token not valid' ? 'token' : 'e-mail' };
  const identity = verified.value;
  return withTransaction(ctx, async (tx): Promise<{ linked: true } | { refused: LinkRefusal }> => {
    if (!(await spend(tx, identity))) return { refused: 'token' };
    const { issuer, subject } = identity;
    const known = await tx.personIdentity.findUnique({ where: { issuer_subject: { issuer, subject } } });
    if (known) return known.personId === actor.personId ? { linked: true } : { refused: 'linked elsewhere' };
    const own = await tx.personIdentity.findFirst({ where: { issuer, personId: actor.personId } });
    if (own) return { refused: 'linked already' };
    await createIdentity(tx, ctx, actor.personId, identity);
    await recordEvent(tx, ctx, {
      kind: 'person.identity',
      subjectId: actor.personId,
      reason: 'linked',
      after: { issuer, subject },
    });
    await notifyChange(tx, 'people', actor.personId);
    return { linked: true };
  });
}

export const unlinkProviderInput = z.strictObject({});

/** Takes the provider's way in away again; a password must be there, or nobody could sign in to this account. */
export async function unlinkProvider(ctx: Ctx): Promise<void> {
  const actor = requireSession(ctx);
  await withTransaction(ctx, async (tx) => {
    const person = await tx.person.findUniqueOrThrow({
      where: { id: actor.personId },
      include: { password: { select: { personId: true } }, identities: true },
    });
    const [identity] = person.identities;
    if (!identity) throw new NotFound();
    if (!person.password) throw new Conflict('It is the only way you can sign in.');
    await tx.personIdentity.delete({ where: { id: identity.id } });
    await recordEvent(tx, ctx, {
      kind: 'person.identity',
      subjectId: person.id,
      reason: 'unlinked',
      before: { issuer: identity.issuer, subject: identity.subject },
    });
    await notifyChange(tx, 'people', person.id);
  });
}

function providerOf(ctx: Ctx): IdentityProvider {
  if (!ctx.site.identityProvider) throw new NotFound('No identity provider is configured.');
  return ctx.site.identityProvider;
}

function refuse(ctx: Ctx, subjectId: string, refused: ProviderRefusal): { refused: ProviderRefusal } {
  noteAnonymousRefusal(ctx, 'access.signInWithProvider', refused, { kind: 'session.refuse', subjectId });
  return { refused };
}

async function spend(tx: Tx, identity: ProviderIdentity): Promise<boolean> {
  const { count } = await tx.assertionUse.createMany({
    data: [{ key: identity.digest, expiresAt: identity.expiresAt }],
    skipDuplicates: true,
  });
  return count === 1;
}

type FoundPerson = { id: string; state: string };

/** The person behind an identity. Their name and address here are theirs to change, whatever the provider says later. */
async function findPerson(tx: Tx, ctx: Ctx, identity: ProviderIdentity): Promise<FoundPerson | null> {
  const { issuer, subject } = identity;
  const known = await tx.personIdentity.findUnique({
    where: { issuer_subject: { issuer, subject } },
    include: { person: true },
  });
  if (!known) return null;
  await tx.personIdentity.update({ where: { id: known.id }, data: { lastUsedAt: ctx.clock.now() } });
  return known.person;
}

/** Makes an account for somebody new; null when its e-mail address is somebody's. */
async function enrol(tx: Tx, ctx: Ctx, identity: ProviderIdentity): Promise<FoundPerson | null> {
  const { issuer, subject, email, displayName } = identity;
  if (await tx.person.findUnique({ where: { email }, select: { id: true } })) return null;
  const person = await tx.person.create({
    data: {
      id: newId('person'),
      subject: `oidc:${issuer}#${subject}`,
      email,
      displayName,
      createdAt: ctx.clock.now(),
    },
  });
  await createIdentity(tx, ctx, person.id, identity);
  await recordEvent(
    tx,
    { ...ctx, actor: systemActor('identity provider') },
    {
      kind: 'person.create',
      subjectId: person.id,
      data: { email, displayName, issuer, subject },
    },
  );
  await notifyChange(tx, 'people', person.id);
  return person;
}

async function createIdentity(
  tx: Tx,
  ctx: Ctx,
  personId: string,
  { issuer, subject }: ProviderIdentity,
): Promise<void> {
  const now = ctx.clock.now();
  await tx.personIdentity.create({
    data: { id: newId('identity'), personId, issuer, subject, createdAt: now, lastUsedAt: now },
  });
}
