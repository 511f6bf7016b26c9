'use server';

import { defineAction } from '../../action.ts';

export const addGroupMember = defineAction('access.addGroupMember');
export const confirmPasswordReset = defineAction('access.confirmPasswordReset');
export const confirmRole = defineAction('access.confirmRole');
export const createGroup = defineAction('access.createGroup');
export const deactivatePerson = defineAction('access.deactivatePerson');
export const endApiToken = defineAction('access.endApiToken');
export const endInvitation = defineAction('access.endInvitation');
export const endRole = defineAction('access.endRole');
export const endSession = defineAction('access.endSession');
export const grantRole = defineAction('access.grantRole');
export const invitePerson = defineAction('access.invitePerson');
export const issuePasswordReset = defineAction('access.issuePasswordReset');
export const reactivatePerson = defineAction('access.reactivatePerson');
export const removeGroupMember = defineAction('access.removeGroupMember');
export const resetKeys = defineAction('access.resetKeys');
export const unlinkPerson = defineAction('access.unlinkPerson');
