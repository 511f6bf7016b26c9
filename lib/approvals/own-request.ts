import { requirePerson } from '#lib/access/require.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Forbidden } from '#lib/platform/errors.ts';

/** The actor, who must be the owner of the request or whoever wrote it: others may look at it and comment. */
export function requireOwnRequest(
  ctx: Ctx,
  request: { ownerId: string; createdById: string; label: string },
): PersonActor {
  const person = requirePerson(ctx);
  if (person.personId !== request.ownerId && person.personId !== request.createdById) {
    throw new Forbidden(`${request.label} belongs to somebody else. You can comment on it.`);
  }
  return person;
}
