import { queryOptions } from '@tanstack/react-query';
import { getJson } from '#components/console/fetch-json.ts';
import { type ServerRow, toServerRow } from './server-row.ts';

type Wire = { items: Parameters<typeof toServerRow>[0][] };

/** Keys start with the topic that makes them stale. */
export function serversQuery(initialData: ServerRow[]) {
  return queryOptions({
    queryKey: ['servers', 'list'],
    queryFn: async ({ signal }) => (await getJson<Wire>('/api/v1/servers', signal)).items.map(toServerRow),
    initialData,
  });
}

/** What `/api/v1/servers/{id}/reach` counts. */
export type ServerReach = {
  agents: { id: string; name: string; tools: number; losesEverything: boolean }[];
  liveTokens: number;
  refreshFamilies: number;
  resourceTokens: number;
  waitingBrowsers: number;
  openRequests: number;
  guards: { id: string; name: string; reachable: boolean }[];
};

/** Counted anew each time somebody asks. */
export function serverReachQuery(serverId: string) {
  return queryOptions({
    queryKey: ['servers', 'reach', serverId],
    queryFn: ({ signal }) =>
      getJson<ServerReach>(`/api/v1/servers/${encodeURIComponent(serverId)}/reach`, signal),
    staleTime: 0,
    gcTime: 0,
  });
}
