import { beginConfirmation, confirm } from '#lib/access/confirm.ts';
import { addPasskey, beginPasskey } from '#lib/access/person-keys.ts';
import { findSession } from '#lib/access/read-actor.ts';
import { createHandoff, openSession } from '#lib/access/sessions.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Authenticator } from './authenticator.ts';

/** Makes a passkey for the actor, who must have proved who they are, and enrols it. */
export async function enrolPasskey(ctx: Ctx, name = 'Laptop'): Promise<Authenticator> {
  const authenticator = new Authenticator(ctx.site.consoleOrigin);
  const response = authenticator.create(await beginPasskey(ctx));
  await addPasskey(ctx, { name, response });
  return authenticator;
}

/** Signs a person in by their password and returns a context of that session, and its token. */
export async function signInAs(
  ctx: Ctx,
  person: Pick<PersonActor, 'personId'>,
): Promise<{ token: string; ctx: Ctx }> {
  const visitor: Ctx = { ...ctx, actor: { kind: 'anonymous' } };
  const handoff = await createHandoff(ctx.db.prisma, visitor, person.personId, 'password');
  const { token } = await openSession(visitor, { handoff, previousToken: null });
  return { token, ctx: await ctxOfToken(visitor, token) };
}

/** The context of whoever holds this session token, as a request of theirs would get it. */
export async function ctxOfToken(ctx: Ctx, token: string): Promise<Ctx> {
  const session = await findSession(ctx, token);
  if (!session) throw new Error('this session has ended');
  return { ...ctx, actor: session.actor };
}

/** Confirms with a passkey and returns the context of the session afterwards. */
export async function confirmWith(ctx: Ctx, authenticator: Authenticator): Promise<Ctx> {
  const way = await beginConfirmation(ctx);
  if (way.way !== 'passkey') throw new Error(`asked to confirm by ${way.way}`);
  const { token } = await confirm(ctx, { assertion: authenticator.get(way.options) });
  return ctxOfToken(ctx, token);
}
