import { z } from 'zod';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { hashPassword, verifyPassword } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden, Invalid, NotFound } from '#lib/platform/errors.ts';
import { endTokensOf } from './api-tokens.ts';
import { endInvitationsOf } from './invitations.ts';
import { displayNameInput, longestPassword, newPasswordInput, requireGoodPassword } from './passwords.ts';
import { requireToken } from './rate-limit.ts';
import { requireRole, requireSession } from './require.ts';
import { endAllRoles, requireAnotherAdmin } from './roles.ts';
import { endSessions } from './sessions.ts';
import { requireStepUp } from './step-up.ts';

export const deactivatePersonInput = z.strictObject({
  personId: z.string(),
  reason: z.string().trim().min(1, 'Say why.').max(500),
});

/**
 * Deactivates a leaver: sessions, API tokens, links and roles end at once, and so does every right of the agents they
 * own, because whoever issues or checks a credential looks at its owner. Nothing is deleted: history keeps the name.
 */
export async function deactivatePerson(
  ctx: Ctx,
  input: z.output<typeof deactivatePersonInput>,
): Promise<void> {
  const admin = requireRole(ctx, 'admin');
  requireStepUp(ctx);
  if (admin.personId === input.personId) throw new Forbidden('Another admin must deactivate you.');
  await withTransaction(ctx, async (tx) => {
    const person = await tx.person.findUnique({ where: { id: input.personId } });
    if (!person) throw new NotFound();
    await requireAnotherAdmin(tx, ctx, person.id);
    const { count } = await tx.person.updateMany({
      where: { id: person.id, state: 'active' },
      data: { state: 'deactivated', deactivatedAt: ctx.clock.now() },
    });
    if (count === 0) throw new Conflict('This person is already deactivated.', { state: 'deactivated' });
    await endSessions(tx, ctx, { personId: person.id }, 'deactivated');
    await endTokensOf(tx, ctx, person.id, 'deactivated');
    await endInvitationsOf(tx, ctx, person.id);
    await endAllRoles(tx, ctx, person.id, admin, 'deactivated');
    await recordEvent(tx, ctx, {
      kind: 'person.deactivate',
      subjectId: person.id,
      reason: input.reason,
      before: { state: 'active' },
      after: { state: 'deactivated' },
    });
    await notifyChange(tx, 'people', person.id);
  });
}

export const reactivatePersonInput = z.strictObject({ personId: z.string() });

/** Lets a person sign in again. Roles do not come back by themselves: each is granted anew. */
export async function reactivatePerson(
  ctx: Ctx,
  input: z.output<typeof reactivatePersonInput>,
): Promise<void> {
  requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const person = await tx.person.findUnique({ where: { id: input.personId } });
    if (!person) throw new NotFound();
    const { count } = await tx.person.updateMany({
      where: { id: person.id, state: 'deactivated' },
      data: { state: 'active', deactivatedAt: null },
    });
    if (count === 0) throw new Conflict('This person is active.', { state: person.state });
    await recordEvent(tx, ctx, {
      kind: 'person.reactivate',
      subjectId: person.id,
      before: { state: 'deactivated' },
      after: { state: 'active' },
    });
    await notifyChange(tx, 'people', person.id);
  });
}

export const editProfileInput = z.strictObject({ displayName: displayNameInput });

/** Changes one's own name. The verified subject, which separation of duties compares, never changes. */
export async function editProfile(ctx: Ctx, input: z.output<typeof editProfileInput>): Promise<void> {
  const actor = requireSession(ctx);
  await withTransaction(ctx, async (tx) => {
    const person = await tx.person.findUniqueOrThrow({ where: { id: actor.personId } });
    if (person.displayName === input.displayName) return;
    await tx.person.update({ where: { id: person.id }, data: { displayName: input.displayName } });
    await recordEvent(tx, ctx, {
      kind: 'person.edit',
      subjectId: person.id,
      before: { displayName: person.displayName },
      after: { displayName: input.displayName },
    });
    await notifyChange(tx, 'people', person.id);
  });
}

const passwordTries = { capacity: 5, refillSeconds: 30 };

export const changePasswordInput = z.strictObject({
  currentPassword: z.string().max(longestPassword * 4),
  password: newPasswordInput,
});

/** Sets a new password after the current one; every other session ends, whoever sits in it. */
export async function changePassword(
  ctx: Ctx,
  input: z.output<typeof changePasswordInput>,
): Promise<{ endedSessions: number }> {
  const actor = requireSession(ctx);
  await requireToken(ctx, `password:${actor.personId}`, passwordTries);
  const person = await ctx.db.prisma.person.findUniqueOrThrow({
    where: { id: actor.personId },
    include: { password: true },
  });
  if (!(await verifyPassword(input.currentPassword, person.password?.hash ?? null))) {
    throw new Invalid('The current password is not right.', {
      issues: [{ path: 'currentPassword', message: 'This is not your current password.' }],
    });
  }
  requireGoodPassword(input.password, person);
  const hash = await hashPassword(input.password);
  return withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const { count } = await tx.passwordCredential.updateMany({
      where: { personId: person.id, hash: person.password?.hash },
      data: { hash, updatedAt: now },
    });
    if (count === 0) throw new Conflict('The password was changed meanwhile. Sign in again.');
    await recordEvent(tx, ctx, { kind: 'person.password', subjectId: person.id, reason: 'changed' });
    const endedSessions = await endSessions(
      tx,
      ctx,
      { personId: person.id, id: { not: actor.sessionId } },
      'password changed',
    );
    await notify(tx, ctx, {
      personIds: [person.id],
      kind: 'person.password',
      title: 'Your password was changed',
      body: 'If this was not you, ask an admin at once to end your sessions and to make you a reset link.',
      href: '/settings/sessions',
    });
    return { endedSessions };
  });
}
