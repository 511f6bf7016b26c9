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
  confirmPasswordReset,
}: {
  invitations: readonly InvitationRow[];
  endInvitation: EndInvitationAction | null;
  confirmPasswordReset: EndInvitationAction;
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
              {invitation.waits && (
                <span className="text-fg-2 text-xs">
                  Waits for a second admin: whoever uses it becomes an approver or admin. Ask the person
                  themselves before you confirm.
                </span>
              )}
            </div>
            {invitation.roles.length > 0 && <RoleBadges roles={invitation.roles} />}
            {invitation.canConfirm && (
              <LinkButton
                invitation={invitation}
                action={confirmPasswordReset}
                label="Confirm"
                about="Confirm link for"
              />
            )}
            {endInvitation && (
              <LinkButton
                invitation={invitation}
                action={endInvitation}
                label="End link"
                about="End link for"
              />
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}

function LinkButton({
  invitation,
  action,
  label,
  about,
}: {
  invitation: InvitationRow;
  action: EndInvitationAction;
  label: string;
  about: string;
}) {
  const { run, pending, problem } = useAction(action);
  return (
    <div className="grid gap-2">
      <Button
        size="sm"
        className="justify-self-end"
        pending={pending}
        onClick={() => run({ invitationId: invitation.invitationId })}
        aria-label={`${about} ${invitation.email ?? 'the first admin'}`}
      >
        {label}
      </Button>
      <ActionProblemNote problem={problem} />
    </div>
  );
}
