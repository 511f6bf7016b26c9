import type { Actor, PersonActor, Role } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Forbidden, Unauthenticated } from '#lib/platform/errors.ts';

/** The person acting. Throws `Unauthenticated` for anyone who is not a signed-in person or their API token. */
export function requirePerson(ctx: Ctx): PersonActor {
  if (ctx.actor.kind !== 'person') throw new Unauthenticated();
  return ctx.actor;
}

/** The person acting, who must hold one of the roles right now. Names what is missing and who can grant it. */
export function requireRole(ctx: Ctx, ...anyOf: readonly Role[]): PersonActor {
  const person = requirePerson(ctx);
  if (!person.roles.some((role) => anyOf.includes(role))) {
    throw new Forbidden(`This needs the role ${anyOf.join(' or ')}. An admin can grant it under People.`, {
      missingRole: anyOf,
    });
  }
  return person;
}

/** A browser session, not an API token: for what a person must see themselves (claims, reveals, key and role changes). */
export function requireSession(ctx: Ctx): PersonActor & { sessionId: string } {
  const person = requirePerson(ctx);
  if (person.via !== 'session' || !person.sessionId) {
    throw new Forbidden('This must be done in the browser by the person themselves.');
  }
  return { ...person, sessionId: person.sessionId };
}

/** Only the host: jobs, first start, the command line. */
export function requireSystem(ctx: Ctx): Extract<Actor, { kind: 'system' }> {
  if (ctx.actor.kind !== 'system') throw new Forbidden('This is done by the installation itself.');
  return ctx.actor;
}

export function hasRole(actor: Actor, ...anyOf: readonly Role[]): boolean {
  return actor.kind === 'person' && actor.roles.some((role) => anyOf.includes(role));
}
