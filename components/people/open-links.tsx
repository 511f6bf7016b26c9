'use client';

import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import type { InvitationRow } from '#lib/access/read-people.ts';
import { RoleBadges } from './role-badges.tsx';

export type EndInvitationAction = Action<{ invitationId: string }, void>;

const purposes: Record<string, string> = {
  'first admin': 'First admin',
  invite: 'Invitation',
  'password reset': 'Password reset',
  recovery: 'Recovery',
};

/** Links that still work and that nobody has used. Whoever holds one can use it, so they are worth watching. */
export function OpenLinks({
  invitations,
  endInvitation,
}: {
  invitations: readonly InvitationRow[];
  endInvitation: EndInvitationAction | null;
}) {
  return (
    <Card title="Links nobody has used yet" description="Whoever holds one of these can use it, once." flush>
      <ul className="divide-y divide-line">
        {invitations.map((invitation) => (
          <li
            key={invitation.invitationId}
            className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5 text-sm"
          >
            <div className="grid min-w-48 flex-1 gap-0.5">
              <span className="font-medium">
                {purposes[invitation.purpose] ?? invitation.purpose}
                {invitation.email && <span className="font-normal"> for {invitation.email}</span>}
              </span>
              <span className="text-fg-3 text-xs">
                Made by {invitation.createdBy} <RelativeTime at={invitation.createdAt} />, ends{' '}
                <RelativeTime at={invitation.expiresAt} />
              </span>
            </div>
            {invitation.roles.length > 0 && <RoleBadges roles={invitation.roles} />}
            {endInvitation && <EndLink invitation={invitation} endInvitation={endInvitation} />}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function EndLink({
  invitation,
  endInvitation,
}: {
  invitation: InvitationRow;
  endInvitation: EndInvitationAction;
}) {
  const { run, pending, problem } = useAction(endInvitation);
  return (
    <div className="grid gap-2">
      <Button
        size="sm"
        className="justify-self-end"
        pending={pending}
        onClick={() => run({ invitationId: invitation.invitationId })}
        aria-label={`End link for ${invitation.email ?? 'the first admin'}`}
      >
        End link
      </Button>
      <ActionProblemNote problem={problem} />
    </div>
  );
}
