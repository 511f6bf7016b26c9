import { PeopleView } from '#components/people/people-view.tsx';
import { countPeople, listOpenInvitations, listPeople, listPeopleQuery } from '#lib/access/read-people.ts';
import { readStaffing } from '#lib/access/read-staffing.ts';
import { hasRole } from '#lib/access/require.ts';
import { requirePage } from '../../page-context.ts';
import { confirmPasswordReset, endInvitation, invitePerson } from './actions.ts';

export const metadata = { title: 'People' };

type Props = { searchParams: Promise<Record<string, string | string[] | undefined>> };

export default async function PeoplePage({ searchParams }: Props) {
  const { ctx } = await requirePage('admin', 'auditor');
  // A hand-edited address shows the unfiltered list rather than an error.
  const query = listPeopleQuery.catch({ limit: 50 }).parse(await searchParams);
  const [page, counts, staffing, invitations] = await Promise.all([
    listPeople(ctx, query).catch(() => listPeople(ctx, { limit: 50 })),
    countPeople(ctx),
    readStaffing(ctx),
    listOpenInvitations(ctx),
  ]);
  return (
    <PeopleView
      page={page}
      counts={counts}
      staffing={staffing}
      invitations={invitations}
      filters={{
        search: query.search ?? '',
        role: query.role ?? null,
        state: query.state ?? null,
        paged: Boolean(query.cursor),
      }}
      canManage={hasRole(ctx.actor, 'admin')}
      actions={{ invitePerson, endInvitation, confirmPasswordReset }}
    />
  );
}
