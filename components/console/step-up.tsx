'use client';

import { browserSupportsWebAuthn, startAuthentication } from '@simplewebauthn/browser';
import { Fingerprint } from 'lucide-react';
import { createContext, type FormEvent, type ReactNode, useCallback, useContext, useState } from 'react';
import { Button } from '#components/ui/button.tsx';
import { buttonVariants } from '#components/ui/button-variants.ts';
import { Dialog } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { useTopDialog } from '#components/ui/top-dialog.tsx';
import type { ConfirmationWay } from '#lib/access/confirm.ts';
import type { Assertion } from '#lib/access/webauthn.ts';
import type { Action, ActionProblem } from './action.ts';
import { ActionProblemNote, issueFor } from './action-problem.tsx';
import { describePasskeyFailure } from './passkey-failure.ts';
import { unreachable } from './unreachable.ts';

export type StepUpActions = {
  begin: Action<Record<string, never>, ConfirmationWay>;
  confirm: Action<{ password: string } | { assertion: Assertion }, null>;
};

type StepUp = () => Promise<boolean>;
const StepUpContext = createContext<StepUpActions | null>(null);

export function StepUpProvider({ actions, children }: { actions: StepUpActions; children: ReactNode }) {
  return <StepUpContext value={actions}>{children}</StepUpContext>;
}

/**
 * Asks whoever sits here to prove that it is them, over whatever is open, and says whether they did. Resolves at once
 * while an earlier proof is young. Null outside the console, where nothing asks for it.
 */
export function useStepUp(): StepUp | null {
  const actions = useContext(StepUpContext);
  const show = useTopDialog();
  const ask = useCallback(async () => {
    if (!actions || !show) return false;
    const begun = await actions.begin(null, {}).catch(() => null);
    if (begun?.ok && begun.output.way === 'confirmed') return true;
    return new Promise<boolean>((resolve) => {
      const done = (confirmed: boolean) => {
        show(null);
        resolve(confirmed);
      };
      show(
        <StepUpDialog
          actions={actions}
          first={begun?.ok ? begun.output : null}
          problem={begun === null ? unreachable : begun.ok ? null : begun.problem}
          onDone={done}
        />,
      );
    });
  }, [actions, show]);
  return actions && show ? ask : null;
}

function StepUpDialog({
  actions,
  first,
  problem: firstProblem,
  onDone,
}: {
  actions: StepUpActions;
  first: ConfirmationWay | null;
  problem: ActionProblem | null;
  onDone: (confirmed: boolean) => void;
}) {
  const [way, setWay] = useState(first);
  const [problem, setProblem] = useState<ActionProblem | null>(firstProblem);
  // Not a transition: the action that asked for this is one, and nothing of another would be shown before its end.
  const [pending, setPending] = useState(false);

  async function attempt(prove: () => Promise<ActionProblem | null>) {
    setPending(true);
    setProblem(null);
    const failed = await prove().catch(() => unreachable);
    setPending(false);
    if (failed) setProblem(failed);
    else onDone(true);
  }

  async function provePasskey(): Promise<ActionProblem | null> {
    if (way?.way !== 'passkey') return null;
    let assertion: Assertion;
    try {
      assertion = (await startAuthentication({ optionsJSON: way.options })) as Assertion;
    } catch (error) {
      return describePasskeyFailure(error);
    }
    const state = await actions.confirm(null, { assertion });
    if (state.ok) return null;
    // The challenge is spent: the next try needs another.
    const again = await actions.begin(null, {});
    if (again.ok) setWay(again.output);
    return state.problem;
  }

  function submitPassword(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    event.stopPropagation();
    const password = String(new FormData(event.currentTarget).get('password') ?? '');
    attempt(async () => {
      const state = await actions.confirm(null, { password });
      return state.ok ? null : state.problem;
    });
  }

  const cannot = way?.way === 'passkey' && !browserSupportsWebAuthn();
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open && !pending) onDone(false);
      }}
      size="sm"
      title="Confirm it is you"
      description="What you are about to do needs a fresh proof. It counts for five minutes in this browser."
      footer={
        <>
          <Button onClick={() => onDone(false)}>Cancel</Button>
          {way?.way === 'passkey' && (
            <Button
              variant="primary"
              pending={pending}
              icon={<Fingerprint aria-hidden />}
              disabledReason={cannot ? 'This browser knows no passkeys.' : undefined}
              onClick={() => attempt(provePasskey)}
            >
              Use passkey
            </Button>
          )}
          {way?.way === 'password' && (
            <Button variant="primary" type="submit" form="step-up" pending={pending}>
              Confirm
            </Button>
          )}
          {way?.way === 'demo' && (
            <Button variant="primary" pending={pending} onClick={() => attempt(confirmInDemo)}>
              It is me
            </Button>
          )}
          {way?.way === 'provider' && (
            // A whole navigation: it leaves the console, and nothing of it may be fetched ahead.
            <a
              className={buttonVariants({ variant: 'primary' })}
              href={`/api/auth/signin/oidc?purpose=confirm&to=${encodeURIComponent(window.location.pathname + window.location.search)}`}
            >
              Sign in with {way.name}
            </a>
          )}
        </>
      }
    >
      <div className="grid gap-3 text-sm">
        <ActionProblemNote problem={problem} />
        {way?.way === 'passkey' && <p>Your browser asks for your fingerprint, face, PIN or security key.</p>}
        {way?.way === 'password' && (
          <form id="step-up" onSubmit={submitPassword} noValidate>
            <Field name="password" label="Your password" required error={issueFor(problem, 'password')}>
              <Input name="password" type="password" autoComplete="current-password" autoFocus required />
            </Field>
          </form>
        )}
        {way?.way === 'demo' && (
          <p>In the demo a click is proof enough. Outside of it nobody has this button.</p>
        )}
        {way?.way === 'provider' && (
          <p>You come back to this page afterwards; what is typed here and not sent is lost.</p>
        )}
        {way?.way === 'none' && (
          <p>This account has neither a passkey nor a password. Ask an admin for a password reset link.</p>
        )}
      </div>
    </Dialog>
  );
}

/** The demo's own page answers; outside the demo there is none. */
async function confirmInDemo(): Promise<ActionProblem | null> {
  const answer = await fetch('/demo/confirm', { method: 'POST' });
  return answer.ok ? null : unreachable;
}
