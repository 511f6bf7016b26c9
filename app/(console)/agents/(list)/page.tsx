import { AgentsView } from '#components/agents/agents-view.tsx';
import { type AgentFilters, agentFilterNames } from '#components/agents/types.ts';
import { hasRole } from '#lib/access/require.ts';
import { readAgentFacets } from '#lib/agents/agent-filter.ts';
import { listAgents, listAgentsQuery } from '#lib/agents/read-agents.ts';
import { requirePage } from '../../../page-context.ts';

export const metadata = { title: 'Agents' };

export default async function AgentsPage({
  searchParams,
}: {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}) {
  const { ctx } = await requirePage();
  const filters = readFilters(await searchParams);
  const [initial, facets] = await Promise.all([
    listAgents(ctx, listAgentsQuery.parse(filters)),
    readAgentFacets(ctx),
  ]);
  return (
    <AgentsView
      initial={initial}
      facets={facets}
      filters={filters}
      mayRequest={hasRole(ctx.actor, 'owner')}
    />
  );
}

/** The filters of an address; one that nobody could have clicked is left out. */
function readFilters(given: Record<string, string | string[] | undefined>): AgentFilters {
  const filters: AgentFilters = {};
  for (const name of agentFilterNames) {
    const value = given[name];
    if (typeof value !== 'string' || value === '') continue;
    if (listAgentsQuery.shape[name].safeParse(value).success) filters[name] = value;
  }
  return filters;
}
