import { err, ok, type Result } from '#lib/platform/result.ts';

/** The life of a registration request. Pure: every verb asks here and then writes conditionally on what it read. */
export type RequestState =
  | 'draft'
  | 'submitted'
  | 'changes requested'
  | 'approved'
  | 'rejected'
  | 'withdrawn'
  | 'expired';

export type RequestAction =
  | 'edit'
  | 'submit'
  | 'approve'
  | 'reject'
  | 'request changes'
  | 'withdraw'
  | 'expire';

export type RequestKind = 'new' | 'change' | 'reinstate';

export type RequestFacts = {
  state: RequestState;
  /** Whether the current revision was written after changes were last requested. */
  revisedSinceChanges: boolean;
};

export type RefusedMove =
  | { tag: 'wrong_state'; state: RequestState; action: RequestAction }
  /** Sent back for changes: the same words again are not an answer. */
  | { tag: 'same_revision' };

const moves: Record<RequestState, Partial<Record<RequestAction, RequestState>>> = {
  draft: { edit: 'draft', submit: 'submitted', withdraw: 'withdrawn', expire: 'expired' },
  submitted: {
    // A late edit is a new revision of a request that still waits; decisions on the old one are stale.
    edit: 'submitted',
    approve: 'approved',
    reject: 'rejected',
    'request changes': 'changes requested',
    withdraw: 'withdrawn',
    expire: 'expired',
  },
  'changes requested': {
    edit: 'changes requested',
    submit: 'submitted',
    withdraw: 'withdrawn',
    expire: 'expired',
  },
  approved: {},
  rejected: {},
  withdrawn: {},
  expired: {},
};

export const requestStates = Object.keys(moves) as RequestState[];
export const requestActions: readonly RequestAction[] = [
  'edit',
  'submit',
  'approve',
  'reject',
  'request changes',
  'withdraw',
  'expire',
];

export function nextRequestState(
  facts: RequestFacts,
  action: RequestAction,
): Result<RequestState, RefusedMove> {
  const next = moves[facts.state][action];
  if (!next) return err({ tag: 'wrong_state', state: facts.state, action });
  if (facts.state === 'changes requested' && action === 'submit' && !facts.revisedSinceChanges) {
    return err({ tag: 'same_revision' });
  }
  return ok(next);
}

/** Nothing leads out of these; a later request links to the earlier. */
export function isRequestEnded(state: RequestState): boolean {
  return Object.keys(moves[state]).length === 0;
}

export function isRequestOpen(state: RequestState): boolean {
  return !isRequestEnded(state);
}

/**
 * How long a request may wait, in seconds. A quarantine ends by itself within a day, and a request that would activate
 * a quarantined client cannot outlive it; one about an approved agent holds nothing open and may wait a week.
 */
export const quarantineRequestSeconds = 24 * 3600;
export const standingRequestSeconds = 7 * 24 * 3600;
/** A draft nobody submits goes away after this. */
export const draftSeconds = 7 * 24 * 3600;

/** Time within which a decision is owed, in seconds, by risk: the more can go wrong, the sooner somebody looks. */
export const reviewDueSeconds: Record<'low' | 'medium' | 'high', number> = {
  high: 4 * 3600,
  medium: 8 * 3600,
  low: 16 * 3600,
};
