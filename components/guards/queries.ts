import { queryOptions } from '@tanstack/react-query';
import { getJson } from '#components/console/fetch-json.ts';
import type { GuardRow } from './types.ts';

/** How often "last seen" is read again: guards are heard from without anything else changing. */
const freshEveryMs = 10_000;

/** Keys start with the topic that makes them stale. */
export function guardsQuery(initialData: GuardRow[]) {
  return queryOptions({
    queryKey: ['guards', 'list'],
    queryFn: async ({ signal }) => (await getJson<{ items: GuardRow[] }>('/api/v1/guards', signal)).items,
    initialData,
    refetchInterval: freshEveryMs,
  });
}
