'use server';

import type { ActionState } from '#components/console/action.ts';
import type { VerbInput } from '#gate/verbs.ts';
import { defineAction } from '../../action.ts';
import { startSession } from '../session-cookie.ts';

export const readInvitation = defineAction('access.readInvitation', { anonymous: true, quiet: true });

const redeemInvitation = defineAction('access.redeemInvitation', { anonymous: true, quiet: true });

/**
 * Uses the link and signs its person in. The proof of the sign-in stays on the server; the page then loads Home anew,
 * because this very request still counts as nobody's.
 */
export async function enrol(
  _previous: ActionState<{ personId: string }> | null,
  input: VerbInput<'access.redeemInvitation'>,
): Promise<ActionState<{ personId: string }>> {
  const state = await redeemInvitation(null, input);
  if (!state.ok) return state;
  await startSession(state.output.handoff);
  return { ok: true, output: { personId: state.output.personId } };
}
