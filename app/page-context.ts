import 'server-only';
import { headers } from 'next/headers';
import { forbidden, redirect } from 'next/navigation';
import { cache } from 'react';
import type { Viewer } from '#components/console/viewer.ts';
import { anonymous, type PersonActor, type Role } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { readConsoleEnvironment } from '#lib/platform/console-environment.ts';
import type { Ctx, Site } from '#lib/platform/ctx.ts';
import { readCaller } from './caller.ts';
import { consoleDb } from './console-db.ts';

/** A context that only reads, for the person looking at the page. */
export type PageCtx = Ctx & { readonly actor: PersonActor };
export type PageContext = { ctx: PageCtx; viewer: Viewer };

export function consoleSite(): Site {
  const { issuer, consoleOrigin, environment, demo, deviceGrant, identityProvider } =
    readConsoleEnvironment();
  return { issuer, consoleOrigin, environment, demo, deviceGrant, identityProvider };
}

/** A context for whoever asks, signed in or not: for the pages before sign-in and for route handlers. */
export const readPageCtx = cache(async (): Promise<Ctx> => {
  const caller = await readCaller();
  return {
    actor: caller.person ?? anonymous,
    clock: systemClock,
    db: consoleDb(),
    vault: null,
    site: consoleSite(),
    traceId: caller.traceId,
    address: caller.address,
    userAgent: caller.userAgent,
  };
});

/** The roles the page asked for, for the page that explains what is missing. */
export const neededRoles = cache((): { roles: readonly Role[] } => ({ roles: [] }));

/**
 * What a page of the console starts with: the person looking and a context that reads as them. Whoever is not signed
 * in goes to sign-in and comes back to this very address; whoever holds none of `anyOf` sees which role is missing
 * and who can grant it. With no roles named, any role will do; somebody without one is told how to get one.
 *
 * This decides what is shown first, not what may be read: the readers and verbs check the actor again.
 */
export async function requirePage(...anyOf: readonly Role[]): Promise<PageContext> {
  const page = await requireSignedIn();
  const { roles } = page.ctx.actor;
  if (roles.length === 0) redirect('/no-role');
  if (anyOf.length > 0 && !roles.some((role) => anyOf.includes(role))) {
    neededRoles().roles = anyOf;
    forbidden();
  }
  return page;
}

/** The same for pages that need a person and no role: settings, sign-out, the page about having no role. */
export async function requireSignedIn(): Promise<PageContext> {
  const ctx = await readPageCtx();
  if (ctx.actor.kind !== 'person') redirect(await signInPath());
  const caller = await readCaller();
  return { ctx: ctx as PageCtx, viewer: toViewer(ctx.actor, caller.person?.email ?? '', ctx.site) };
}

/** The sign-in page, told where to come back to. */
async function signInPath(): Promise<string> {
  // A page fetched by the router within the page carries a cache key of the framework's own.
  const path = ((await headers()).get('x-countersign-path') ?? '/')
    .replace(/([?&])_rsc=[^&]*&?/, '$1')
    .replace(/[?&]$/, '');
  return path === '/' ? '/sign-in' : `/sign-in?to=${encodeURIComponent(path)}`;
}

function toViewer(actor: PersonActor, email: string, site: Site): Viewer {
  return {
    personId: actor.personId,
    displayName: actor.displayName,
    email,
    roles: actor.roles,
    environment: site.demo ? 'demo' : site.environment,
    badges: {},
  };
}
