import { getJson } from '#components/console/fetch-json.ts';
import type { QueueRow, RequestDetail, RequestPage, Review } from '#lib/approvals/views.ts';

/** Where a list of requests stands: everything of it is in the address. */
export type RequestsAddress = {
  scope: 'mine' | 'team' | 'all';
  state?: string | undefined;
  decided?: string | undefined;
  q?: string | undefined;
  cursor?: string | undefined;
};
export type QueueView = 'waiting' | 'all' | 'decided';

export function requestsHref(address: RequestsAddress): string {
  return `/requests${search(address)}`;
}

function search(address: RequestsAddress): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(address)) if (value) given.set(name, value);
  const text = given.toString();
  return text ? `?${text}` : '';
}

/** Keys start with the topic that changes them. */
export const requestsQuery = (address: RequestsAddress) => ({
  queryKey: ['requests', 'list', address] as const,
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    getJson<RequestPage>(`/api/v1/requests${search(address)}` as '/api/v1/requests', signal),
});

export const requestQuery = (id: string) => ({
  queryKey: ['requests', 'one', id] as const,
  queryFn: ({ signal }: { signal: AbortSignal }) => getJson<RequestDetail>(`/api/v1/requests/${id}`, signal),
});

export const reviewQuery = (id: string) => ({
  queryKey: ['requests', 'review', id] as const,
  queryFn: ({ signal }: { signal: AbortSignal }) => getJson<Review>(`/api/v1/requests/${id}/review`, signal),
});

export const queueQuery = (view: QueueView) => ({
  queryKey: ['requests', 'queue', view] as const,
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    getJson<{ items: QueueRow[] }>(`/api/v1/review?view=${view}`, signal),
});
