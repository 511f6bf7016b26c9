import type { PersonActor, Role } from '#lib/platform/actor.ts';
import { hashPassword } from '#lib/platform/crypto.ts';
import type { Db } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import { justNow } from './ctx.ts';

const at = new Date('2026-01-05T08:00:00.000Z');

/**
 * Puts a person with roles in effect into the database and returns the actor they are when signed in. Grants come
 * from the host, long before anything a test does, unless `grantedById` says otherwise.
 */
export async function addPerson(
  db: Db,
  name: string,
  roles: readonly Role[],
  options: { password?: string; grantedById?: string; effectiveAt?: Date } = {},
): Promise<PersonActor & { sessionId: string; email: string }> {
  const personId = newId('person');
  const email = `${name}@example.test`;
  await db.prisma.person.create({
    data: { id: personId, subject: `local:${email}`, email, displayName: name, createdAt: at },
  });
  await db.prisma.roleGrant.createMany({
    data: roles.map((role) => ({
      id: newId('roleGrant'),
      personId,
      role,
      grantedById: options.grantedById ?? null,
      grantedAt: options.effectiveAt ?? at,
      effectiveAt: options.effectiveAt ?? at,
    })),
  });
  if (options.password) {
    await db.prisma.passwordCredential.create({
      data: { personId, hash: await hashPassword(options.password), updatedAt: at },
    });
  }
  return {
    kind: 'person',
    personId,
    subject: `local:${email}`,
    displayName: name,
    email,
    roles,
    via: 'session',
    sessionId: newId('session'),
    authnAt: at,
    elevatedAt: justNow,
  };
}
