import { redirect } from 'next/navigation';
import { ClientsView } from '#components/clients/clients-view.tsx';
import { DomainError } from '#lib/platform/errors.ts';
import { clientsQuery, listClientGroups, readClientFacets } from '#lib/registration/read-clients.ts';
import { requirePage } from '../../page-context.ts';

export const metadata = { title: 'Clients' };

type Props = { searchParams: Promise<Record<string, string | string[] | undefined>> };

export default async function ClientsPage({ searchParams }: Props) {
  const { ctx } = await requirePage('owner', 'approver', 'auditor', 'admin');
  const given = Object.entries(await searchParams).filter(
    ([, value]) => typeof value === 'string' && value !== '',
  );
  const parsed = clientsQuery.safeParse(Object.fromEntries(given));
  // An address somebody edited by hand: the list without its filters is more use than an error.
  if (!parsed.success) redirect('/clients');
  const query = parsed.data;
  const [list, facets] = await Promise.all([
    listClientGroups(ctx, query).catch((error: unknown) => {
      if (error instanceof DomainError && error.code === 'invalid') redirect('/clients');
      throw error;
    }),
    readClientFacets(ctx),
  ]);
  const { state, kind, source, fingerprint, q } = query;
  return (
    <ClientsView
      groups={list.groups}
      facets={facets}
      filter={{ state, kind, source, fingerprint, q }}
      nextCursor={list.nextCursor}
      isFirstPage={query.cursor === undefined}
    />
  );
}
