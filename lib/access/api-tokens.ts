import { z } from 'zod';
import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, LimitExceeded, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { newApiToken } from './api-token-format.ts';
import { hasRole, requirePerson } from './require.ts';
import { requireStepUp } from './step-up.ts';

export const longestTokenDays = 90;
const mostTokens = 20;

export const createApiTokenInput = z.strictObject({
  name: z.string().trim().min(1, 'Name what will use it.').max(100),
  days: z.int().min(1).max(longestTokenDays, `At most ${longestTokenDays} days.`).default(30),
});
export type CreatedApiToken = { tokenId: string; token: string; expiresAt: string };

/**
 * Makes an API token for the person at this browser and shows it, this once. It can do what its holder can at the
 * moment of each call, and never more; a token cannot make another, so a leaked one cannot outlive its own end.
 */
export async function createApiToken(
  ctx: Ctx,
  input: z.output<typeof createApiTokenInput>,
): Promise<CreatedApiToken> {
  const person = requireStepUp(ctx);
  const token = newApiToken();
  return withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const living = await tx.apiToken.count({
      where: { personId: person.personId, endedAt: null, expiresAt: { gt: now } },
    });
    if (living >= mostTokens)
      throw new LimitExceeded(`You have ${mostTokens} tokens. End one you no longer use.`);
    const id = newId('apiToken');
    const expiresAt = addSeconds(now, input.days * 24 * 3600);
    await tx.apiToken.create({
      data: {
        id,
        tokenDigest: sha256(token),
        personId: person.personId,
        name: input.name,
        createdAt: now,
        expiresAt,
      },
    });
    await recordEvent(tx, ctx, {
      kind: 'api_token.create',
      subjectId: id,
      data: { personId: person.personId, name: input.name, expiresAt: expiresAt.toISOString() },
    });
    await notifyChange(tx, 'people', person.personId);
    return { tokenId: id, token, expiresAt: expiresAt.toISOString() };
  });
}

export const endApiTokenInput = z.strictObject({ tokenId: z.string() });

/** Ends a token: one's own, or anybody's for an admin. */
export async function endApiToken(ctx: Ctx, input: z.output<typeof endApiTokenInput>): Promise<void> {
  const person = requirePerson(ctx);
  await withTransaction(ctx, async (tx) => {
    const token = await tx.apiToken.findUnique({ where: { id: input.tokenId } });
    if (!token || (token.personId !== person.personId && !hasRole(person, 'admin'))) throw new NotFound();
    const { count } = await tx.apiToken.updateMany({
      where: { id: token.id, endedAt: null, expiresAt: { gt: ctx.clock.now() } },
      data: { endedAt: ctx.clock.now() },
    });
    if (count === 0) throw new Conflict('This token has already ended.');
    await recordEvent(tx, ctx, {
      kind: 'api_token.end',
      subjectId: token.id,
      reason: 'ended',
      data: { personId: token.personId, name: token.name },
    });
    await notifyChange(tx, 'people', token.personId);
  });
}

/** Ends every living token of a person, one event each. */
export async function endTokensOf(tx: Tx, ctx: Ctx, personId: string, reason: string): Promise<void> {
  const now = ctx.clock.now();
  const living = await tx.apiToken.findMany({ where: { personId, endedAt: null, expiresAt: { gt: now } } });
  for (const token of living) {
    await tx.apiToken.updateMany({ where: { id: token.id, endedAt: null }, data: { endedAt: now } });
    await recordEvent(tx, ctx, {
      kind: 'api_token.end',
      subjectId: token.id,
      reason,
      data: { personId, name: token.name },
    });
  }
}
