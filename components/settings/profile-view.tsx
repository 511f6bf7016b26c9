'use client';

import { type FormEvent, useRef } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { CopyableId } from '#components/console/copyable-id.tsx';
import type { Theme } from '#components/console/theme.ts';
import { useAction } from '#components/console/use-action.ts';
import { RoleBadges } from '#components/people/role-badges.tsx';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { notify } from '#components/ui/toast.tsx';
import { ProviderCard, type ProviderLink } from './provider-card.tsx';
import { ThemeChoice } from './theme-choice.tsx';

type Actions = {
  editProfile: Action<{ displayName: string }, void>;
  changePassword: Action<{ currentPassword: string; password: string }, { endedSessions: number }>;
  unlinkProvider: Action<Record<string, never>, void>;
};

export function ProfileView({
  displayName,
  email,
  subject,
  roles,
  rights,
  groups,
  provider,
  linked,
  linkProblem,
  hasPassword,
  theme,
  actions,
}: {
  displayName: string;
  email: string;
  subject: string;
  roles: readonly string[];
  rights: readonly { right: string; from: readonly string[] }[];
  groups: readonly string[];
  /** The identity provider, where one is configured. */
  provider: ProviderLink | null;
  /** What came of linking it a moment ago. */
  linked: boolean;
  linkProblem: string | null;
  hasPassword: boolean;
  theme: Theme;
  actions: Actions;
}) {
  return (
    <div className="grid gap-4">
      <Card title="You">
        <div className="grid gap-4">
          <NameForm displayName={displayName} editProfile={actions.editProfile} />
          <DescriptionList
            items={[
              { term: 'E-mail address', value: email },
              { term: 'Verified subject', value: <CopyableId id={subject} label="subject" /> },
              { term: 'Roles', value: <RoleBadges roles={roles} /> },
              { term: 'Groups', value: groups.join(', ') },
            ]}
          />
        </div>
      </Card>
      <Card title="What you may do">
        <ul className="grid gap-x-6 gap-y-2 text-sm sm:grid-cols-2">
          {rights.map(({ right, from }) => (
            <li key={right} className="grid content-start gap-0.5">
              <span>{right}</span>
              <span className="text-fg-3 text-xs">as {from.join(' and ')}</span>
            </li>
          ))}
          {rights.length === 0 && <li>Nothing yet: you have no role.</li>}
        </ul>
      </Card>
      {provider && (
        <ProviderCard
          provider={provider}
          isOnlyWayIn={!hasPassword}
          linked={linked}
          problem={linkProblem}
          unlinkProvider={actions.unlinkProvider}
        />
      )}
      {hasPassword && (
        <Card title="Password" description="Changing it ends your sessions in every other browser.">
          <PasswordForm email={email} changePassword={actions.changePassword} />
        </Card>
      )}
      <Card title="Appearance" description="Remembered in this browser.">
        <ThemeChoice initial={theme} />
      </Card>
    </div>
  );
}

function NameForm({
  displayName,
  editProfile,
}: {
  displayName: string;
  editProfile: Actions['editProfile'];
}) {
  const { run, pending, problem } = useAction(editProfile);
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('displayName') ?? '');
    run({ displayName: name }, () => notify({ title: 'Name changed' }));
  }
  return (
    <form onSubmit={submit} className="grid gap-3" noValidate>
      <ActionProblemNote problem={problem} />
      <div className="flex flex-wrap items-end gap-2">
        <Field
          name="displayName"
          label="Name"
          className="min-w-48 max-w-96 flex-1"
          error={issueFor(problem, 'displayName')}
        >
          <Input name="displayName" defaultValue={displayName} autoComplete="name" maxLength={100} required />
        </Field>
        <Button type="submit" pending={pending}>
          Change name
        </Button>
      </div>
    </form>
  );
}

function PasswordForm({
  email,
  changePassword,
}: {
  email: string;
  changePassword: Actions['changePassword'];
}) {
  const { run, pending, problem } = useAction(changePassword);
  const form = useRef<HTMLFormElement>(null);
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name: string) => String(given.get(name) ?? '');
    run({ currentPassword: text('currentPassword'), password: text('password') }, ({ endedSessions }) => {
      form.current?.reset();
      notify({
        title: 'Password changed',
        description:
          endedSessions === 0
            ? undefined
            : `${endedSessions} other ${endedSessions === 1 ? 'session' : 'sessions'} ended.`,
      });
    });
  }
  return (
    <form ref={form} onSubmit={submit} className="grid max-w-96 gap-4" noValidate>
      <ActionProblemNote problem={problem} />
      {/* Lets password managers know whose password this is. */}
      <input type="hidden" name="username" autoComplete="username" value={email} readOnly />
      <Field
        name="currentPassword"
        label="Current password"
        required
        error={issueFor(problem, 'currentPassword')}
      >
        <Input name="currentPassword" type="password" autoComplete="current-password" required />
      </Field>
      <Field
        name="password"
        label="New password"
        required
        hint="At least 12 characters."
        error={issueFor(problem, 'password')}
      >
        <Input name="password" type="password" autoComplete="new-password" required />
      </Field>
      <Button type="submit" className="justify-self-start" pending={pending}>
        Change password
      </Button>
    </form>
  );
}
