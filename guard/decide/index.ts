export { decide } from './decide.ts';
export {
  type CompiledPolicies,
  checkPolicies,
  compilePolicies,
  PolicyProblem,
  slicePolicies,
  splitPolicies,
} from './policies.ts';
export type {
  AgentPrincipal,
  ClientPrincipal,
  Decision,
  DecisionInput,
  DecisionPoint,
  InvokeInput,
  Outcome,
  Reason,
  RegisterInput,
  ToolInput,
  ToolResource,
} from './types.ts';
export { WarmDecider } from './warm.ts';
