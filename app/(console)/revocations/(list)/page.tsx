import type { RevocationFilters } from '#components/revocations/queries.ts';
import { RevocationsView } from '#components/revocations/revocations-view.tsx';
import { listRevocations, listRevocationsQuery } from '#lib/revocation/list-revocations.ts';
import { requirePage } from '../../../page-context.ts';

export const metadata = { title: 'Revocations' };

export default async function RevocationsPage({
  searchParams,
}: {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}) {
  const { ctx } = await requirePage();
  const given = await searchParams;
  const filters: RevocationFilters = {
    ...(given.effect === 'suspend' || given.effect === 'revoke' ? { effect: given.effect } : {}),
    ...(given.open === 'true' ? { open: 'true' } : {}),
    ...(typeof given.cursor === 'string' ? { cursor: given.cursor } : {}),
  };
  const page = await listRevocations(ctx, listRevocationsQuery.parse(filters));
  return <RevocationsView initial={page} filters={filters} />;
}
