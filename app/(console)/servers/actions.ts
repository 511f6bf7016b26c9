'use server';

import { defineAction } from '../../action.ts';

export const addServer = defineAction('catalogue.addServer', { quiet: true });
export const editServer = defineAction('catalogue.editServer');
export const syncServer = defineAction('catalogue.syncServer');
export const classifyTools = defineAction('catalogue.classifyTools');
