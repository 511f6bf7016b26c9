import { decide } from './decide.ts';
import type { CompiledPolicies } from './policies.ts';
import type { AgentPrincipal, Decision, DecisionInput, ToolResource } from './types.ts';

type Remembered = { [slot in `${'list' | 'invoke'}${boolean}`]?: Decision };

/**
 * Remembers decisions about the same agent, tool and policies, as long as no
 * policy reads the time or the arguments. Keyed by the objects themselves: a
 * changed agent or tool is a new object, so nothing stale can be found, and
 * what nobody holds any more is forgotten.
 */
export class WarmDecider {
  readonly policies: CompiledPolicies;
  #byAgent = new WeakMap<AgentPrincipal, WeakMap<ToolResource, Remembered>>();

  constructor(policies: CompiledPolicies) {
    this.policies = policies;
  }

  decide<P extends 'list' | 'invoke'>(point: P, input: DecisionInput<P>): Decision {
    const volatile = this.policies.readsTime || (point === 'invoke' && this.policies.readsArguments);
    if (volatile) return decide(this.policies, point, input);
    const decisions = this.#decisionsFor(input.agent, input.tool);
    const slot = `${point}${input.bound}` as const;
    const known = decisions[slot];
    if (known) return known;
    const decision = decide(this.policies, point, input);
    decisions[slot] = decision;
    return decision;
  }

  #decisionsFor(agent: AgentPrincipal, tool: ToolResource): Remembered {
    let byTool = this.#byAgent.get(agent);
    if (!byTool) {
      byTool = new WeakMap();
      this.#byAgent.set(agent, byTool);
    }
    let decisions = byTool.get(tool);
    if (!decisions) {
      decisions = {};
      byTool.set(tool, decisions);
    }
    return decisions;
  }
}
