import type { RequestFormActions } from '#components/requests/request-form.tsx';
import {
  createRequest,
  discardDraft,
  editRequest,
  endLeakedSecret,
  previewRequest,
  readPaste,
  saveDraft,
  submitRequest,
} from './actions.ts';

/** What the form of a request can do, wherever it stands. */
export const formActions: RequestFormActions = {
  create: createRequest,
  edit: editRequest,
  submit: submitRequest,
  preview: previewRequest,
  draft: { save: saveDraft, discard: discardDraft },
  paste: { read: readPaste, endLeaked: endLeakedSecret },
};
