import 'server-only';
import { cookies, headers } from 'next/headers';
import { cache } from 'react';
import { sessionCookieName } from '#gate/session-cookie.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { readConsoleEnvironment } from '#lib/platform/console-environment.ts';
import { equalInConstantTime } from '#lib/platform/crypto.ts';
import { newId } from '#lib/platform/ids.ts';

/** Who makes this request, as the gate established it for this very request. */
export type ConsoleCaller = {
  person: (PersonActor & { email: string }) | null;
  address: string | null;
  userAgent: string | null;
  traceId: string;
  nonce: string | null;
};

/**
 * The gate's introduction of the caller. Believed only together with this start's secret, which the gate adds and no
 * browser knows; without it the caller is nobody.
 */
export const readCaller = cache(async (): Promise<ConsoleCaller> => {
  const [given, jar] = await Promise.all([headers(), cookies()]);
  const { startSecret, consoleOrigin } = readConsoleEnvironment();
  const isFromGate =
    startSecret !== '' && equalInConstantTime(given.get('x-countersign-start') ?? '', startSecret);
  // Signing out renders the next page within the same request, whose introduction still names who has just left.
  const hasSession = Boolean(jar.get(sessionCookieName(consoleOrigin))?.value);
  const viewer = isFromGate && hasSession ? given.get('x-countersign-viewer') : null;
  return {
    person: viewer ? parsePerson(viewer) : null,
    address: isFromGate ? given.get('x-countersign-address') : null,
    userAgent: given.get('user-agent'),
    traceId: (isFromGate && given.get('x-countersign-trace')) || newId('trace'),
    nonce: given.get('x-nonce'),
  };
});

function parsePerson(encoded: string): PersonActor & { email: string } {
  const person = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')) as PersonActor & {
    email: string;
    authnAt: string | null;
    elevatedAt: string | null;
  };
  const instant = (text: string | null) => (text ? new Date(text) : null);
  return { ...person, authnAt: instant(person.authnAt), elevatedAt: instant(person.elevatedAt) };
}
