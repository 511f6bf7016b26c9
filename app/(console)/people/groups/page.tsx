import { GroupsView } from '#components/people/groups-view.tsx';
import { countPeople, listGroups } from '#lib/access/read-people.ts';
import { hasRole } from '#lib/access/require.ts';
import { requirePage } from '../../../page-context.ts';
import { createGroup, removeGroupMember } from '../actions.ts';

export const metadata = { title: 'Groups' };

export default async function GroupsPage() {
  const { ctx } = await requirePage('admin', 'auditor');
  const [groups, counts] = await Promise.all([listGroups(ctx), countPeople(ctx)]);
  return (
    <GroupsView
      groups={groups}
      peopleCount={counts.active}
      canManage={hasRole(ctx.actor, 'admin')}
      actions={{ createGroup, removeGroupMember }}
    />
  );
}
