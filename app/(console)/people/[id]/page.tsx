import { notFound } from 'next/navigation';
import { PersonView } from '#components/people/person-view.tsx';
import { getPerson, listGroups } from '#lib/access/read-people.ts';
import { hasRole } from '#lib/access/require.ts';
import { effectiveRights } from '#lib/access/rights.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { requirePage } from '../../../page-context.ts';
import * as actions from '../actions.ts';

export const metadata = { title: 'Person' };

type Props = { params: Promise<{ id: string }> };

export default async function PersonPage({ params }: Props) {
  const { ctx } = await requirePage('admin', 'auditor');
  const { id } = await params;
  const person = await getPerson(ctx, id).catch((error: unknown) => {
    if (error instanceof NotFound) notFound();
    throw error;
  });
  const groups = await listGroups(ctx);
  const inEffect = person.grants.filter((grant) => grant.state === 'in effect').map((grant) => grant.role);
  return (
    <PersonView
      person={person}
      rights={person.state === 'active' ? effectiveRights(inEffect) : []}
      groups={groups.map((group) => ({ groupId: group.groupId, name: group.name, kind: group.kind }))}
      provider={
        ctx.site.identityProvider
          ? { name: ctx.site.identityProvider.name, issuer: ctx.site.identityProvider.issuer }
          : null
      }
      viewer={{ personId: ctx.actor.personId, canManage: hasRole(ctx.actor, 'admin') }}
      actions={{
        addGroupMember: actions.addGroupMember,
        confirmRole: actions.confirmRole,
        deactivatePerson: actions.deactivatePerson,
        endApiToken: actions.endApiToken,
        endRole: actions.endRole,
        endSession: actions.endSession,
        grantRole: actions.grantRole,
        issuePasswordReset: actions.issuePasswordReset,
        reactivatePerson: actions.reactivatePerson,
        removeGroupMember: actions.removeGroupMember,
        resetKeys: actions.resetKeys,
        unlinkPerson: actions.unlinkPerson,
      }}
    />
  );
}
