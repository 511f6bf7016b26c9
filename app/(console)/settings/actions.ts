'use server';

import { defineAction } from '../../action.ts';

export const addCommandLineKey = defineAction('access.addCommandLineKey');
export const addPasskey = defineAction('access.addPasskey');
export const beginPasskey = defineAction('access.beginPasskey', { quiet: true });
export const changePassword = defineAction('access.changePassword');
export const createApiToken = defineAction('access.createApiToken');
export const editProfile = defineAction('access.editProfile');
export const endApiToken = defineAction('access.endApiToken');
export const endOtherSessions = defineAction('access.endOtherSessions');
export const removeKey = defineAction('access.removeKey');
export const renameKey = defineAction('access.renameKey');
export const unlinkProvider = defineAction('access.unlinkProvider');
export const endSession = defineAction('access.endSession');
export const testMail = defineAction('jobs.testMail', { quiet: true });
export const testProvider = defineAction('access.testProvider', { quiet: true });
