'use client';

import { useRouter } from 'next/navigation';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { FilterBar, SearchInput } from '#components/console/filters.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import { Avatar } from '#components/ui/avatar.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Select } from '#components/ui/select.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import type { InvitationRow, PersonRow } from '#lib/access/read-people.ts';
import type { Staffing } from '#lib/access/read-staffing.ts';
import type { Page } from '#lib/platform/cursor.ts';
import { type InviteAction, InviteDialog } from './invite-dialog.tsx';
import { type EndInvitationAction, OpenLinks } from './open-links.tsx';
import { RoleBadges } from './role-badges.tsx';

type Filters = { search: string; role: string | null; state: string | null; paged: boolean };
type Counts = Record<'owner' | 'approver' | 'auditor' | 'admin' | 'active' | 'deactivated', number>;

const columns: DataColumn<PersonRow>[] = [
  {
    id: 'name',
    header: 'Name',
    cell: (person) => (
      <span className="flex min-w-0 items-center gap-2">
        <Avatar name={person.displayName} />
        <span className="grid min-w-0">
          <span className="truncate font-medium">{person.displayName}</span>
          <span className="truncate text-fg-3 text-xs">{person.email}</span>
        </span>
      </span>
    ),
  },
  {
    id: 'roles',
    header: 'Roles',
    width: '17rem',
    cell: (person) => <RoleBadges roles={person.roles} waiting={person.waitingRoles} oneLine />,
  },
  {
    id: 'groups',
    header: 'Groups',
    width: '11rem',
    hideBelow: 'lg',
    cell: (person) =>
      person.groups.length > 0 ? person.groups.join(', ') : <span className="text-fg-3">None</span>,
  },
  {
    id: 'seen',
    header: 'Last seen',
    width: '8rem',
    hideBelow: 'md',
    cell: (person) =>
      person.lastSeenAt ? <RelativeTime at={person.lastSeenAt} /> : <span className="text-fg-3">Never</span>,
  },
  { id: 'state', header: 'State', width: '8rem', cell: (person) => <StatePill state={person.state} plain /> },
];

/** Everybody who can sign in or could, the links nobody has used yet, and who waits for a second admin. */
export function PeopleView({
  page,
  counts,
  staffing,
  invitations,
  filters,
  canManage,
  actions,
}: {
  page: Page<PersonRow>;
  counts: Counts;
  staffing: Staffing;
  invitations: readonly InvitationRow[];
  filters: Filters;
  canManage: boolean;
  actions: {
    invitePerson: InviteAction;
    endInvitation: EndInvitationAction;
    confirmPasswordReset: EndInvitationAction;
  };
}) {
  const router = useRouter();
  const href = (change: Partial<Record<'search' | 'role' | 'state' | 'cursor', string | null>>) => {
    const next = new URLSearchParams();
    const wanted = {
      search: filters.search,
      role: filters.role,
      state: filters.state,
      cursor: null,
      ...change,
    };
    for (const [name, value] of Object.entries(wanted)) if (value) next.set(name, value);
    return next.size > 0 ? `/people?${next}` : '/people';
  };
  const applied = [
    filters.search ? { label: `“${filters.search}”`, removeHref: href({ search: null }) } : null,
    filters.role ? { label: filters.role, removeHref: href({ role: null }) } : null,
    filters.state ? { label: filters.state, removeHref: href({ state: null }) } : null,
  ].filter((filter) => filter !== null);
  const everyRole = ['owner', 'approver', 'auditor', 'admin'] as const;

  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['people']} />
      <PageHeader
        title="People"
        description="Who may request, decide, audit and run this installation."
        actions={canManage ? <InviteDialog invitePerson={actions.invitePerson} /> : null}
      />
      <LinkTabs
        label="People and groups"
        current="people"
        tabs={[
          { value: 'people', label: 'People', href: '/people', count: counts.active },
          { value: 'groups', label: 'Groups', href: '/people/groups' },
        ]}
      />
      <Missing staffing={staffing} canManage={canManage} />
      <FilterBar applied={applied} clearHref="/people">
        <SearchInput
          label="Search people"
          placeholder="Name or e-mail address"
          value={filters.search}
          onSearch={(search) => router.replace(href({ search }))}
        />
        <Select
          aria-label="Role"
          className="w-40"
          value={filters.role ?? 'any'}
          onValueChange={(role) => router.replace(href({ role: role === 'any' ? null : role }))}
          options={[
            { value: 'any', label: 'Any role' },
            ...everyRole.map((role) => ({
              value: role,
              label: `${role[0]?.toUpperCase()}${role.slice(1)} (${counts[role]})`,
            })),
          ]}
        />
        <Select
          aria-label="State"
          className="w-40"
          value={filters.state ?? 'any'}
          onValueChange={(state) => router.replace(href({ state: state === 'any' ? null : state }))}
          options={[
            { value: 'any', label: 'Any state' },
            { value: 'active', label: `Active (${counts.active})` },
            { value: 'deactivated', label: `Deactivated (${counts.deactivated})` },
          ]}
        />
      </FilterBar>
      <DataTable
        label="People"
        rows={page.items}
        columns={columns}
        rowKey={(person) => person.personId}
        rowHref={(person) => `/people/${person.personId}`}
        empty={
          applied.length > 0 ? (
            <EmptyByFilter noun="people" clearHref="/people" />
          ) : (
            <EmptyState title="Nobody is here">Invite somebody to begin.</EmptyState>
          )
        }
      />
      <Pagination
        previousHref={filters.paged ? href({ cursor: null }) : null}
        nextHref={page.nextCursor ? href({ cursor: page.nextCursor }) : null}
      />
      {invitations.length > 0 && (
        <OpenLinks
          invitations={invitations}
          endInvitation={canManage ? actions.endInvitation : null}
          confirmPasswordReset={actions.confirmPasswordReset}
        />
      )}
    </div>
  );
}

/** What this installation cannot do for want of a person. */
function Missing({ staffing, canManage }: { staffing: Staffing; canManage: boolean }) {
  const { admins, approvers, undecidable } = staffing;
  const remedy = canManage ? '' : ' An admin can change that.';
  const names = new Intl.ListFormat('en').format(undecidable.map((person) => person.displayName));
  return (
    <>
      {approvers === 0 && (
        <Callout tone="danger" title="Nobody can approve anything">
          No active person holds the role approver, so every request waits and then expires. Grant it to
          somebody who owns no agents.{remedy}
        </Callout>
      )}
      {approvers > 0 && undecidable.length > 0 && (
        <Callout tone="warning" title={`Nobody can decide the requests of ${names}`}>
          They are the only approver, and nobody decides what is their own. A second approver is needed.
          {remedy}
        </Callout>
      )}
      {admins === 1 && (
        <Callout tone="warning" title="There is one admin only">
          If they are away or leave, the way back is the command line of the host. A second one also has to
          confirm who becomes approver or admin, which nobody does now.{remedy}
        </Callout>
      )}
    </>
  );
}
