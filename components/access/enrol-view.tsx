'use client';

import { type FormEvent, useEffect, useRef, useState } from 'react';
import type { ActionProblem, ActionState } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { unreachable } from '#components/console/unreachable.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { Skeleton } from '#components/ui/skeleton.tsx';

type Purpose = 'first admin' | 'invite' | 'password reset' | 'recovery';
type Facts = { purpose: Purpose; email: string | null; displayName: string | null; roles: string[] };
type State<Output> = ActionState<Output>;
type Link =
  | { state: 'reading' }
  | { state: 'incomplete' }
  | { state: 'dead'; detail: string }
  | { state: 'works'; facts: Facts };

const words: Record<Purpose, { title: string; text: string; button: string }> = {
  'first admin': {
    title: 'Enrol the first admin',
    text: 'You will manage people, servers and keys, and you can request agents. Somebody else approves them: nobody approves their own.',
    button: 'Enrol and sign in',
  },
  invite: {
    title: 'Welcome to Countersign',
    text: 'Choose the name people here know you by, and a password.',
    button: 'Create account and sign in',
  },
  'password reset': {
    title: 'Choose a new password',
    text: 'Every session you have open elsewhere ends.',
    button: 'Set password and sign in',
  },
  recovery: {
    title: 'Recover admin access',
    text: 'This link was made on the host. Using it is recorded, and the other admins have been told.',
    button: 'Recover and sign in',
  },
};

/** Reads what the link is for, then asks for what is missing. The token never appears in an address sent to a server. */
export function EnrolView({
  readInvitation,
  enrol,
}: {
  readInvitation: (previous: null, input: { token: string }) => Promise<State<Facts>>;
  enrol: (
    previous: null,
    input: { token: string; email?: string; displayName?: string; password: string },
  ) => Promise<State<{ personId: string }>>;
}) {
  const token = useRef('');
  const [link, setLink] = useState<Link>({ state: 'reading' });
  const [problem, setProblem] = useState<ActionProblem | null>(null);
  const [pending, setPending] = useState(false);

  useEffect(() => {
    const given = token.current || location.hash.slice(1);
    if (given.length < 20) {
      setLink({ state: 'incomplete' });
      return;
    }
    token.current = given;
    // Out of the address bar and the history: what is seen on a shared screen cannot be used.
    history.replaceState(null, '', location.pathname);
    let current = true;
    readInvitation(null, { token: given })
      .then((answer) => {
        if (!current) return;
        setLink(
          answer.ok
            ? { state: 'works', facts: answer.output }
            : { state: 'dead', detail: answer.problem.detail },
        );
      })
      .catch(
        () =>
          current && setLink({ state: 'dead', detail: 'The server did not answer. Open the link again.' }),
      );
    return () => {
      current = false;
    };
  }, [readInvitation]);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => (form.has(name) ? String(form.get(name)) : undefined);
    const password = text('password') ?? '';
    if (password !== text('repeated')) {
      const message = 'The two passwords differ.';
      setProblem({
        code: 'invalid',
        detail: message,
        requestId: '',
        issues: [{ path: 'repeated', message }],
        facts: {},
      });
      return;
    }
    setPending(true);
    enrol(null, {
      token: token.current,
      email: text('email'),
      displayName: text('displayName'),
      password,
    }).then(
      (state) => {
        // A full load, so that nothing rendered for nobody is shown to somebody.
        if (state.ok) return location.assign('/');
        setProblem(state.problem);
        setPending(false);
      },
      () => {
        setProblem(unreachable);
        setPending(false);
      },
    );
  }

  if (link.state === 'reading') {
    return (
      <Card>
        <div role="status" className="grid gap-3">
          <span className="sr-only">Reading the link</span>
          <Skeleton className="h-6 w-48" />
          <Skeleton className="h-4 w-full" />
          <Skeleton className="h-8 w-full" />
          <noscript>
            <p className="text-sm">
              This page needs JavaScript: the key of your link stays in the browser until you send it, so that
              it never appears in a log.
            </p>
          </noscript>
        </div>
      </Card>
    );
  }
  if (link.state !== 'works') {
    return (
      <Card>
        <div className="grid gap-4">
          <h1 className="font-semibold text-xl">
            {link.state === 'incomplete' ? 'This link is incomplete' : 'This link does not work'}
          </h1>
          <Callout tone="warning" announce>
            {link.state === 'incomplete'
              ? 'The part after # is missing. Copy the whole link, or open it from where you got it.'
              : link.detail}
          </Callout>
          <p className="text-fg-2 text-sm">
            Each link works once and for a limited time. An admin can make you another; the first admin's is
            printed when Countersign starts.
          </p>
          <LinkButton href="/sign-in" className="justify-self-start">
            Go to sign-in
          </LinkButton>
        </div>
      </Card>
    );
  }

  const { facts } = link;
  const { title, text, button } = words[facts.purpose];
  const errorOf = (path: string) => issueFor(problem, path);
  return (
    <Card>
      <form onSubmit={submit} className="grid gap-4" noValidate>
        <div className="grid gap-1.5">
          <h1 className="font-semibold text-xl">{title}</h1>
          <p className="text-fg-2 text-sm">{text}</p>
          {facts.roles.length > 0 && (
            <p className="flex flex-wrap items-center gap-1 text-fg-2 text-sm">
              You will be
              {facts.roles.map((role) => (
                <Badge key={role}>{role}</Badge>
              ))}
            </p>
          )}
        </div>
        <ActionProblemNote problem={problem} />
        {facts.email ? (
          <Field name="email" label="E-mail address">
            <Input type="email" value={facts.email} readOnly autoComplete="username" />
          </Field>
        ) : (
          <Field name="email" label="E-mail address" required error={errorOf('email')}>
            <Input
              name="email"
              type="email"
              autoComplete="username"
              required
              spellCheck={false}
              autoCapitalize="none"
            />
          </Field>
        )}
        {!facts.displayName && (
          <Field name="displayName" label="Name" required error={errorOf('displayName')}>
            <Input name="displayName" autoComplete="name" required maxLength={100} />
          </Field>
        )}
        <Field
          name="password"
          label="Password"
          required
          error={errorOf('password')}
          hint="At least 12 characters. Four unrelated words are easy to remember and hard to guess."
        >
          <Input name="password" type="password" autoComplete="new-password" required />
        </Field>
        <Field name="repeated" label="Password again" required error={errorOf('repeated')}>
          <Input name="repeated" type="password" autoComplete="new-password" required />
        </Field>
        <Button type="submit" variant="primary" size="lg" pending={pending} className="w-full">
          {button}
        </Button>
      </form>
    </Card>
  );
}
