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
