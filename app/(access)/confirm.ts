'use server';

import type { Action } from '#components/console/action.ts';
import type { VerbInput } from '#gate/verbs.ts';
import { defineAction } from '../action.ts';
import { keepSessionToken } from './session-cookie.ts';

export const beginConfirmation = defineAction('access.beginConfirmation', { quiet: true });
const confirmInGate = defineAction('access.confirm', { quiet: true });

/** Proves that it is still the person who signed in. The session's new token goes into the cookie, the page sees none. */
export const confirm: Action<VerbInput<'access.confirm'>, null> = async (_previous, input) => {
  const state = await confirmInGate(null, input);
  if (!state.ok) return state;
  await keepSessionToken(state.output.token, state.output.expiresAt);
  return { ok: true, output: null };
};
