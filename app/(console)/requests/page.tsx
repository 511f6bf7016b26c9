import type { Metadata } from 'next';
import type { RequestsAddress } from '#components/requests/queries.ts';
import { RequestsView } from '#components/requests/requests-view.tsx';
import { listRequests, listRequestsQuery } from '#lib/approvals/read-requests.ts';
import { requirePage } from '../../page-context.ts';

export const metadata: Metadata = { title: 'Requests' };

export default async function RequestsPage({
  searchParams,
}: {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}) {
  const { ctx, viewer } = await requirePage();
  const given = await searchParams;
  const isOwner = viewer.roles.includes('owner');
  const seesAll = viewer.roles.some((role) => role !== 'owner');
  const parsed = listRequestsQuery.safeParse({ scope: isOwner ? 'mine' : 'all', ...given });
  const query = parsed.success ? parsed.data : listRequestsQuery.parse({ scope: isOwner ? 'mine' : 'all' });
  const address: RequestsAddress = {
    scope: query.scope,
    state: query.state,
    decided: query.decided,
    q: query.q,
    cursor: query.cursor,
  };
  return (
    <RequestsView
      key={address.scope}
      address={address}
      initial={await listRequests(ctx, query)}
      canAsk={isOwner}
      scopes={isOwner ? (seesAll ? ['mine', 'all'] : ['mine', 'team']) : ['all']}
    />
  );
}
