'use client';

import { useState } from 'react';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { Timeline } from '#components/console/timeline.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { Select } from '#components/ui/select.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { PersonFacts, RoleGrantRow } from '#lib/access/read-people.ts';
import type { PersonActions } from './person-actions.ts';
import { RoleBadges } from './role-badges.tsx';

const everyRole = ['owner', 'approver', 'auditor', 'admin'] as const;
type Viewer = { personId: string; canManage: boolean };

/** Roles in effect and waiting, the way to grant another, and who granted and took away what, when. */
export function PersonRoles({
  person,
  viewer,
  actions,
}: {
  person: PersonFacts;
  viewer: Viewer;
  actions: PersonActions;
}) {
  const current = person.grants.filter((grant) => grant.state !== 'ended');
  const missing = everyRole.filter((role) => !current.some((grant) => grant.role === role));
  return (
    <Card title="Roles" description="Rights add up. Nobody ever decides what they wrote, claimed or own.">
      <div className="grid gap-4">
        {current.length === 0 ? (
          <p className="text-fg-2 text-sm">No role. This person can sign in and see nothing.</p>
        ) : (
          <ul className="divide-y divide-line">
            {current.map((grant) => (
              <li key={grant.grantId} className="py-2 first:pt-0 last:pb-0">
                <Grant grant={grant} person={person} viewer={viewer} actions={actions} />
              </li>
            ))}
          </ul>
        )}
        {viewer.canManage && person.state === 'active' && missing.length > 0 && (
          <GrantForm
            key={missing.join()}
            personId={person.personId}
            missing={missing}
            grantRole={actions.grantRole}
          />
        )}
        {person.grants.length > 0 && <RoleHistory grants={person.grants} />}
      </div>
    </Card>
  );
}

function Grant({
  grant,
  person,
  viewer,
  actions,
}: {
  grant: RoleGrantRow;
  person: PersonFacts;
  viewer: Viewer;
  actions: PersonActions;
}) {
  const waits = grant.state === 'waits for a second admin';
  const confirm = useAction(actions.confirmRole);
  const blocked =
    grant.grantedById === viewer.personId
      ? 'You granted this role yourself: another admin must confirm it.'
      : person.personId === viewer.personId
        ? 'Nobody confirms a role of their own.'
        : undefined;
  return (
    <div className="grid gap-2">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2 text-sm">
        <span className="w-20">
          <RoleBadges roles={[grant.role]} />
        </span>
        <span className="min-w-48 flex-1 text-fg-2">
          {waits ? (
            <>
              <StatePill state="waiting" cause="for a second admin" plain /> · asked by {grant.grantedBy}{' '}
              <RelativeTime at={grant.grantedAt} />
            </>
          ) : (
            <>
              {grant.state === 'asleep' && 'asleep until the next single sign-on · '}
              since <RelativeTime at={grant.effectiveAt ?? grant.grantedAt} />, granted by {grant.grantedBy}
              {grant.confirmedBy && `, confirmed by ${grant.confirmedBy}`}
            </>
          )}
        </span>
        {viewer.canManage && (
          <span className="flex flex-wrap gap-2">
            {waits && (
              <Button
                size="sm"
                variant="primary"
                pending={confirm.pending}
                disabledReason={blocked}
                onClick={() => confirm.run({ grantId: grant.grantId })}
              >
                Confirm
              </Button>
            )}
            <EndRole grant={grant} person={person} endRole={actions.endRole} />
          </span>
        )}
      </div>
      <ActionProblemNote problem={confirm.problem} />
    </div>
  );
}

function EndRole({
  grant,
  person,
  endRole,
}: {
  grant: RoleGrantRow;
  person: PersonFacts;
  endRole: PersonActions['endRole'];
}) {
  const waits = grant.state === 'waits for a second admin';
  return (
    <ConfirmAction
      size="sm"
      trigger={
        <Button size="sm" aria-label={`${waits ? 'Withdraw' : 'Take away'} the role ${grant.role}`}>
          {waits ? 'Withdraw' : 'Take away'}
        </Button>
      }
      title={
        waits ? `Withdraw the role ${grant.role}?` : `Take the role ${grant.role} from ${person.displayName}?`
      }
      description={
        waits
          ? undefined
          : grant.providerGroup
            ? `It takes effect with their very next click or call. While they are in the group ${grant.providerGroup}, their next sign-in gives it back.`
            : 'It takes effect with their very next click or call.'
      }
      button={waits ? 'Withdraw' : 'Take away'}
      action={endRole}
      input={() => ({ grantId: grant.grantId })}
    />
  );
}

function GrantForm({
  personId,
  missing,
  grantRole,
}: {
  personId: string;
  missing: readonly (typeof everyRole)[number][];
  grantRole: PersonActions['grantRole'];
}) {
  const [role, setRole] = useState<(typeof everyRole)[number]>(missing[0] ?? 'owner');
  const { run, pending, problem } = useAction(grantRole);
  return (
    <div className="grid gap-2 border-line border-t pt-3">
      <div className="flex flex-wrap items-center gap-2">
        <Select
          aria-label="Role to grant"
          className="w-36"
          value={role}
          onValueChange={setRole}
          options={missing.map((value) => ({ value, label: `${value[0]?.toUpperCase()}${value.slice(1)}` }))}
        />
        <Button
          pending={pending}
          onClick={() =>
            run({ personId, role }, (outcome) => {
              const waits = outcome.state !== 'in effect';
              notify({
                tone: waits ? 'info' : 'success',
                title: waits ? 'Waits for a second admin' : 'Role granted',
                description: waits ? 'The other admins have been told.' : undefined,
              });
            })
          }
        >
          Grant role
        </Button>
        {(role === 'approver' || role === 'admin') && (
          <span className="text-fg-3 text-xs">Once two admins exist, a second one must confirm.</span>
        )}
      </div>
      <ActionProblemNote problem={problem} />
    </div>
  );
}

/** Nobody here ended it: the identity provider no longer names the group, or no longer speaks for this person. */
function isEndedByProvider(grant: RoleGrantRow): boolean {
  return grant.providerGroup !== null && grant.endedBy === null;
}

function RoleHistory({ grants }: { grants: readonly RoleGrantRow[] }) {
  const items = grants
    .flatMap((grant) => [
      {
        key: `${grant.grantId}-granted`,
        at: grant.grantedAt,
        title: `${grant.role} granted by ${grant.grantedBy}`,
        tone: 'neutral' as const,
      },
      grant.confirmedBy && grant.effectiveAt
        ? {
            key: `${grant.grantId}-confirmed`,
            at: grant.effectiveAt,
            title: `${grant.role} confirmed by ${grant.confirmedBy}`,
            tone: 'success' as const,
          }
        : null,
      grant.endedAt
        ? {
            key: `${grant.grantId}-ended`,
            at: grant.endedAt,
            title: isEndedByProvider(grant)
              ? `${grant.role} by the group ${grant.providerGroup} ended`
              : `${grant.role} taken away by ${grant.endedBy ?? 'the host'}`,
            tone: 'warning' as const,
          }
        : null,
    ])
    .filter((item) => item !== null)
    .sort((a, b) => b.at.localeCompare(a.at));
  return (
    <details className="border-line border-t pt-3">
      <summary className="min-h-6 cursor-pointer text-fg-2 text-sm">
        History of roles ({items.length})
      </summary>
      <div className="pt-3">
        <Timeline
          label="History of roles"
          items={items.map((item) => ({
            key: item.key,
            title: item.title,
            tone: item.tone,
            time: <RelativeTime at={item.at} />,
          }))}
        />
      </div>
    </details>
  );
}
