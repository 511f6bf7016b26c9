'use client';

import { UserPlus } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Checkbox } from '#components/ui/checkbox.tsx';
import { Dialog } from '#components/ui/dialog.tsx';
import { Field, Fieldset } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { OneTimeLink } from './one-time-link.tsx';

type Role = 'owner' | 'approver' | 'auditor' | 'admin';
type Link = { invitationId: string; url: string; expiresAt: string };
export type InviteAction = Action<{ email: string; roles?: Role[] }, Link>;

const choices: { role: Role; hint: string }[] = [
  { role: 'owner', hint: 'Requests and keeps agents' },
  { role: 'approver', hint: 'Decides requests. Waits for a second admin once two exist' },
  { role: 'auditor', hint: 'Reads everything, changes nothing' },
  { role: 'admin', hint: 'Runs the platform. Waits for a second admin once two exist' },
];

export function InviteDialog({ invitePerson }: { invitePerson: InviteAction }) {
  const [open, setOpen] = useState(false);
  const [made, setMade] = useState<(Link & { email: string }) | null>(null);
  const { run, pending, problem, clear } = useAction(invitePerson);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const email = String(form.get('email') ?? '');
    const roles = choices.map(({ role }) => role).filter((role) => form.has(`role-${role}`));
    run({ email, roles }, (link) => setMade({ ...link, email }));
  }

  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) {
          setMade(null);
          clear();
        }
      }}
      trigger={
        <Button variant="primary" icon={<UserPlus aria-hidden />}>
          Invite
        </Button>
      }
      title={made ? 'Invitation' : 'Invite somebody'}
      description={made ? undefined : 'You get a link to pass on. It works once and for seven days.'}
      footer={
        made ? (
          <Button onClick={() => setOpen(false)}>Done</Button>
        ) : (
          <>
            <Button onClick={() => setOpen(false)}>Cancel</Button>
            <Button variant="primary" type="submit" form="invite" pending={pending}>
              Make the link
            </Button>
          </>
        )
      }
    >
      {made ? (
        <OneTimeLink url={made.url} expiresAt={made.expiresAt} whom={made.email} />
      ) : (
        <form id="invite" onSubmit={submit} className="grid gap-4" noValidate>
          <ActionProblemNote problem={problem} />
          <Field name="email" label="E-mail address" required error={issueFor(problem, 'email')}>
            <Input
              name="email"
              type="email"
              autoComplete="off"
              required
              spellCheck={false}
              autoCapitalize="none"
            />
          </Field>
          <Fieldset legend="Roles" hint="Can be changed at any time. Without a role they see nothing.">
            <div className="grid gap-2">
              {choices.map(({ role, hint }) => (
                <Checkbox
                  key={role}
                  name={`role-${role}`}
                  label={`${role[0]?.toUpperCase()}${role.slice(1)}`}
                  hint={hint}
                  defaultChecked={role === 'owner'}
                />
              ))}
            </div>
          </Fieldset>
        </form>
      )}
    </Dialog>
  );
}
