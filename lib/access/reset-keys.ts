import { z } from 'zod';
import { notify } from '#lib/audit/notify.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden, NotFound } from '#lib/platform/errors.ts';
import { endTokensOf } from './api-tokens.ts';
import { endInvitationsOf } from './invitations.ts';
import { endIdentities } from './link-provider.ts';
import { endKeys } from './person-keys.ts';
import { requireRole } from './require.ts';
import { listAdminIds } from './roles.ts';
import { endSessions } from './sessions.ts';
import { requireStepUp } from './step-up.ts';

export const resetKeysInput = z.strictObject({
  personId: z.string().max(64),
  reason: z.string().trim().min(1, 'Say why.').max(500),
});

/**
 * The way back for somebody who lost their passkeys, or whose passkeys a stranger may hold: all their keys end, and with
 * them whatever else a stranger could have left: sessions, API tokens, open links and single sign-on. Another admin does
 * it, never the person themselves, who would need no thief to do it for them. It opens no way in: a reset link does, and
 * that of an approver or admin waits for a second admin.
 */
export async function resetKeys(
  ctx: Ctx,
  input: z.output<typeof resetKeysInput>,
): Promise<{ endedKeys: number }> {
  const admin = requireRole(ctx, 'admin');
  requireStepUp(ctx);
  if (admin.personId === input.personId) throw new Forbidden('Another admin must reset your passkeys.');
  return withTransaction(ctx, async (tx) => {
    const person = await tx.person.findUnique({
      where: { id: input.personId },
      select: { id: true, displayName: true },
    });
    if (!person) throw new NotFound();
    const endedKeys = await endKeys(tx, ctx, { personId: person.id }, 'reset', input.reason);
    if (endedKeys === 0) throw new Conflict('This person has no passkey and no signing key.');
    await endIdentities(tx, ctx, person.id, 'keys reset');
    await endTokensOf(tx, ctx, person.id, 'keys reset');
    await endInvitationsOf(tx, ctx, person.id);
    await endSessions(tx, ctx, { personId: person.id }, 'keys reset');
    await notify(tx, ctx, {
      personIds: [person.id],
      kind: 'person_key.end',
      title: `${admin.displayName} reset your passkeys`,
      body: `Your API tokens and single sign-on ended with them. You enrol a new passkey in the settings after you have signed in. They wrote: ${input.reason}`,
      href: '/settings/keys',
    });
    const others = (await listAdminIds(tx, ctx)).filter((id) => id !== admin.personId && id !== person.id);
    await notify(tx, ctx, {
      personIds: others,
      kind: 'person_key.end',
      title: `${admin.displayName} reset the passkeys of ${person.displayName}`,
      body: `If this was not agreed with you, ask both of them now. They wrote: ${input.reason}`,
      href: `/people/${person.id}`,
    });
    return { endedKeys };
  });
}
