'use server';

import { defineAction } from '../../action.ts';

export const markNotificationsRead = defineAction('jobs.markNotificationsRead');
export const createWebhook = defineAction('jobs.createWebhook');
export const endWebhook = defineAction('jobs.endWebhook');
export const replayDelivery = defineAction('jobs.replayDelivery');
