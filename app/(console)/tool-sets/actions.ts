'use server';

import { defineAction } from '../../action.ts';

export const createToolSet = defineAction('catalogue.createToolSet', { quiet: true });
export const changeToolSet = defineAction('catalogue.changeToolSet');
