'use server';

import { defineAction } from '../../action.ts';

const toWaitingRoom = (output: { transactionId: string }) => `/waiting/${output.transactionId}`;

export const submitClaim = defineAction('requests.submitClaim', { redirectTo: toWaitingRoom });
export const linkInstance = defineAction('requests.linkInstance', { redirectTo: toWaitingRoom });
export const continueApproved = defineAction('registration.continueApproved', { redirectTo: toWaitingRoom });
export const joinWaiting = defineAction('registration.joinWaiting', { redirectTo: toWaitingRoom });
export const previewRequest = defineAction('requests.preview', { quiet: true });
