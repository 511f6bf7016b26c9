import type { Role } from '#lib/platform/actor.ts';

/** What each role may do, in words a person understands: the matrix the verbs enforce, for people to read. */
export const rightsOf: Record<Role, readonly string[]> = {
  owner: [
    'Request agents, claim clients, and edit or withdraw own requests',
    'See own requests and agents, and those of their teams',
    'Reveal credentials of own agents, once',
    'Suspend and revoke own agents',
  ],
  approver: [
    'See all requests and agents',
    'Approve, narrow or reject requests, except ones they wrote, claimed or own, ones by whoever made them approver, and ones submitted before',
    'Suspend and revoke any agent',
    'Search all events',
  ],
  auditor: ['See everything but secrets', 'Search and export all events', 'Change nothing'],
  admin: [
    'Manage people, groups and roles',
    'Manage servers, tools, guards, keys and webhooks',
    'Suspend and revoke any agent',
    'Search all events',
  ],
};

/** The rights of several roles together; they add up, separation of duties still holds. */
export function effectiveRights(roles: readonly Role[]): { right: string; from: readonly Role[] }[] {
  const sources = new Map<string, Role[]>();
  for (const role of roles) {
    for (const right of rightsOf[role]) sources.set(right, [...(sources.get(right) ?? []), role]);
  }
  return [...sources].map(([right, from]) => ({ right, from }));
}
