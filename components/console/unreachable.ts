import type { ActionProblem } from './action.ts';

/** The server gave no answer at all: what happened is not known. */
export const unreachable: ActionProblem = {
  code: 'internal',
  detail:
    'The server did not answer. Nothing was changed as far as this page knows; look again before you repeat it.',
  requestId: '',
  issues: [],
  facts: {},
};
