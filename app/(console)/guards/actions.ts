'use server';

import { defineAction } from '../../action.ts';

export const inviteGuard = defineAction('revocation.inviteGuard', { quiet: true });
export const revokeGuard = defineAction('revocation.revokeGuard');
