'use server';

import { defineAction } from '../../action.ts';

export const commentRequest = defineAction('requests.comment');
export const createRequest = defineAction('requests.create');
export const discardDraft = defineAction('requests.discardDraft', { quiet: true });
export const editRequest = defineAction('requests.edit');
export const previewRequest = defineAction('requests.preview', { quiet: true });
export const readPaste = defineAction('requests.readPaste', { quiet: true });
export const saveDraft = defineAction('requests.saveDraft', { quiet: true });
export const endLeakedSecret = defineAction('revocation.endLeakedSecret', { quiet: true });
export const submitRequest = defineAction('requests.submit');
export const withdrawRequest = defineAction('requests.withdraw');
