import { z } from 'zod';
import { recordEvent } from '#lib/audit/record.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { randomToken, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound, Unauthenticated } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { providerSessionMaxSeconds, sessionMaxSeconds } from './read-actor.ts';
import { livingPasskeysOf } from './relying-party.ts';
import { hasRole, requirePerson, requireSession } from './require.ts';

export type AuthMethod = 'password' | 'provider' | 'recovery' | 'demo';
export type SessionEndCause =
  | 'signed out'
  | 'killed'
  | 'rotated'
  | 'deactivated'
  | 'password changed'
  | 'rights changed'
  | 'unlinked'
  | 'keys reset';

/** The dance has this long to come back with its proof. */
const handoffSeconds = 60;

/**
 * The proof that somebody has just signed in, handed to whoever ran the dance: one use, sixty seconds, digest stored.
 * Turned into a session by `openSession`. `provedAt` is when they proved who they are: a provider may let somebody in
 * who did so hours ago.
 */
export async function createHandoff(
  tx: Pick<Tx, 'signInHandoff'>,
  ctx: Pick<Ctx, 'clock'>,
  personId: string,
  authMethod: AuthMethod,
  provedAt: Date | null = authMethod === 'provider' ? null : ctx.clock.now(),
): Promise<string> {
  const token = randomToken();
  await tx.signInHandoff.create({
    data: {
      tokenDigest: sha256(token),
      personId,
      authMethod,
      provedAt,
      expiresAt: addSeconds(ctx.clock.now(), handoffSeconds),
    },
  });
  return token;
}

export const openSessionInput = z.strictObject({
  handoff: z.string().min(20).max(128),
  /** The session cookie the browser still holds, whoever's it is: it ends, so no planted session survives a sign-in. */
  previousToken: z.string().max(128).nullable(),
});

export type OpenedSession = { token: string; expiresAt: string; personId: string };

/**
 * Opens a session for a fresh sign-in and returns its token, shown this once and stored as a digest. The hand-over
 * token is used up in the same transaction: of two callers one gets a session, the other `Unauthenticated`.
 *
 * @anonymous The one-time hand-over token is the right: whoever holds it has just signed in.
 */
export async function openSession(
  ctx: Ctx,
  input: z.output<typeof openSessionInput>,
): Promise<OpenedSession> {
  const token = randomToken();
  return withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const tokenDigest = sha256(input.handoff);
    const used = await tx.signInHandoff.updateMany({
      where: { tokenDigest, usedAt: null, expiresAt: { gt: now } },
      data: { usedAt: now },
    });
    if (used.count === 0) throw new Unauthenticated('This sign-in was used or took too long. Sign in again.');
    const handoff = await tx.signInHandoff.findUniqueOrThrow({ where: { tokenDigest } });
    const person = await tx.person.findUnique({ where: { id: handoff.personId } });
    if (person?.state !== 'active') throw new Unauthenticated('This account cannot sign in.');
    if (input.previousToken) await endByToken(tx, ctx, input.previousToken, 'rotated');
    const id = newId('session');
    const isByProvider = handoff.authMethod === 'provider';
    const expiresAt = addSeconds(now, isByProvider ? providerSessionMaxSeconds : sessionMaxSeconds);
    // A sign-in counts as a proof from when it was given, but for whoever has a passkey to prove it with here.
    const passkeys = await tx.personKey.count({
      where: livingPasskeysOf(ctx.site, person.id),
    });
    const elevatedAt = passkeys === 0 ? handoff.provedAt : null;
    await tx.personSession.create({
      data: {
        id,
        tokenDigest: sha256(token),
        personId: person.id,
        authMethod: handoff.authMethod,
        authnAt: now,
        createdAt: now,
        lastSeenAt: now,
        expiresAt,
        elevatedAt,
        elevatedBy: elevatedAt && handoff.authMethod,
        address: ctx.address,
        userAgent: ctx.userAgent?.slice(0, 300) ?? null,
      },
    });
    const actor: PersonActor = {
      kind: 'person',
      personId: person.id,
      subject: person.subject,
      displayName: person.displayName,
      roles: [],
      via: 'session',
      sessionId: id,
      authnAt: now,
      elevatedAt,
    };
    await recordEvent(
      tx,
      { ...ctx, actor },
      {
        kind: 'session.open',
        subjectId: id,
        data: { personId: person.id, authMethod: handoff.authMethod },
      },
    );
    await notifyChange(tx, 'people', person.id);
    return { token, expiresAt: expiresAt.toISOString(), personId: person.id };
  });
}

export const signOutInput = z.strictObject({});

/** Ends the session of this very browser. The cookie is worthless afterwards, wherever a copy of it lies. */
export async function signOut(ctx: Ctx): Promise<void> {
  const person = requireSession(ctx);
  await withTransaction(ctx, async (tx) => {
    await endSessions(tx, ctx, { id: person.sessionId }, 'signed out');
  });
}

export const endSessionInput = z.strictObject({ sessionId: z.string() });

/** Ends one session: one's own, or anybody's for an admin. */
export async function endSession(ctx: Ctx, input: z.output<typeof endSessionInput>): Promise<void> {
  const person = requirePerson(ctx);
  await withTransaction(ctx, async (tx) => {
    const session = await tx.personSession.findUnique({ where: { id: input.sessionId } });
    if (!session || (session.personId !== person.personId && !hasRole(person, 'admin'))) throw new NotFound();
    const ended = await endSessions(tx, ctx, { id: session.id }, 'killed');
    if (ended === 0) throw new Conflict('This session has already ended.');
  });
}

export const endOtherSessionsInput = z.strictObject({});

/** Ends every session of one's own but this one, and says how many. */
export async function endOtherSessions(ctx: Ctx): Promise<{ ended: number }> {
  const person = requireSession(ctx);
  return withTransaction(ctx, async (tx) => ({
    ended: await endSessions(tx, ctx, { personId: person.personId, id: { not: person.sessionId } }, 'killed'),
  }));
}

/** Ends the living sessions that match, one event each, and returns how many there were. */
export async function endSessions(
  tx: Tx,
  ctx: Ctx,
  where: { id?: string | { not: string }; personId?: string; authMethod?: AuthMethod },
  cause: SessionEndCause,
): Promise<number> {
  const now = ctx.clock.now();
  const living = await tx.personSession.findMany({
    where: { ...where, endedAt: null, expiresAt: { gt: now } },
    select: { id: true, personId: true },
  });
  let ended = 0;
  for (const session of living) {
    const { count } = await tx.personSession.updateMany({
      where: { id: session.id, endedAt: null },
      data: { endedAt: now, endCause: cause },
    });
    if (count === 0) continue;
    ended++;
    await recordEvent(tx, ctx, {
      kind: 'session.end',
      subjectId: session.id,
      reason: cause,
      data: { personId: session.personId },
    });
    await notifyChange(tx, 'people', session.personId);
  }
  return ended;
}

async function endByToken(tx: Tx, ctx: Ctx, token: string, cause: SessionEndCause): Promise<void> {
  const session = await tx.personSession.findUnique({
    where: { tokenDigest: sha256(token) },
    select: { id: true },
  });
  if (session) await endSessions(tx, ctx, { id: session.id }, cause);
}
