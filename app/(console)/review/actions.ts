'use server';

import { defineAction } from '../../action.ts';

export const approveRequest = defineAction('requests.approve');
export const beginApproval = defineAction('requests.beginApproval', { quiet: true });
export const commentRequest = defineAction('requests.comment');
export const rejectRequest = defineAction('requests.reject');
export const requestChanges = defineAction('requests.requestChanges');
