import { err, ok, type Result } from '#lib/platform/result.ts';

/**
 * The lives of agents, instances and bindings, as pure functions. Every transition anywhere goes through one of these
 * and is then written conditionally on the state it was read in.
 */
export type AgentState = 'pending' | 'active' | 'suspended' | 'revoked' | 'expired';
export type InstanceState = 'quarantined' | 'active' | 'suspended' | 'revoked' | 'expired' | 'rejected';
export type BindingState = 'active' | 'ended';

export type AgentAction = 'activate' | 'suspend' | 'reinstate' | 'revoke' | 'expire';
export type InstanceAction = 'activate' | 'suspend' | 'reinstate' | 'revoke' | 'expire' | 'reject';

export type WrongState<State extends string, Action extends string> = {
  tag: 'wrong_state';
  state: State;
  action: Action;
};

const agentMoves: Record<AgentState, Partial<Record<AgentAction, AgentState>>> = {
  pending: { activate: 'active', revoke: 'revoked', expire: 'expired' },
  active: { suspend: 'suspended', revoke: 'revoked', expire: 'expired' },
  suspended: { reinstate: 'active', revoke: 'revoked', expire: 'expired' },
  revoked: {},
  expired: {},
};

const instanceMoves: Record<InstanceState, Partial<Record<InstanceAction, InstanceState>>> = {
  // A refused, withdrawn or lapsed request ends the quarantine as `rejected`: the client is told so, exactly.
  quarantined: { activate: 'active', reject: 'rejected', revoke: 'revoked', expire: 'expired' },
  active: { suspend: 'suspended', revoke: 'revoked', expire: 'expired' },
  suspended: { reinstate: 'active', revoke: 'revoked', expire: 'expired' },
  revoked: {},
  expired: {},
  rejected: {},
};

export const agentStates = Object.keys(agentMoves) as AgentState[];
export const instanceStates = Object.keys(instanceMoves) as InstanceState[];

export function nextAgentState(
  state: AgentState,
  action: AgentAction,
): Result<AgentState, WrongState<AgentState, AgentAction>> {
  const next = agentMoves[state][action];
  return next ? ok(next) : err({ tag: 'wrong_state', state, action });
}

export function nextInstanceState(
  state: InstanceState,
  action: InstanceAction,
): Result<InstanceState, WrongState<InstanceState, InstanceAction>> {
  const next = instanceMoves[state][action];
  return next ? ok(next) : err({ tag: 'wrong_state', state, action });
}

/** The states an action is possible from: what a conditional update names. */
export function agentStatesBefore(action: AgentAction): AgentState[] {
  return agentStates.filter((state) => agentMoves[state][action]);
}

export function instanceStatesBefore(action: InstanceAction): InstanceState[] {
  return instanceStates.filter((state) => instanceMoves[state][action]);
}

/** Tombstones: nothing leads out of these, and the row stays. */
export function isAgentEnded(state: AgentState): boolean {
  return Object.keys(agentMoves[state]).length === 0;
}

export function isInstanceEnded(state: InstanceState): boolean {
  return Object.keys(instanceMoves[state]).length === 0;
}

export type BindingFacts = {
  endedAt: Date | null;
  expiresAt: Date | null;
  unusedEndsAt: Date;
  firstIssuedAt: Date | null;
};

/** Whether a binding grants anything at this instant. Its end by time needs no row to be written. */
export function bindingStateAt(binding: BindingFacts, now: Date): BindingState {
  if (binding.endedAt && binding.endedAt <= now) return 'ended';
  const end = binding.firstIssuedAt ? binding.expiresAt : binding.unusedEndsAt;
  return end && end <= now ? 'ended' : 'active';
}
