import 'server-only';
import { cookies } from 'next/headers';
import { sessionCookieName } from '#gate/session-cookie.ts';
import type { VerbInput, VerbName, VerbOutput } from '#gate/verbs.ts';
import { readCaller } from './caller.ts';
import { consoleSite } from './page-context.ts';
import { callVerb } from './verbs.ts';

/**
 * Calls a verb for a page or route that is opened, not submitted: opening a sealed link needs the gate's keys, and
 * going on from a wait is a navigation. The verb checks the session and everything else; what it changes it changes
 * once, for the one session it is about.
 */
export async function callFlowVerb<
  Name extends 'registration.openHandle' | 'registration.continueTransaction',
>(name: Name & VerbName, input: VerbInput<Name>): Promise<VerbOutput<Name>> {
  const [jar, caller] = await Promise.all([cookies(), readCaller()]);
  const sessionToken = jar.get(sessionCookieName(consoleSite().consoleOrigin))?.value ?? null;
  return callVerb(name, input, { sessionToken, address: caller.address, userAgent: caller.userAgent });
}
