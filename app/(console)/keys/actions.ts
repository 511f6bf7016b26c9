'use server';

import { defineAction } from '../../action.ts';

export const rotateKey = defineAction('credentials.rotateKey');
export const killKey = defineAction('credentials.killKey');
export const checkKeys = defineAction('credentials.checkKeys', { quiet: true });
