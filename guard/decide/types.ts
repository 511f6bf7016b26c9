import type { ToolClass, ToolRisk } from '../protocol.ts';

/** Where a decision is taken; the Cedar action of the same name. */
export type DecisionPoint = 'register' | 'claim' | 'issue' | 'refresh' | 'list' | 'invoke';

export type Outcome = 'permit' | 'deny' | 'needs_review';

/** Why, and what to do about it, in words for people and models alike. */
export type Reason = { code: string; text: string; remedy: string | null };

export type Decision = {
  outcome: Outcome;
  /** Empty for a permit. */
  reasons: Reason[];
  policyVersion: string;
  /** Ids of the policies that determined the outcome; empty when none matched. */
  policies: string[];
};

/** Software that asks to be a client. */
export type ClientPrincipal = {
  id: string;
  clientClass: string;
  redirect: 'loopback' | 'https' | 'private-use' | 'none';
};

/** An agent, or at the claim the proposal of one, with state `pending`. */
export type AgentPrincipal = {
  id: string;
  state: string;
  owner: string;
  source: string;
  clientClass: string;
  attended: boolean;
  dataClass: string;
};

export type ToolResource = { serverId: string; name: string; class: ToolClass; risk: ToolRisk };

export type RegisterInput = { client: ClientPrincipal; sourceId: string; at: Date };
export type ToolInput = {
  agent: AgentPrincipal;
  tool: ToolResource;
  /** Whether a binding in force grants exactly this tool. */
  bound: boolean;
  at: Date;
};
export type InvokeInput = ToolInput & { arguments: unknown };

export type DecisionInput<P extends DecisionPoint> = P extends 'register'
  ? RegisterInput
  : P extends 'invoke'
    ? InvokeInput
    : ToolInput;
