import { z } from 'zod';
import { type Role, roles } from './actor.ts';

/** The OpenID Provider people may sign in with, as the operator configured it. Carries no secret. */
export type IdentityProvider = {
  /** What people know it as. */
  readonly name: string;
  /** Issuer identifier, compared to the byte (OpenID Connect Discovery 1.0 §4.3, Core 1.0 §3.1.3.7). */
  readonly issuer: string;
  readonly clientId: string;
  /** Scopes asked for, `openid` among them. */
  readonly scope: string;
  /** Claim of the ID token that lists a person's groups. */
  readonly groupsClaim: string;
  /** Roles by group, for as long as somebody is in it. */
  readonly roles: readonly GroupRoles[];
  /** Who of those it knows gets an account here by signing in. */
  readonly enrols: 'anyone' | 'groups';
  /** Whether an address the provider says nothing about counts as verified. */
  readonly assumesVerifiedEmail: boolean;
};

export type GroupRoles = { readonly group: string; readonly roles: readonly Role[] };

/** `{"group": ["role", …], …}` as JSON: a group's name may hold any character, a directory's path for example. */
export const groupRoles = z
  .string()
  .transform((text, context): unknown => {
    try {
      const given: unknown = JSON.parse(text);
      return given instanceof Object && !Array.isArray(given) ? Object.entries(given) : given;
    } catch {
      context.addIssue({ code: 'custom', message: 'must be JSON such as {"security":["approver"]}' });
      return z.NEVER;
    }
  })
  .pipe(
    z.array(z.tuple([z.string().min(1), z.array(z.enum(roles as readonly [Role, ...Role[]])).min(1)]), {
      error: 'must name groups and, for each, a list of the roles owner, approver, auditor and admin',
    }),
  )
  .transform((given): GroupRoles[] => given.map(([group, roles]) => ({ group, roles })));

/** An issuer identifier: a URL without query and fragment, https unless on loopback (Discovery 1.0 §2). */
export function isProviderUrl(text: string, isLoopbackHost: (host: string) => boolean): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname));
}
