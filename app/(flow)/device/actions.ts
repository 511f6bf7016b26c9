'use server';

import { defineAction } from '../../action.ts';

export const denyDevice = defineAction('registration.denyDevice');
export const openDevice = defineAction('registration.openDevice', {
  redirectTo: ({ deviceId }) => `/device/${deviceId}`,
});
export const matchDevice = defineAction('registration.matchDevice', {
  redirectTo: ({ handle }) => `/claim?${new URLSearchParams({ handle })}`,
});
