'use server';

import { defineAction } from '../../action.ts';

export const markNotificationsRead = defineAction('jobs.markNotificationsRead');
