import { describeConstraint, unmetConstraint } from './constraints.ts';
import {
  compilePolicies,
  type Decision,
  PolicyProblem,
  type Reason,
  type ToolResource,
  WarmDecider,
} from './decide/index.ts';
import type { Params } from './json-rpc.ts';
import type { ToolFacts } from './protocol.ts';
import type { Slice } from './slice.ts';
import type { Principal } from './token.ts';

export type Verdict = {
  permitted: boolean;
  reasons: Reason[];
  /** Facts of the tool, if the server is known to have it. */
  tool: ToolFacts | null;
  policyVersion: string;
  policies: string[];
};

/** Decides about tools of one server with the policies its slice holds. */
export class Judge {
  #decider: { for: Slice['policy']; warm: WarmDecider | null } | null = null;

  /**
   * Whether the principal may call `name` with these arguments now. The grant is
   * checked beside policy, not by it: no policy can permit what nobody approved.
   */
  call(slice: Slice, principal: Principal, name: string, given: unknown, at: Date): Verdict {
    const tool = slice.tools.get(name);
    if (!tool)
      return refused(slice, null, 'tool_unknown', 'The tool is not in the catalogue of this server.', null);
    const granted = principal.tools.get(name);
    const decision = this.#decide(slice, 'invoke', principal, tool, granted !== undefined, at, given);
    if (!granted) return notGranted(slice, tool, decision);
    if (decision.outcome !== 'permit') return { ...decision, permitted: false, tool };
    const unmet = granted.constraints ? unmetConstraint(granted.constraints, given) : null;
    if (unmet) {
      const text = `The tool was approved on a condition this call does not meet: ${describeConstraint(unmet)}.`;
      return refused(
        slice,
        tool,
        'constraint_unmet',
        text,
        'Call it within the condition, or ask for a wider one.',
      );
    }
    return { ...decision, permitted: true, tool };
  }

  /** Whether the tool is shown to the principal. */
  lists(slice: Slice, principal: Principal, name: string, at: Date): boolean {
    const tool = slice.tools.get(name);
    if (!tool || !principal.tools.has(name)) return false;
    return this.#decide(slice, 'list', principal, tool, true, at, undefined).outcome === 'permit';
  }

  #decide(
    slice: Slice,
    point: 'list' | 'invoke',
    principal: Principal,
    tool: ToolResource,
    bound: boolean,
    at: Date,
    given: unknown,
  ): Decision {
    const warm = this.#deciderFor(slice);
    if (!warm)
      return {
        outcome: 'deny',
        reasons: [
          {
            code: 'policy_error',
            text: 'The policies cannot be read, so nothing is permitted.',
            remedy: null,
          },
        ],
        policyVersion: slice.policy.version,
        policies: [],
      };
    return warm.decide(point, { agent: principal.agent, tool, bound, at, arguments: given });
  }

  #deciderFor(slice: Slice): WarmDecider | null {
    if (this.#decider?.for === slice.policy) return this.#decider.warm;
    let warm: WarmDecider | null = null;
    try {
      warm = new WarmDecider(compilePolicies(slice.policy.version, slice.policy.policies));
    } catch (cause) {
      if (!(cause instanceof PolicyProblem)) throw cause;
    }
    this.#decider = { for: slice.policy, warm };
    return warm;
  }
}

function notGranted(slice: Slice, tool: ToolFacts, decision: Decision): Verdict {
  const verdict = refused(
    slice,
    tool,
    'not_granted',
    'This agent was not approved for this tool.',
    'Ask for it.',
  );
  return { ...verdict, policies: decision.policies };
}

function refused(
  slice: Slice,
  tool: ToolFacts | null,
  code: string,
  text: string,
  remedy: string | null,
): Verdict {
  return {
    permitted: false,
    reasons: [{ code, text, remedy }],
    tool,
    policyVersion: slice.policy.version,
    policies: [],
  };
}

/** How the guard treats a method. Methods that are not here are not passed on. */
export type MethodRule =
  /** Passed on to whoever has a live token. */
  | 'pass'
  /** `tools/call`: decided per tool. */
  | 'call'
  /** A list of which the approved part is shown. */
  | 'list'
  /** Follows a task that an allowed call began. */
  | 'task'
  /** Approvals name tools, so prompts and resources are nobody's yet: lists are empty, the rest is refused. */
  | 'nothing_listed'
  | 'refused';

const rules: Record<string, MethodRule> = Object.assign(Object.create(null), {
  initialize: 'pass',
  ping: 'pass',
  'server/discover': 'pass',
  'logging/setLevel': 'pass',
  'subscriptions/listen': 'pass',
  'tools/call': 'call',
  'tools/list': 'list',
  'tasks/list': 'list',
  'tasks/get': 'task',
  'tasks/result': 'task',
  'tasks/update': 'task',
  'tasks/cancel': 'task',
  'prompts/list': 'nothing_listed',
  'resources/list': 'nothing_listed',
  'resources/templates/list': 'nothing_listed',
  'prompts/get': 'refused',
  'resources/read': 'refused',
  'resources/subscribe': 'refused',
  'resources/unsubscribe': 'refused',
  'completion/complete': 'refused',
});

/** Null for a method nobody here knows. */
export function ruleFor(method: string): MethodRule | null {
  return rules[method] ?? null;
}

/** What a request is about, for reports: tool, prompt, resource or task. */
export function targetOf(params: Params | undefined): string | undefined {
  for (const name of ['name', 'uri', 'taskId']) {
    const value = params?.[name];
    if (typeof value === 'string') return value.slice(0, 2048);
  }
  return undefined;
}
