import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { Reason } from './types.ts';

/** The policy set cannot be used; `problems` are sentences for its author. */
export class PolicyProblem extends Error {
  readonly problems: string[];
  constructor(problems: string[]) {
    super(problems.join('; '));
    this.name = 'PolicyProblem';
    this.problems = problems;
  }
}

/** What one policy says about itself. */
type PolicyFacts = { effect: 'permit' | 'forbid'; needsReview: boolean; reason: Reason };

/**
 * Policies made ready to be asked. Cedar keeps parsed sets by name for the life
 * of the process, so names are handed back and used again.
 */
export type CompiledPolicies = {
  readonly version: string;
  /** Name of the whole set inside Cedar. */
  readonly setId: string;
  /** Name of the set without the forbids that only ask for review; null when there are none. */
  readonly setIdWithoutReview: string | null;
  readonly facts: ReadonlyMap<string, PolicyFacts>;
  readonly readsTime: boolean;
  readonly readsArguments: boolean;
};

const freeSetIds: string[] = [];
let setIdsMade = 0;
const returnSetIds = new FinalizationRegistry<string[]>((ids) => freeSetIds.push(...ids));

/**
 * Compiles Cedar policies given by id. `@outcome("needs_review")` on a forbid
 * makes it ask for a person instead of refusing; `@reason` and `@remedy` are
 * shown to whoever is refused. Throws `PolicyProblem` when one does not parse:
 * half a policy set decides nothing.
 */
export function compilePolicies(
  version: string,
  policies: Readonly<Record<string, string>>,
): CompiledPolicies {
  const problems: string[] = [];
  const facts = new Map<string, PolicyFacts>();
  const uses: ContextUse = { time: false, arguments: false };
  for (const [id, text] of Object.entries(policies)) {
    const answer = cedar.policyToJson(text);
    if (answer.type === 'failure') {
      problems.push(...answer.errors.map((error) => `${id}: ${error.message}`));
      continue;
    }
    facts.set(id, factsOf(id, answer.json));
    for (const condition of answer.json.conditions) noteContextUse(condition.body, uses);
  }
  if (problems.length > 0) throw new PolicyProblem(problems);

  const firm = Object.entries(policies).filter(([id]) => !facts.get(id)?.needsReview);
  const setIds = [parseSet(policies)];
  if (firm.length < facts.size) setIds.push(parseSet(Object.fromEntries(firm)));
  const compiled: CompiledPolicies = {
    version,
    setId: setIds[0] ?? '',
    setIdWithoutReview: setIds[1] ?? null,
    facts,
    readsTime: uses.time,
    readsArguments: uses.arguments,
  };
  returnSetIds.register(compiled, setIds);
  return compiled;
}

/**
 * The policies that can concern one server: all but those whose scope names
 * another one. What a server's decision costs then does not grow with the
 * policies of its neighbours.
 */
export function slicePolicies(
  policies: Readonly<Record<string, string>>,
  serverId: string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(policies).filter(([, text]) => {
      const server = serverInScope(text);
      return server === null || server === serverId;
    }),
  );
}

/**
 * Splits policy files into policies by their `@id`. Throws `PolicyProblem` when
 * one has none or two share one.
 */
export function splitPolicies(...files: string[]): Record<string, string> {
  const problems: string[] = [];
  const policies: Record<string, string> = {};
  for (const file of files) {
    const parts = cedar.policySetTextToParts(file);
    if (parts.type === 'failure') {
      problems.push(...parts.errors.map((error) => error.message));
      continue;
    }
    if (parts.policy_templates.length > 0) problems.push('templates are not supported');
    for (const text of parts.policies) {
      const json = cedar.policyToJson(text);
      const id = json.type === 'success' ? json.json.annotations?.id : undefined;
      if (!id) problems.push(`a policy has no @id: ${text.slice(0, 80)}`);
      else if (Object.hasOwn(policies, id)) problems.push(`two policies have the id ${id}`);
      else policies[id] = text;
    }
  }
  if (problems.length > 0) throw new PolicyProblem(problems);
  return policies;
}

/** Problems that strict validation against the schema finds, as sentences; none means sound. */
export function checkPolicies(schema: string, policies: Readonly<Record<string, string>>): string[] {
  const answer = cedar.validate({ schema, policies: { staticPolicies: { ...policies } } });
  if (answer.type === 'failure') return answer.errors.map((error) => error.message);
  return answer.validationErrors.map(({ policyId, error }) => `${policyId}: ${error.message}`);
}

function parseSet(policies: Readonly<Record<string, string>>): string {
  const setId = freeSetIds.pop() ?? `countersign-${++setIdsMade}`;
  const answer = cedar.preparsePolicySet(setId, { staticPolicies: { ...policies } });
  if (answer.type === 'failure') throw new PolicyProblem(answer.errors.map((error) => error.message));
  return setId;
}

function factsOf(id: string, json: cedar.PolicyJson): PolicyFacts {
  const { outcome, code, reason, remedy } = json.annotations ?? {};
  return {
    effect: json.effect,
    needsReview: json.effect === 'forbid' && outcome === 'needs_review',
    reason: {
      code: code ?? id,
      text: reason ?? `Policy ${id} does not allow this.`,
      remedy: remedy ?? null,
    },
  };
}

function serverInScope(text: string): string | null {
  const answer = cedar.policyToJson(text);
  if (answer.type === 'failure') return null;
  const { resource } = answer.json;
  const named =
    resource.op === '==' || resource.op === 'in'
      ? 'entity' in resource
        ? resource.entity
        : null
      : resource.op === 'is' && resource.in && 'entity' in resource.in
        ? resource.in.entity
        : null;
  if (!named) return null;
  const uid = '__entity' in named ? named.__entity : named;
  if (uid.type === 'Server') return uid.id;
  const slash = uid.id.indexOf('/');
  return uid.type === 'Tool' && slash > 0 ? uid.id.slice(0, slash) : null;
}

type ContextUse = { time: boolean; arguments: boolean };

/**
 * Which of the facts that change from call to call a condition reads. The
 * context used other than by a plain `context.name` counts as reading all.
 */
function noteContextUse(node: unknown, uses: ContextUse): void {
  if (Array.isArray(node)) {
    for (const each of node) noteContextUse(each, uses);
    return;
  }
  if (typeof node !== 'object' || node === null) return;
  const { '.': access, Var: variable } = node as { '.'?: { left: unknown; attr: unknown }; Var?: unknown };
  if (access && isContext(access.left)) {
    if (access.attr === 'time') uses.time = true;
    else if (access.attr !== 'bound') uses.arguments = true;
    return;
  }
  if (variable === 'context') {
    uses.time = true;
    uses.arguments = true;
    return;
  }
  for (const each of Object.values(node)) noteContextUse(each, uses);
}

function isContext(node: unknown): boolean {
  return typeof node === 'object' && node !== null && (node as { Var?: unknown }).Var === 'context';
}
