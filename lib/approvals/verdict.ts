import type { AgentPrincipal, Outcome, Reason } from '#guard/decide/index.ts';
import type { Purpose } from '#lib/agents/purpose.ts';
import { decide, policiesInForce } from '#lib/policy/policies.ts';

export type ToolVerdict = {
  toolId: string;
  name: string;
  serverId: string;
  outcome: Outcome;
  reasons: Reason[];
  policies: string[];
};

/** What policy says about a request, tool by tool, and the strictest of it. Stored with the revision. */
export type Verdict = { outcome: Outcome; policyVersion: string; tools: ToolVerdict[] };

export type VerdictInput = {
  agentId: string;
  ownerId: string;
  sourceId: string;
  clientClass: string;
  purpose: Pick<Purpose, 'attended' | 'dataClass'>;
  tools: readonly {
    toolId: string;
    name: string;
    serverId: string;
    class: AgentTool['class'];
    risk: AgentTool['risk'];
  }[];
};
type AgentTool = Parameters<typeof decide<'claim'>>[1]['tool'];

/** Asks the policies in force about each tool of a proposal, as of `now`. */
export function judgeProposal(input: VerdictInput, now: Date): Verdict {
  const agent: AgentPrincipal = {
    id: input.agentId,
    state: 'pending',
    owner: input.ownerId,
    source: input.sourceId,
    clientClass: input.clientClass,
    attended: input.purpose.attended,
    dataClass: input.purpose.dataClass,
  };
  const tools = input.tools.map((tool): ToolVerdict => {
    const { serverId, name } = tool;
    const decision = decide(
      'claim',
      { agent, tool: { serverId, name, class: tool.class, risk: tool.risk }, bound: false, at: now },
      serverId,
    );
    return {
      toolId: tool.toolId,
      name,
      serverId,
      outcome: decision.outcome,
      reasons: decision.reasons,
      policies: decision.policies,
    };
  });
  const strictest = (['deny', 'needs_review', 'permit'] as const).find((outcome) =>
    tools.some((tool) => tool.outcome === outcome),
  );
  return { outcome: strictest ?? 'needs_review', policyVersion: policiesInForce().version, tools };
}
