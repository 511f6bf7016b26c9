'use client';

import { useState } from 'react';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { Select } from '#components/ui/select.tsx';
import type { PersonFacts } from '#lib/access/read-people.ts';
import type { PersonActions } from './person-actions.ts';

/** The groups of one person, and joining or leaving them. */
export function PersonGroups({
  person,
  groups,
  canManage,
  actions,
}: {
  person: PersonFacts;
  groups: readonly { groupId: string; name: string; kind: string }[];
  canManage: boolean;
  actions: Pick<PersonActions, 'addGroupMember' | 'removeGroupMember'>;
}) {
  const others = groups.filter((group) => !person.groups.some((member) => member.groupId === group.groupId));
  const remove = useAction(actions.removeGroupMember);
  return (
    <Card title="Groups" description="Members of an owner team see each other's requests and agents.">
      <div className="grid gap-3 text-sm">
        {person.groups.length === 0 && (
          <p className="text-fg-2">
            In no group.{' '}
            {groups.length === 0 && canManage && (
              <TextLink href="/people/groups">Make the first group</TextLink>
            )}
          </p>
        )}
        {person.groups.length > 0 && (
          <ul className="divide-y divide-line">
            {person.groups.map((group) => (
              <li key={group.groupId} className="flex flex-wrap items-center gap-2 py-1.5 first:pt-0">
                <span className="min-w-32 flex-1">
                  <span className="font-medium">{group.name}</span>
                  <span className="block text-fg-3 text-xs">
                    {group.kind}, since <RelativeTime at={group.addedAt} />
                  </span>
                </span>
                {canManage && (
                  <Button
                    size="sm"
                    pending={remove.pending}
                    aria-label={`Take out of ${group.name}`}
                    onClick={() => remove.run({ groupId: group.groupId, personId: person.personId })}
                  >
                    Take out
                  </Button>
                )}
              </li>
            ))}
          </ul>
        )}
        <ActionProblemNote problem={remove.problem} />
        {canManage && person.state === 'active' && others.length > 0 && (
          <AddToGroup
            key={others.map((group) => group.groupId).join()}
            personId={person.personId}
            groups={others}
            addGroupMember={actions.addGroupMember}
          />
        )}
      </div>
    </Card>
  );
}

function AddToGroup({
  personId,
  groups,
  addGroupMember,
}: {
  personId: string;
  groups: readonly { groupId: string; name: string }[];
  addGroupMember: PersonActions['addGroupMember'];
}) {
  const [groupId, setGroupId] = useState(groups[0]?.groupId ?? '');
  const { run, pending, problem } = useAction(addGroupMember);
  return (
    <div className="grid gap-2 border-line border-t pt-3">
      <div className="flex flex-wrap gap-2">
        <Select
          aria-label="Group to add to"
          className="min-w-36 flex-1"
          value={groupId}
          onValueChange={setGroupId}
          options={groups.map((group) => ({ value: group.groupId, label: group.name }))}
        />
        <Button pending={pending} onClick={() => run({ groupId, personId })}>
          Add
        </Button>
      </div>
      <ActionProblemNote problem={problem} />
    </div>
  );
}
