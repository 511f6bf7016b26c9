'use client';

import { Users } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { Dialog } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { RadioGroup } from '#components/ui/radio-group.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import type { GroupRow } from '#lib/access/read-people.ts';

type Kind = 'owner team' | 'approver group';
type Actions = {
  createGroup: Action<{ name: string; kind: Kind }, { groupId: string }>;
  removeGroupMember: Action<{ groupId: string; personId: string }, void>;
};

const explained: Record<string, string> = {
  'owner team': "Members see each other's requests and agents.",
  'approver group': 'People who can be asked to decide together.',
};

export function GroupsView({
  groups,
  peopleCount,
  canManage,
  actions,
}: {
  groups: readonly GroupRow[];
  peopleCount: number;
  canManage: boolean;
  actions: Actions;
}) {
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['people']} />
      <PageHeader
        title="People"
        description="Who may request, decide, audit and run this installation."
        actions={canManage ? <NewGroup createGroup={actions.createGroup} /> : null}
      />
      <LinkTabs
        label="People and groups"
        current="groups"
        tabs={[
          { value: 'people', label: 'People', href: '/people', count: peopleCount },
          { value: 'groups', label: 'Groups', href: '/people/groups', count: groups.length },
        ]}
      />
      {groups.length === 0 ? (
        <EmptyState icon={Users} title="No groups yet">
          An owner team lets its members see each other's requests and agents. An approver group names people
          who decide together.
        </EmptyState>
      ) : (
        <div className="grid gap-4 lg:grid-cols-2">
          {groups.map((group) => (
            <Card
              key={group.groupId}
              title={
                <span className="inline-flex flex-wrap items-center gap-2">
                  {group.name} <Badge>{group.kind}</Badge>
                </span>
              }
              description={explained[group.kind]}
            >
              <Members group={group} removeGroupMember={canManage ? actions.removeGroupMember : null} />
            </Card>
          ))}
        </div>
      )}
    </div>
  );
}

function Members({
  group,
  removeGroupMember,
}: {
  group: GroupRow;
  removeGroupMember: Actions['removeGroupMember'] | null;
}) {
  if (group.members.length === 0) {
    return <p className="text-fg-2 text-sm">Nobody is in it. Add people on their own pages.</p>;
  }
  return (
    <ul className="divide-y divide-line text-sm">
      {group.members.map((member) => (
        <li key={member.personId} className="flex flex-wrap items-center gap-2 py-1.5 first:pt-0 last:pb-0">
          <span className="min-w-32 flex-1">
            <TextLink href={`/people/${member.personId}`}>{member.displayName}</TextLink>
            <span className="block text-fg-3 text-xs">
              {member.state === 'deactivated' ? 'Deactivated, ' : ''}since{' '}
              <RelativeTime at={member.addedAt} />
            </span>
          </span>
          {removeGroupMember && (
            <TakeOut groupId={group.groupId} member={member} removeGroupMember={removeGroupMember} />
          )}
        </li>
      ))}
    </ul>
  );
}

function TakeOut({
  groupId,
  member,
  removeGroupMember,
}: {
  groupId: string;
  member: GroupRow['members'][number];
  removeGroupMember: Actions['removeGroupMember'];
}) {
  const { run, pending, problem } = useAction(removeGroupMember);
  return (
    <span className="grid gap-2">
      <Button
        size="sm"
        pending={pending}
        aria-label={`Take out ${member.displayName}`}
        onClick={() => run({ groupId, personId: member.personId })}
      >
        Take out
      </Button>
      <ActionProblemNote problem={problem} />
    </span>
  );
}

function NewGroup({ createGroup }: { createGroup: Actions['createGroup'] }) {
  const [open, setOpen] = useState(false);
  const [kind, setKind] = useState<Kind>('owner team');
  const { run, pending, problem, clear } = useAction(createGroup);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name') ?? '');
    run({ name, kind }, () => setOpen(false));
  }

  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) clear();
      }}
      trigger={<Button variant="primary">New group</Button>}
      title="New group"
      footer={
        <>
          <Button onClick={() => setOpen(false)}>Cancel</Button>
          <Button variant="primary" type="submit" form="new-group" pending={pending}>
            Make group
          </Button>
        </>
      }
    >
      <form id="new-group" onSubmit={submit} className="grid gap-4" noValidate>
        <ActionProblemNote problem={problem} />
        <Field name="name" label="Name" required error={issueFor(problem, 'name')}>
          <Input name="name" required maxLength={80} autoComplete="off" />
        </Field>
        <RadioGroup<Kind>
          aria-label="Kind"
          value={kind}
          onValueChange={setKind}
          options={[
            { value: 'owner team', label: 'Owner team', hint: explained['owner team'] },
            { value: 'approver group', label: 'Approver group', hint: explained['approver group'] },
          ]}
        />
      </form>
    </Dialog>
  );
}
