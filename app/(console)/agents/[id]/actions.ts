'use server';

import { defineAction } from '../../../action.ts';

export const suspendAgent = defineAction('revocation.suspendAgent', { quiet: true });
export const revokeAgent = defineAction('revocation.revokeAgent', { quiet: true });
export const askToReinstate = defineAction('requests.create', { quiet: true });
