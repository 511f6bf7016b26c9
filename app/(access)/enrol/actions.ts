'use server';

import { redirect } from 'next/navigation';
import type { VerbInput, VerbOutput } from '#gate/verbs.ts';
import { type ActionState, defineAction } from '../../action.ts';
import { startSession } from '../session-cookie.ts';

export const readInvitation = defineAction('access.readInvitation', { anonymous: true, quiet: true });

const redeemInvitation = defineAction('access.redeemInvitation', { anonymous: true, quiet: true });

type Redeemed = VerbOutput<'access.redeemInvitation'>;

/** Uses the link and signs its person in. The proof of the sign-in stays on the server. */
export async function enrol(
  previous: ActionState<Redeemed> | null,
  input: VerbInput<'access.redeemInvitation'>,
): Promise<ActionState<Redeemed>> {
  const state = await redeemInvitation(previous, input);
  if (!state.ok) return state;
  await startSession(state.output.handoff);
  redirect('/');
}
