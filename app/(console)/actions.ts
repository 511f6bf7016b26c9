'use server';

import { defineAction } from '../action.ts';

export const resumeIssuance = defineAction('revocation.resumeIssuance');
