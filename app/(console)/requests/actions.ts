'use server';

import { defineAction } from '../../action.ts';

export const commentRequest = defineAction('requests.comment');
export const createRequest = defineAction('requests.create');
export const editRequest = defineAction('requests.edit');
export const previewRequest = defineAction('requests.preview', { quiet: true });
export const submitRequest = defineAction('requests.submit');
export const withdrawRequest = defineAction('requests.withdraw');
