import { clientPatienceSeconds, waitSeconds } from './authorization-handle.ts';

/** What one wait has come to, and so what the waiting room shows and does. */
export type WaitingState =
  /** The approvers have not decided and the client still listens. */
  | 'waiting'
  /** Approved while the client listens: go on now. */
  | 'ready'
  /** The code is on its way to the client. */
  | 'continued'
  /** Approved, but the client has stopped listening. */
  | 'approved too late'
  /** Approved, but not for the server this sign-in is about. */
  | 'approved elsewhere'
  /** Nobody decided in time: the client is told with access_denied, or has already stopped listening. */
  | 'time is up'
  | 'client gone'
  /** Decided against: reason, then access_denied to the client. */
  | 'rejected'
  | 'withdrawn'
  | 'request expired'
  | 'changes requested'
  /** Stopped after the approval. */
  | 'stopped'
  /** The client was sent back without a code. */
  | 'ended';

export type WaitingFacts = {
  status: string;
  endCause: string | null;
  deadlineAt: Date;
  requestState: string | null;
  instanceState: string;
  agentState: string | null;
  now: Date;
};

/** When the client itself gives up: whatever is sent to its port after this reaches nobody. */
export function clientGoneAt(deadlineAt: Date): Date {
  return new Date(deadlineAt.getTime() + (clientPatienceSeconds - waitSeconds) * 1000);
}

/** End causes written by whoever suspends or revokes an agent. */
export const stoppedCauses: readonly string[] = ['agent suspend', 'agent revoke'];

export function waitingState(facts: WaitingFacts): WaitingState {
  if (facts.status === 'continued') return 'continued';
  // A stop ended the wait behind the browser's back: its client has not been told yet.
  if (facts.status === 'ended') return stoppedCauses.includes(facts.endCause ?? '') ? 'stopped' : 'ended';
  const isGone = facts.now >= clientGoneAt(facts.deadlineAt);
  const stopped =
    ['suspended', 'revoked', 'expired'].includes(facts.instanceState) ||
    ['suspended', 'revoked'].includes(facts.agentState ?? '');
  if (facts.requestState === 'rejected') return 'rejected';
  if (facts.requestState === 'withdrawn') return 'withdrawn';
  if (facts.requestState === 'expired') return 'request expired';
  if (stopped) return 'stopped';
  if (facts.status === 'ready') return isGone ? 'approved too late' : 'ready';
  if (facts.instanceState === 'active' && facts.agentState === 'active') {
    // Who waits at the approval is made ready by it, unless it left this server out.
    return facts.now >= facts.deadlineAt ? 'approved too late' : 'approved elsewhere';
  }
  if (facts.requestState === 'changes requested') return isGone ? 'client gone' : 'changes requested';
  if (isGone) return 'client gone';
  return facts.now >= facts.deadlineAt ? 'time is up' : 'waiting';
}
