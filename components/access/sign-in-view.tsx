'use client';

import { type FormEvent, useRef, useState } from 'react';
import { Button } from '#components/ui/button.tsx';
import { buttonVariants } from '#components/ui/button-variants.ts';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { cn } from '#components/ui/cn.ts';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';

type Failure = { error: string; retryAfterSeconds?: number };

const failures: Record<string, string> & { unavailable: string } = {
  credentials: 'The e-mail address or the password is not right.',
  limit: 'Too many tries from here. Wait half a minute, then try again.',
  unavailable: 'Signing in does not work just now. Nothing is lost; try again in a moment.',
  origin: 'This form was not sent from this console. Open the sign-in page again.',
};

/** What went wrong between here, the identity provider and back, and what to do about it. */
const providerFailures: Record<string, (provider: string) => [title: string, advice: string]> = {
  provider: (name) => [
    `${name} could not be reached, or its answer did not fit`,
    'Nothing is lost; try again in a moment. The log of the console says more.',
  ],
  'provider-refused': (name) => [
    `${name} did not sign you in`,
    'If you did not cancel it there, whoever runs it can say why.',
  ],
  'provider-expired': () => [
    'This sign-in took too long or was begun in another window',
    'Begin again from here.',
  ],
  token: () => ['This sign-in was used or took too long', 'Begin again from here.'],
  'e-mail': (name) => [
    `${name} names no verified e-mail address for you`,
    'Countersign writes to you there. Whoever runs it can add one.',
  ],
  'account-exists': (name) => [
    'An account with your e-mail address is here already',
    `Accounts are not joined by address. Sign in to it as before and link ${name} under Settings, Profile. If you cannot, ask an admin.`,
  ],
  unlinked: (name) => [
    `This account at ${name} was unlinked here`,
    `Sign in with your password and link ${name} again under Settings, Profile. If you have none, ask an admin for a reset link.`,
  ],
  'not-admitted': (name) => [
    `${name} knows you, and you are in no group that may use Countersign`,
    'Ask an admin which group that is.',
  ],
  'nobody-enrolled': () => [
    'Nobody is enrolled yet',
    'The first admin comes in through the link that was printed when Countersign started.',
  ],
  deactivated: () => ['This account is deactivated', 'An admin can reactivate it.'],
};

/** What the word in the address means, which anybody may have written there. */
function sayFailure(error: string, provider: string | null): [title: string, advice?: string] {
  const say = provider && Object.hasOwn(providerFailures, error) && providerFailures[error];
  if (say) return say(provider);
  return [(Object.hasOwn(failures, error) && failures[error]) || failures.unavailable];
}

/**
 * A plain form that works without script; with script a refusal keeps what was typed. `to` is a path of this console,
 * checked by the server before and after.
 */
export function SignInView({
  to,
  intent,
  error,
  signedOut,
  nobodyYet,
  provider,
}: {
  to: string;
  intent: string | null;
  error: string | null;
  signedOut: boolean;
  nobodyYet: boolean;
  /** Name of the identity provider people may sign in with; null where there is none. */
  provider: string | null;
}) {
  const [failure, setFailure] = useState<Failure | null>(error ? { error } : null);
  const [pending, setPending] = useState(false);
  const password = useRef<HTMLInputElement>(null);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    setPending(true);
    try {
      const response = await fetch(form.action, {
        method: 'POST',
        headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(new FormData(form) as unknown as Record<string, string>),
      });
      const answer = (await response.json()) as Failure & { url?: string };
      if (response.ok && answer.url) {
        // A full load, so that nothing rendered for nobody is shown to somebody.
        location.assign(answer.url);
        return;
      }
      setFailure(answer);
    } catch {
      setFailure({ error: 'unavailable' });
    }
    setPending(false);
    password.current?.select();
  }

  const [title, advice] = sayFailure(failure?.error ?? '', provider);

  return (
    <Card>
      <form method="post" action="/api/auth/callback/credentials" onSubmit={submit} className="grid gap-4">
        <div className="grid gap-1">
          <h1 className="font-semibold text-xl">Sign in</h1>
          {intent && <p className="text-fg-2 text-sm">{intent}</p>}
        </div>
        {nobodyYet && (
          <Callout tone="info" title="Nobody is enrolled yet">
            When Countersign started it printed a link that enrols the first admin. It works for 15 minutes;
            start again for a new one.
          </Callout>
        )}
        {signedOut && !failure && (
          <Callout tone="success" title="You are signed out">
            The session has ended, for every copy of its cookie.
          </Callout>
        )}
        {failure && (
          <Callout tone="danger" announce title={title}>
            {advice ??
              (failure.retryAfterSeconds ? `Try again in ${failure.retryAfterSeconds} seconds.` : null)}
          </Callout>
        )}
        {provider && !nobodyYet && (
          <>
            {/* A whole navigation: it leaves the console, and nothing of it may be fetched ahead. */}
            <a
              href={`/api/auth/signin/oidc?${new URLSearchParams({ to })}`}
              className={cn(buttonVariants({ variant: 'primary', size: 'lg' }), 'w-full')}
            >
              Continue with {provider}
            </a>
            <p className="flex items-center gap-3 text-fg-3 text-xs before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
              or with a password
            </p>
          </>
        )}
        <Field name="email" label="E-mail address" required>
          <Input
            name="email"
            type="email"
            autoComplete="username"
            required
            spellCheck={false}
            autoCapitalize="none"
          />
        </Field>
        <Field
          name="password"
          label="Password"
          required
          hint="Forgotten? An admin can make you a reset link."
        >
          <Input ref={password} name="password" type="password" autoComplete="current-password" required />
        </Field>
        <input type="hidden" name="callbackUrl" value={to} />
        <Button
          type="submit"
          variant={provider && !nobodyYet ? 'secondary' : 'primary'}
          size="lg"
          pending={pending}
          className="w-full"
        >
          Sign in
        </Button>
      </form>
    </Card>
  );
}
