'use server';

import { defineAction } from '../../action.ts';

export const addServer = defineAction('catalogue.addServer', { quiet: true });
export const editServer = defineAction('catalogue.editServer');
export const syncServer = defineAction('catalogue.syncServer');
export const classifyTools = defineAction('catalogue.classifyTools');
export const createResourceToken = defineAction('credentials.createResourceToken');
export const endResourceToken = defineAction('credentials.endResourceToken');
export const probeServer = defineAction('catalogue.probeServer');
export const renameTool = defineAction('catalogue.renameTool');
export const retireServer = defineAction('revocation.retireServer', { quiet: true });
export const rotateResourceToken = defineAction('credentials.rotateResourceToken');
