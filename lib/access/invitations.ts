import { z } from 'zod';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { PersonActor, Role } from '#lib/platform/actor.ts';
import { sourcePrefix } from '#lib/platform/address.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { hashPassword, randomToken, sha256 } from '#lib/platform/crypto.ts';
import { type Ctx, consoleUrl } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden, Invalid, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { endIdentities } from './link-provider.ts';
import { displayNameInput, emailInput, newPasswordInput, requireGoodPassword } from './passwords.ts';
import { endKeys } from './person-keys.ts';
import { requireToken } from './rate-limit.ts';
import { requireRole, requireSystem } from './require.ts';
import { grantRoleWithin, listAdminIds, roleInput, weighty } from './roles.ts';
import { createHandoff, endSessions } from './sessions.ts';
import { requireStepUp } from './step-up.ts';

export type InvitationPurpose = 'first admin' | 'invite' | 'password reset' | 'recovery';

const lifeSeconds: Record<InvitationPurpose, number> = {
  'first admin': 15 * 60,
  recovery: 15 * 60,
  'password reset': 24 * 3600,
  invite: 7 * 24 * 3600,
};

/** The first admin can also request, so that a newcomer can walk the whole way in; approving stays somebody else's. */
const firstAdminRoles: readonly Role[] = ['admin', 'owner'];

/** A link shown once: its token is in the fragment, which no browser sends to a server, log or referrer. */
export type Link = { invitationId: string; url: string; expiresAt: string };

/**
 * The link that enrols the first admin. Only the host makes it; making another ends the one before. Throws
 * `Conflict` when an admin exists: then `recoverAdmin` is the way back.
 */
export async function issueFirstAdminLink(ctx: Ctx): Promise<Link> {
  requireSystem(ctx);
  return withTransaction(ctx, async (tx) => {
    if ((await listAdminIds(tx, ctx)).length > 0) throw new Conflict('An admin exists already.');
    await endOpenInvitations(tx, ctx, { purpose: 'first admin' });
    return createInvitation(tx, ctx, { purpose: 'first admin', roles: firstAdminRoles });
  });
}

export const recoverAdminInput = z.strictObject({ email: emailInput });

/**
 * The way back for an installation whose admins are gone, run on the host: a link that lets this address set a
 * password and be admin, whether or not there was such a person.
 */
export async function recoverAdmin(ctx: Ctx, input: z.output<typeof recoverAdminInput>): Promise<Link> {
  requireSystem(ctx);
  return withTransaction(ctx, async (tx) => {
    const person = await tx.person.findUnique({ where: { email: input.email }, select: { id: true } });
    await endOpenInvitations(tx, ctx, { purpose: 'recovery' });
    const link = await createInvitation(tx, ctx, {
      purpose: 'recovery',
      email: input.email,
      personId: person?.id ?? null,
      roles: ['admin'],
    });
    await recordEvent(tx, ctx, {
      kind: 'access.recover',
      subjectId: person?.id ?? link.invitationId,
      data: { email: input.email, invitationId: link.invitationId },
    });
    await notify(tx, ctx, {
      personIds: await listAdminIds(tx, ctx),
      kind: 'access.recover',
      title: 'A recovery link for an admin was made on the host',
      body: `It is for ${input.email} and works for 15 minutes. If you do not know why, look at who can log in to the host.`,
      href: '/audit?kind=access.recover',
    });
    return link;
  });
}

export const invitePersonInput = z.strictObject({
  email: emailInput,
  roles: z.array(roleInput).max(4).default([]),
});

/** Invites somebody new; the admin passes the link on. Inviting the same address again ends the earlier link. */
export async function invitePerson(ctx: Ctx, input: z.output<typeof invitePersonInput>): Promise<Link> {
  requireRole(ctx, 'admin');
  // A link that carries a role grants it.
  if (input.roles.length > 0) requireStepUp(ctx);
  return withTransaction(ctx, async (tx) => {
    const known = await tx.person.findUnique({ where: { email: input.email }, select: { id: true } });
    if (known) {
      throw new Conflict('Somebody with this address is here already.', {
        personId: known.id,
        issues: [{ path: 'email', message: 'Somebody with this address is here already.' }],
      });
    }
    await endOpenInvitations(tx, ctx, { purpose: 'invite', email: input.email });
    return createInvitation(tx, ctx, {
      purpose: 'invite',
      email: input.email,
      roles: [...new Set(input.roles)],
    });
  });
}

export const issuePasswordResetInput = z.strictObject({ personId: z.string() });

/** `waits`: the link works when a second admin has confirmed it. */
export type ResetLink = Link & { waits: boolean };

/**
 * A link to set a new password. Everyone who could be deceived by it is told: the person and the other admins. Whoever
 * holds it becomes that person and can enrol a passkey as them, so that of an approver or admin waits for a second admin.
 */
export async function issuePasswordReset(
  ctx: Ctx,
  input: z.output<typeof issuePasswordResetInput>,
): Promise<ResetLink> {
  const admin = requireRole(ctx, 'admin');
  // Whoever holds the link becomes that person, with whatever roles they have.
  requireStepUp(ctx);
  return withTransaction(ctx, async (tx) => {
    const person = await tx.person.findUnique({
      where: { id: input.personId },
      include: {
        password: { select: { personId: true } },
        identities: { where: { endedAt: null }, select: { issuer: true } },
      },
    });
    if (!person) throw new NotFound();
    if (person.state !== 'active')
      throw new Conflict('This person is deactivated. Reactivate them first.', { state: person.state });
    // A password would be a second way in, around whatever the identity provider asks of them.
    const { identityProvider } = ctx.site;
    if (!person.password && person.identities.some(({ issuer }) => issuer === identityProvider?.issuer)) {
      throw new Conflict(
        `This person signs in through ${identityProvider?.name} and has no password. Unlink that first.`,
      );
    }
    const admins = await listAdminIds(tx, ctx);
    const waits = await waitsForSecondAdmin(tx, ctx, resetBy(admin.personId, person.id));
    if (waits && !admins.some((id) => id !== admin.personId && id !== person.id)) {
      throw new Conflict(
        'A second admin would have to confirm this link, and the only other one is this person. Make somebody else admin first, or run “countersign admin recover” on the host.',
      );
    }
    await endOpenInvitations(tx, ctx, { purpose: 'password reset', personId: person.id });
    const link = await createInvitation(tx, ctx, {
      purpose: 'password reset',
      email: person.email,
      personId: person.id,
      roles: [],
    });
    await notify(tx, ctx, {
      personIds: [person.id, ...admins.filter((id) => id !== admin.personId)],
      kind: 'invitation.create',
      title: `${admin.displayName} made a password reset link for ${person.displayName}`,
      body: `If this was not agreed with you, tell another admin now: whoever uses the link can sign in as this person.${waits ? ' It works when a second admin confirms it under People.' : ''}`,
      href: `/people/${person.id}`,
    });
    return { ...link, waits };
  });
}

export const confirmPasswordResetInput = z.strictObject({ invitationId: z.string().max(64) });

/** The second admin's word on a reset link that waits. Neither who made it nor whom it is for can give it. */
export async function confirmPasswordReset(
  ctx: Ctx,
  input: z.output<typeof confirmPasswordResetInput>,
): Promise<void> {
  const admin = requireRole(ctx, 'admin');
  requireStepUp(ctx);
  await withTransaction(ctx, async (tx) => {
    const link = await tx.invitation.findUnique({ where: { id: input.invitationId } });
    if (link?.purpose !== 'password reset' || !link.personId) throw new NotFound();
    if (link.createdById === admin.personId)
      throw new Forbidden('You made this link yourself: another admin must confirm it.');
    if (link.personId === admin.personId) throw new Forbidden('Nobody confirms a link of their own.');
    const now = ctx.clock.now();
    const { count } = await tx.invitation.updateMany({
      where: { id: link.id, confirmedAt: null, redeemedAt: null, endedAt: null, expiresAt: { gt: now } },
      data: { confirmedAt: now, confirmedById: admin.personId },
    });
    if (count === 0) throw new Conflict('This link no longer waits.');
    await recordEvent(tx, ctx, {
      kind: 'invitation.confirm',
      subjectId: link.id,
      data: { personId: link.personId },
    });
    const others = (await listAdminIds(tx, ctx)).filter((id) => id !== admin.personId);
    await notify(tx, ctx, {
      personIds: [...new Set([link.personId, ...others])],
      kind: 'invitation.confirm',
      title: `${admin.displayName} confirmed the password reset link for ${link.email}`,
      body: 'It works from now on, once. If this was not agreed with you, end it under People at once.',
      href: `/people/${link.personId}`,
    });
    await notifyChange(tx, 'people', link.id);
  });
}

type ResetFacts = Pick<InvitationRow, 'purpose' | 'personId' | 'createdById' | 'confirmedAt'>;

function resetBy(createdById: string, personId: string): ResetFacts {
  return { purpose: 'password reset', personId, createdById, confirmedAt: null };
}

/** Whether a link leads to an approver or admin by the word of one admin alone while there is another. */
export async function waitsForSecondAdmin(
  tx: Pick<Tx, 'roleGrant'>,
  ctx: Pick<Ctx, 'clock'>,
  link: ResetFacts,
): Promise<boolean> {
  if (link.purpose !== 'password reset' || !link.personId || !link.createdById || link.confirmedAt)
    return false;
  const held = await tx.roleGrant.findFirst({
    where: { personId: link.personId, role: { in: [...weighty] }, endedAt: null },
    select: { id: true },
  });
  return held !== null && (await listAdminIds(tx, ctx)).some((id) => id !== link.createdById);
}

export const endInvitationInput = z.strictObject({ invitationId: z.string() });

/** Ends a link before anybody used it. */
export async function endInvitation(ctx: Ctx, input: z.output<typeof endInvitationInput>): Promise<void> {
  requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const open = await tx.invitation.findUnique({ where: { id: input.invitationId }, select: { id: true } });
    if (!open) throw new NotFound();
    const ended = await endOpenInvitations(tx, ctx, { id: input.invitationId });
    if (ended === 0) throw new Conflict('This link was used or has ended.');
  });
}

const linkTries = { capacity: 20, refillSeconds: 15 };
const deadLink = 'This link was used, has ended or is too old. Ask for a new one.';

export const readInvitationInput = z.strictObject({ token: z.string().min(20).max(128) });
export type InvitationFacts = {
  purpose: InvitationPurpose;
  email: string | null;
  displayName: string | null;
  roles: string[];
};

/** What a link is for, told to whoever holds it, before they use it. One answer for every link that does not work. */
export async function readInvitation(
  ctx: Ctx,
  input: z.output<typeof readInvitationInput>,
): Promise<InvitationFacts> {
  await requireToken(ctx, `link:${sourcePrefix(ctx.address)}`, linkTries);
  const found = await ctx.db.prisma.invitation.findUnique({ where: { tokenDigest: sha256(input.token) } });
  if (!found || found.redeemedAt || found.endedAt || found.expiresAt <= ctx.clock.now())
    throw new NotFound(deadLink);
  const person = found.personId
    ? await ctx.db.prisma.person.findUnique({ where: { id: found.personId }, select: { displayName: true } })
    : null;
  return {
    purpose: found.purpose as InvitationPurpose,
    email: found.email,
    displayName: person?.displayName ?? null,
    roles: found.roles,
  };
}

export const redeemInvitationInput = z.strictObject({
  token: z.string().min(20).max(128),
  /** Needed when the link names no address (first admin) or no person (invitation). */
  email: emailInput.optional(),
  displayName: displayNameInput.optional(),
  password: newPasswordInput,
});

/**
 * Uses a link: makes or finds its person, sets the password, grants what the link grants, and hands over a sign-in.
 * One winner: of several who hold the link the first commits, the others find it used. Whatever sessions the person
 * had end, and with a reset or a recovery what was linked at the identity provider: it throws out whoever had got in.
 */
export async function redeemInvitation(
  ctx: Ctx,
  input: z.output<typeof redeemInvitationInput>,
): Promise<{ handoff: string; personId: string }> {
  await requireToken(ctx, `link:${sourcePrefix(ctx.address)}`, linkTries);
  const tokenDigest = sha256(input.token);
  const facts = await readInvitation(ctx, { token: input.token });
  const about = {
    email: facts.email ?? requireField(input.email, 'email', 'Enter your e-mail address.'),
    displayName: facts.displayName ?? requireField(input.displayName, 'displayName', 'Enter your name.'),
  };
  requireGoodPassword(input.password, about);
  const hash = await hashPassword(input.password);
  return withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const { count } = await tx.invitation.updateMany({
      where: { tokenDigest, redeemedAt: null, endedAt: null, expiresAt: { gt: now } },
      data: { redeemedAt: now },
    });
    if (count === 0) throw new NotFound(deadLink);
    const invitation = await tx.invitation.findUniqueOrThrow({ where: { tokenDigest } });
    const purpose = invitation.purpose as InvitationPurpose;
    if (await waitsForSecondAdmin(tx, ctx, invitation))
      throw new Conflict('A second admin must confirm this link first, under People. Then open it again.');
    if (purpose === 'first admin' && (await listAdminIds(tx, ctx)).length > 0) {
      throw new Conflict('Somebody else became the first admin meanwhile.');
    }
    const person = await enrol(tx, ctx, invitation, about);
    const acting = { ...ctx, actor: actorOf(person) };
    await tx.passwordCredential.upsert({
      where: { personId: person.id },
      create: { personId: person.id, hash, updatedAt: now },
      update: { hash, updatedAt: now },
    });
    await recordEvent(tx, acting, { kind: 'person.password', subjectId: person.id, reason: purpose });
    await endSessions(tx, acting, { personId: person.id }, 'password changed');
    await endIdentities(tx, acting, person.id, purpose);
    // Only the host's own word undoes passkeys; whoever reads somebody's mail can follow a reset link, too.
    if (purpose === 'recovery') {
      await endKeys(tx, acting, { personId: person.id }, 'recovery');
      await notify(tx, acting, {
        personIds: [...new Set([person.id, ...(await listAdminIds(tx, ctx))])],
        kind: 'access.recover',
        title: `${person.displayName} was recovered by a link of the host`,
        body: 'Their password is new, and their passkeys, sessions and links of single sign-on have ended. If you do not know why, look at who can log in to the host.',
        href: `/people/${person.id}`,
      });
    }
    await grantInvitedRoles(tx, acting, invitation, person);
    await recordEvent(tx, acting, {
      kind: 'invitation.redeem',
      subjectId: invitation.id,
      data: { purpose, personId: person.id },
    });
    await notifyChange(tx, 'people', person.id);
    const handoff = await createHandoff(tx, ctx, person.id, purpose === 'recovery' ? 'recovery' : 'password');
    return { handoff, personId: person.id };
  });
}

type InvitedPerson = { id: string; subject: string; displayName: string };
type InvitationRow = {
  id: string;
  purpose: string;
  personId: string | null;
  roles: string[];
  createdById: string | null;
  confirmedAt: Date | null;
};

async function enrol(
  tx: Tx,
  ctx: Ctx,
  invitation: InvitationRow,
  about: { email: string; displayName: string },
): Promise<InvitedPerson> {
  const known = await tx.person.findUnique({ where: { email: about.email } });
  if (known && (invitation.personId === known.id || invitation.purpose === 'recovery')) {
    if (known.state !== 'active' && invitation.purpose !== 'recovery') throw new NotFound(deadLink);
    if (known.state !== 'active') {
      await tx.person.update({ where: { id: known.id }, data: { state: 'active', deactivatedAt: null } });
      await recordEvent(
        tx,
        { ...ctx, actor: actorOf(known) },
        { kind: 'person.reactivate', subjectId: known.id, reason: 'recovery' },
      );
    }
    return known;
  }
  if (known) throw new Conflict('Somebody with this address is here already.');
  const person = {
    id: newId('person'),
    // Local accounts are their address; a subject never changes, so it outlives a later change of the address.
    subject: `local:${about.email}`,
    email: about.email,
    displayName: about.displayName,
    createdAt: ctx.clock.now(),
  };
  await tx.person.create({ data: person });
  await recordEvent(
    tx,
    { ...ctx, actor: actorOf(person) },
    {
      kind: 'person.create',
      subjectId: person.id,
      data: { email: person.email, displayName: person.displayName, invitationId: invitation.id },
    },
  );
  return person;
}

/** The inviter's word counts as the grant; what needs a second admin still waits for one. The host needs none. */
async function grantInvitedRoles(
  tx: Tx,
  ctx: Ctx,
  invitation: InvitationRow,
  person: InvitedPerson,
): Promise<void> {
  const inviter = invitation.createdById
    ? await tx.person.findUnique({
        where: { id: invitation.createdById },
        select: { id: true, displayName: true, state: true },
      })
    : null;
  const isByHost = invitation.createdById === null;
  const stillAdmin = inviter ? (await listAdminIds(tx, ctx)).includes(inviter.id) : false;
  if (!isByHost && !stillAdmin) return;
  for (const role of invitation.roles as Role[]) {
    const existing = await tx.roleGrant.findFirst({ where: { personId: person.id, role, endedAt: null } });
    if (existing) continue;
    await grantRoleWithin(tx, ctx, {
      personId: person.id,
      displayName: person.displayName,
      role,
      grantedBy: inviter ? { personId: inviter.id, displayName: inviter.displayName } : null,
    });
  }
}

async function createInvitation(
  tx: Tx,
  ctx: Ctx,
  input: {
    purpose: InvitationPurpose;
    email?: string | null;
    personId?: string | null;
    roles: readonly Role[];
  },
): Promise<Link> {
  const token = randomToken();
  const id = newId('invitation');
  const now = ctx.clock.now();
  const expiresAt = addSeconds(now, lifeSeconds[input.purpose]);
  await tx.invitation.create({
    data: {
      id,
      purpose: input.purpose,
      email: input.email ?? null,
      personId: input.personId ?? null,
      roles: [...input.roles],
      tokenDigest: sha256(token),
      createdById: ctx.actor.kind === 'person' ? ctx.actor.personId : null,
      createdAt: now,
      expiresAt,
    },
  });
  await recordEvent(tx, ctx, {
    kind: 'invitation.create',
    subjectId: id,
    data: {
      purpose: input.purpose,
      email: input.email ?? null,
      personId: input.personId ?? null,
      roles: input.roles,
    },
  });
  await notifyChange(tx, 'people', id);
  return {
    invitationId: id,
    url: `${consoleUrl(ctx.site, '/enrol')}#${token}`,
    expiresAt: expiresAt.toISOString(),
  };
}

async function endOpenInvitations(
  tx: Tx,
  ctx: Ctx,
  where: { id?: string; purpose?: InvitationPurpose; email?: string; personId?: string },
): Promise<number> {
  const { count } = await tx.invitation.updateMany({
    where: { ...where, redeemedAt: null, endedAt: null, expiresAt: { gt: ctx.clock.now() } },
    data: { endedAt: ctx.clock.now() },
  });
  if (count > 0) {
    await recordEvent(tx, ctx, {
      kind: 'invitation.end',
      subjectId: where.id ?? where.personId ?? where.email ?? where.purpose ?? '',
      data: { count },
    });
  }
  return count;
}

/** Ends every open link of a person, as part of a deactivation. */
export async function endInvitationsOf(tx: Tx, ctx: Ctx, personId: string): Promise<void> {
  await endOpenInvitations(tx, ctx, { personId });
}

function actorOf(person: { id: string; subject: string; displayName: string }): PersonActor {
  return {
    kind: 'person',
    personId: person.id,
    subject: person.subject,
    displayName: person.displayName,
    roles: [],
    via: 'session',
    sessionId: null,
    authnAt: null,
    elevatedAt: null,
  };
}

function requireField(value: string | undefined, path: string, message: string): string {
  if (value === undefined) throw new Invalid(message, { issues: [{ path, message }] });
  return value;
}
