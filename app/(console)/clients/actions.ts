'use server';

import { defineAction } from '../../action.ts';

export const discardPending = defineAction('registration.discardPending');
export const endQuarantine = defineAction('registration.endQuarantine');
export const forgetClient = defineAction('registration.forgetClient');
