import { z } from 'zod';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { type PersonActor, type Role, roles } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { requireRole } from './require.ts';
import { endSessions } from './sessions.ts';
import { requireStepUp } from './step-up.ts';

export const roleInput = z.enum(roles as readonly [Role, ...Role[]]);

/** Roles whose holder loosens what others may do: with two admins or more, two of them must want it. */
export const weighty: ReadonlySet<Role> = new Set(['approver', 'admin']);

export const grantRoleInput = z.strictObject({ personId: z.string(), role: roleInput });
export type GrantOutcome = { grantId: string; state: 'in effect' | 'waits for a second admin' };

/**
 * Grants a role. Approver and admin wait for a second admin once two exist, so that no single admin can make a
 * helper who approves. One active grant of a role a person: of two admins granting at once one meets a conflict.
 */
export async function grantRole(ctx: Ctx, input: z.output<typeof grantRoleInput>): Promise<GrantOutcome> {
  const admin = requireRole(ctx, 'admin');
  requireStepUp(ctx);
  return withTransaction(ctx, async (tx) => {
    const person = await tx.person.findUnique({ where: { id: input.personId } });
    if (!person) throw new NotFound();
    if (person.state !== 'active')
      throw new Conflict('This person is deactivated. Reactivate them first.', { state: person.state });
    return grantRoleWithin(tx, ctx, {
      personId: person.id,
      displayName: person.displayName,
      role: input.role,
      grantedBy: admin,
    });
  });
}

/** The grant itself, inside a transaction that has established who grants: an admin, or the host (`grantedBy` null). */
export async function grantRoleWithin(
  tx: Tx,
  ctx: Ctx,
  grant: {
    personId: string;
    displayName: string;
    role: Role;
    grantedBy: { personId: string; displayName: string } | null;
  },
): Promise<GrantOutcome> {
  const { personId, role, grantedBy } = grant;
  const now = ctx.clock.now();
  const existing = await tx.roleGrant.findFirst({ where: { personId, role, endedAt: null } });
  if (existing) throw new Conflict(`This person already has the role ${role}, or it waits to be confirmed.`);
  const admins = await listAdminIds(tx, ctx);
  const waits = grantedBy !== null && weighty.has(role) && admins.length >= 2;
  const id = newId('roleGrant');
  await tx.roleGrant.create({
    data: {
      id,
      personId,
      role,
      grantedById: grantedBy?.personId ?? null,
      grantedAt: now,
      effectiveAt: waits ? null : now,
    },
  });
  await recordEvent(tx, ctx, {
    kind: 'role.grant',
    subjectId: id,
    data: { personId, role, waits },
    after: { role, state: waits ? 'waits for a second admin' : 'in effect' },
  });
  if (waits) {
    await notify(tx, ctx, {
      personIds: admins.filter((id) => id !== grantedBy.personId && id !== personId),
      kind: 'role.grant',
      title: `${grantedBy.displayName} wants to make ${grant.displayName} ${articled(role)}`,
      body: 'The role takes effect when a second admin confirms it.',
      href: `/people/${personId}`,
    });
  } else {
    await endSessionsBefore(tx, ctx, personId, role);
  }
  await notifyChange(tx, 'people', personId);
  return { grantId: id, state: waits ? 'waits for a second admin' : 'in effect' };
}

export const confirmRoleInput = z.strictObject({ grantId: z.string() });

/** The second admin's word on a waiting grant. Neither who granted it nor who would hold it can give it. */
export async function confirmRole(ctx: Ctx, input: z.output<typeof confirmRoleInput>): Promise<void> {
  const admin = requireRole(ctx, 'admin');
  requireStepUp(ctx);
  await withTransaction(ctx, async (tx) => {
    const grant = await tx.roleGrant.findUnique({ where: { id: input.grantId }, include: { person: true } });
    if (!grant) throw new NotFound();
    if (grant.effectiveAt || grant.endedAt)
      throw new Conflict('This grant no longer waits.', { state: grant.endedAt ? 'ended' : 'in effect' });
    const granter = grant.grantedById
      ? await tx.person.findUnique({ where: { id: grant.grantedById }, select: { subject: true } })
      : null;
    if (admin.subject === granter?.subject)
      throw new Forbidden('You granted this role yourself: another admin must confirm it.');
    if (admin.subject === grant.person.subject) throw new Forbidden('Nobody confirms a role of their own.');
    if (grant.person.state !== 'active')
      throw new Conflict('This person is deactivated.', { state: grant.person.state });
    const now = ctx.clock.now();
    const { count } = await tx.roleGrant.updateMany({
      where: { id: grant.id, effectiveAt: null, endedAt: null },
      data: { effectiveAt: now, confirmedById: admin.personId },
    });
    if (count === 0) throw new Conflict('This grant no longer waits.');
    await recordEvent(tx, ctx, {
      kind: 'role.confirm',
      subjectId: grant.id,
      data: { personId: grant.personId, role: grant.role },
      before: { state: 'waits for a second admin' },
      after: { state: 'in effect' },
    });
    await endSessionsBefore(tx, ctx, grant.personId, grant.role as Role);
    await notify(tx, ctx, {
      personIds: [grant.personId],
      kind: 'role.confirm',
      title: `You are now ${articled(grant.role)}`,
      body: `${admin.displayName} confirmed it. Sign in again to use it.`,
      href: '/',
    });
    await notifyChange(tx, 'people', grant.personId);
  });
}

export const endRoleInput = z.strictObject({
  grantId: z.string(),
  reason: z.string().trim().max(500).default(''),
});

/** Takes a role away, at once and by one admin: tightening needs one person. The last admin stays one. */
export async function endRole(ctx: Ctx, input: z.output<typeof endRoleInput>): Promise<void> {
  const admin = requireRole(ctx, 'admin');
  requireStepUp(ctx);
  await withTransaction(ctx, async (tx) => {
    const grant = await tx.roleGrant.findUnique({ where: { id: input.grantId } });
    if (!grant) throw new NotFound();
    if (grant.endedAt) throw new Conflict('This role was already taken away.', { state: 'ended' });
    if (grant.role === 'admin' && grant.effectiveAt) await requireAnotherAdmin(tx, ctx, grant.personId);
    await endGrant(tx, ctx, grant, admin, input.reason);
  });
}

/** Ends every role of a person, as part of a deactivation. */
export async function endAllRoles(
  tx: Tx,
  ctx: Ctx,
  personId: string,
  admin: PersonActor,
  reason: string,
): Promise<void> {
  const grants = await tx.roleGrant.findMany({ where: { personId, endedAt: null } });
  for (const grant of grants) await endGrant(tx, ctx, grant, admin, reason);
}

async function endGrant(
  tx: Tx,
  ctx: Ctx,
  grant: { id: string; personId: string; role: string; effectiveAt: Date | null },
  admin: PersonActor,
  reason: string,
): Promise<void> {
  const { count } = await tx.roleGrant.updateMany({
    where: { id: grant.id, endedAt: null },
    data: { endedAt: ctx.clock.now(), endedById: admin.personId },
  });
  if (count === 0) throw new Conflict('This role was already taken away.', { state: 'ended' });
  await recordEvent(tx, ctx, {
    kind: 'role.end',
    subjectId: grant.id,
    reason,
    data: { personId: grant.personId, role: grant.role },
    before: { state: grant.effectiveAt ? 'in effect' : 'waits for a second admin' },
    after: { state: 'ended' },
  });
  await notifyChange(tx, 'people', grant.personId);
}

/** Throws `Conflict` when nobody else would be left to run the platform. */
export async function requireAnotherAdmin(tx: Tx, ctx: Ctx, personId: string): Promise<void> {
  if (!(await hasAnotherAdmin(tx, ctx, personId))) {
    throw new Conflict('This is the last admin. Make somebody else admin first.', { state: 'last admin' });
  }
}

/** Whether somebody else can run the platform at this moment: a role that sleeps until its group is heard of does not count. */
export async function hasAnotherAdmin(tx: Tx, ctx: Ctx, personId: string): Promise<boolean> {
  const now = ctx.clock.now();
  const other = await tx.roleGrant.findFirst({
    where: {
      role: 'admin',
      endedAt: null,
      effectiveAt: { lte: now },
      OR: [{ lapsesAt: null }, { lapsesAt: { gt: now } }],
      person: { state: 'active' },
      NOT: { personId },
    },
    select: { id: true },
  });
  return other !== null;
}

/** The active admins whose grant is in effect, those whose role sleeps until they sign in again among them. */
export async function listAdminIds(tx: Pick<Tx, 'roleGrant'>, ctx: Pick<Ctx, 'clock'>): Promise<string[]> {
  const grants = await tx.roleGrant.findMany({
    where: {
      role: 'admin',
      endedAt: null,
      effectiveAt: { lte: ctx.clock.now() },
      person: { state: 'active' },
    },
    select: { personId: true },
  });
  return grants.map((grant) => grant.personId);
}

/** A session opened before a weighty role is not the session to use it in: its cookie may be somebody else's plant. */
export async function endSessionsBefore(tx: Tx, ctx: Ctx, personId: string, role: Role): Promise<void> {
  const isOwnAct = ctx.actor.kind === 'person' && ctx.actor.personId === personId;
  if (weighty.has(role) && !isOwnAct) await endSessions(tx, ctx, { personId }, 'rights changed');
}

function articled(role: string): string {
  return `${/^[aeiou]/.test(role) ? 'an' : 'a'} ${role}`;
}
