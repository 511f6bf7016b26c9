/** Why a client is a tombstone. `unclaimed` keeps its metadata, so that its person can still ask again. */
export type ForgottenCause =
  | 'unclaimed'
  | 'evicted'
  | 'ended by approver'
  | 'forgotten'
  | 'deleted by client';

/** The same as a sentence, for the person at the sign-in page and for the console. */
export const forgottenBecause: Record<ForgottenCause, string> = {
  unclaimed: 'Nobody claimed it in time.',
  evicted: 'Nobody claimed it, and it made room for others.',
  'ended by approver': 'An approver ended its quarantine.',
  forgotten: 'An admin removed it.',
  'deleted by client': 'The client itself ended its registration.',
};
