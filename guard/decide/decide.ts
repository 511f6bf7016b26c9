import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { canonicalJson, sha256 } from '../canonical.ts';
import type { CompiledPolicies } from './policies.ts';
import type {
  AgentPrincipal,
  Decision,
  DecisionInput,
  DecisionPoint,
  InvokeInput,
  Outcome,
  RegisterInput,
  ToolInput,
} from './types.ts';

/**
 * The one place where policy says yes or no, the same at the gate and at every
 * guard. Permit only when a policy permits, none forbids and none failed: a
 * forbid whose condition errors would otherwise be skipped and let the call
 * through. A review asked for by a forbid turns a permit into `needs_review`;
 * it never softens a deny.
 */
export function decide<P extends DecisionPoint>(
  policies: CompiledPolicies,
  point: P,
  input: DecisionInput<P>,
): Decision {
  const call =
    point === 'register'
      ? registerCall(input as RegisterInput)
      : toolCall(point, input as ToolInput | InvokeInput, policies);
  const full = ask(policies.setId, call);
  if (full.errors.length > 0) return policyError(policies, full.errors);
  if (full.allowed) return answer(policies, 'permit', full.determining);

  const onlyAsksForReview =
    policies.setIdWithoutReview !== null &&
    full.determining.length > 0 &&
    full.determining.every((id) => policies.facts.get(id)?.needsReview);
  if (onlyAsksForReview && policies.setIdWithoutReview !== null) {
    const firm = ask(policies.setIdWithoutReview, call);
    if (firm.errors.length > 0) return policyError(policies, firm.errors);
    return firm.allowed
      ? answer(policies, 'needs_review', full.determining)
      : answer(policies, 'deny', firm.determining);
  }
  // A firm forbid decides alone; a review beside it would only confuse.
  const firmIds = full.determining.filter((id) => !policies.facts.get(id)?.needsReview);
  return answer(policies, 'deny', firmIds);
}

type CedarCall = Omit<cedar.StatefulAuthorizationCall, 'preparsedPolicySetId'>;

function ask(setId: string, call: CedarCall): { allowed: boolean; determining: string[]; errors: string[] } {
  const result = cedar.statefulIsAuthorized({ ...call, preparsedPolicySetId: setId });
  if (result.type === 'failure')
    return { allowed: false, determining: [], errors: result.errors.map((error) => error.message) };
  const { decision, diagnostics } = result.response;
  return {
    allowed: decision === 'allow',
    determining: diagnostics.reason,
    errors: diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`),
  };
}

function answer(policies: CompiledPolicies, outcome: Outcome, determining: string[]): Decision {
  const ids = [...determining].sort();
  return {
    outcome,
    reasons:
      outcome === 'permit'
        ? []
        : ids.length === 0
          ? [{ code: 'nothing_permits', text: 'No policy permits this.', remedy: null }]
          : ids.flatMap((id) => policies.facts.get(id)?.reason ?? []),
    policyVersion: policies.version,
    policies: ids,
  };
}

function policyError(policies: CompiledPolicies, errors: string[]): Decision {
  return {
    outcome: 'deny',
    reasons: [
      {
        code: 'policy_error',
        // Cedar's message names attributes, not values.
        text: `A policy could not be evaluated, so nothing is permitted (${errors[0]?.slice(0, 200)}).`,
        remedy: 'An administrator has to mend the policy.',
      },
    ],
    policyVersion: policies.version,
    policies: [],
  };
}

function registerCall({ client, sourceId, at }: RegisterInput): CedarCall {
  const principal = { type: 'Client', id: client.id };
  return {
    principal,
    action: { type: 'Action', id: 'register' },
    resource: { type: 'Source', id: sourceId },
    context: { time: timeOf(at) },
    entities: [
      { uid: principal, attrs: { clientClass: client.clientClass, redirect: client.redirect }, parents: [] },
    ],
  };
}

function toolCall(
  point: Exclude<DecisionPoint, 'register'>,
  input: ToolInput | InvokeInput,
  policies: CompiledPolicies,
): CedarCall {
  const { agent, tool } = input;
  const principal = { type: 'Agent', id: agent.id };
  const resource = { type: 'Tool', id: `${tool.serverId}/${tool.name}` };
  const context: cedar.Context = { time: timeOf(input.at), bound: input.bound };
  if (point === 'invoke') context.arguments = argumentsOf(input as InvokeInput, policies.readsArguments);
  return {
    principal,
    action: { type: 'Action', id: point },
    resource,
    context,
    entities: [
      { uid: principal, attrs: agentAttributes(agent), parents: [] },
      {
        uid: resource,
        attrs: { name: tool.name, class: tool.class, risk: tool.risk },
        parents: [{ type: 'Server', id: tool.serverId }],
      },
    ],
  };
}

function agentAttributes(agent: AgentPrincipal): Record<string, cedar.CedarValueJson> {
  const { state, owner, source, clientClass, attended, dataClass } = agent;
  return { state, owner, source, clientClass, attended, dataClass };
}

function timeOf(at: Date): cedar.CedarValueJson {
  return {
    epochSeconds: Math.floor(at.getTime() / 1000),
    hour: at.getUTCHours(),
    weekday: at.getUTCDay() || 7,
  };
}

/** Hashing arguments nobody reads would cost more than the decision. */
function argumentsOf(input: InvokeInput, wanted: boolean): cedar.CedarValueJson {
  if (!wanted) return { digest: '', bytes: 0, pairs: [] };
  const given = input.arguments ?? {};
  const canonical = canonicalJson(given);
  const members = typeof given === 'object' && !Array.isArray(given) ? Object.entries(given) : [];
  return {
    digest: sha256(canonical),
    bytes: Buffer.byteLength(canonical),
    pairs: members
      .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
      .map(([name, value]) => `${name}=${String(value)}`),
  };
}
