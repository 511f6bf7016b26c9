'use server';

import { defineAction } from '../../action.ts';

export const markNotificationsRead = defineAction('jobs.markNotificationsRead');
export const createWebhook = defineAction('jobs.createWebhook');
export const endWebhook = defineAction('jobs.endWebhook');
export const replayDelivery = defineAction('jobs.replayDelivery');
export const editWebhook = defineAction('jobs.editWebhook');
export const pauseWebhook = defineAction('jobs.pauseWebhook');
export const resumeWebhook = defineAction('jobs.resumeWebhook');
export const testWebhook = defineAction('jobs.testWebhook');
export const rotateWebhookSecret = defineAction('jobs.rotateWebhookSecret');
export const replayDeliveries = defineAction('jobs.replayDeliveries');
