'use server';

import { headers } from 'next/headers';
import { redirect } from 'next/navigation';
import { DomainError } from '#lib/platform/errors.ts';
import { readCaller } from '../../caller.ts';
import { consoleSite } from '../../page-context.ts';
import { isSameOrigin } from '../../same-origin.ts';
import { callVerb } from '../../verbs.ts';
import { dropSessionCookie, sentSessionToken } from '../session-cookie.ts';

/** Ends this session and takes its cookie away. A session that has ended already is no reason to keep the cookie. */
export async function signOut(): Promise<void> {
  if (!isSameOrigin(await headers(), consoleSite().consoleOrigin)) redirect('/sign-out');
  const caller = await readCaller();
  try {
    await callVerb('access.signOut', {}, { ...caller, sessionToken: await sentSessionToken() });
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
  }
  await dropSessionCookie();
  redirect('/sign-in?signed-out');
}
