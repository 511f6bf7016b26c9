'use client';

import { type QueryKey, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

/**
 * A query that starts with what the server's page read, and takes over what it reads later: when the page is rendered
 * again after an action, its data replaces what was kept. Live changes come through the key's topic.
 */
export function useKeptQuery<Data>(
  query: { queryKey: QueryKey; queryFn: (options: { signal: AbortSignal }) => Promise<Data> },
  initial: Data,
) {
  const client = useQueryClient();
  const key = JSON.stringify(query.queryKey);
  useEffect(() => {
    client.setQueryData(JSON.parse(key) as QueryKey, initial);
  }, [client, key, initial]);
  return useQuery<Data>({ ...query, initialData: initial as never });
}
