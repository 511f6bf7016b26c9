import { queryOptions } from '@tanstack/react-query';
import { getJson } from '#components/console/fetch-json.ts';
import { type AgentFilters, type AgentPage, agentFilterNames } from './types.ts';

/** The part of an address that holds the filters. */
export function toSearch(filters: AgentFilters): string {
  const parameters = new URLSearchParams();
  for (const name of agentFilterNames) {
    const value = filters[name];
    if (value) parameters.set(name, value);
  }
  return parameters.size > 0 ? `?${parameters}` : '';
}

/** Keys start with the topic that makes them stale. */
export function agentsQuery(filters: AgentFilters, initialData: AgentPage) {
  return queryOptions({
    queryKey: ['agents', 'list', filters],
    queryFn: ({ signal }) => getJson<AgentPage>(`/api/v1/agents${toSearch(filters)}`, signal),
    initialData,
  });
}

export type BlastRadius = {
  agent: { id: string; name: string; state: string; ownerName: string };
  liveTokens: number;
  refreshFamilies: number;
  instances: number;
  waitingBrowsers: number;
  openRequests: number;
  servers: {
    serverId: string;
    name: string;
    tools: string[];
    guards: { guardId: string; name: string; reachable: boolean }[];
  }[];
  lastIssuedAt: string | null;
  lastUsedAt: string | null;
};

/** Counted when it is looked at, never kept: it is what somebody decides on. */
export function blastRadiusQuery(agentId: string) {
  return queryOptions({
    queryKey: ['agents', 'blast-radius', agentId],
    queryFn: ({ signal }) =>
      getJson<BlastRadius>(`/api/v1/agents/${encodeURIComponent(agentId)}/blast-radius`, signal),
    staleTime: 0,
    gcTime: 0,
  });
}
