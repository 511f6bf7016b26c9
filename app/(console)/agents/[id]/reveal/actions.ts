'use server';

import { defineAction } from '../../../../action.ts';

/** Quiet: the token is in this answer alone, and the page is not rendered again around it. */
export const revealCredential = defineAction('credentials.revealCredential', { quiet: true });
