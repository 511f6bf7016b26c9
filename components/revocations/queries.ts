import { queryOptions } from '@tanstack/react-query';
import { getJson } from '#components/console/fetch-json.ts';

export type RevocationRow = {
  id: string;
  effect: 'suspend' | 'revoke';
  targetKind: 'agent' | 'server';
  agent: { id: string; name: string };
  cause: string;
  reason: string;
  actorName: string;
  committedAt: string;
  closedAt: string | null;
  guardsAsked: number;
  guardsAcknowledged: number;
  slowestMs: number | null;
};
export type RevocationPage = { items: RevocationRow[]; nextCursor: string | null };
export type RevocationFilters = { effect?: 'suspend' | 'revoke'; open?: string; cursor?: string };

export function toSearch(filters: RevocationFilters): string {
  const parameters = new URLSearchParams(Object.entries(filters).filter(([, value]) => value));
  return parameters.size > 0 ? `?${parameters}` : '';
}

/** Keys start with the topic that makes them stale. */
export function revocationsQuery(filters: RevocationFilters, initialData: RevocationPage) {
  return queryOptions({
    queryKey: ['revocations', 'list', filters],
    queryFn: ({ signal }) => getJson<RevocationPage>(`/api/v1/revocations${toSearch(filters)}`, signal),
    initialData,
  });
}
