'use client';

import { type ReactElement, type ReactNode, useState } from 'react';
import { AlertDialog } from '#components/ui/alert-dialog.tsx';
import { Button } from '#components/ui/button.tsx';
import { Field } from '#components/ui/field.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import type { Action } from './action.ts';
import { ActionProblemNote, issueFor } from './action-problem.tsx';
import { useAction } from './use-action.ts';

type Reason = {
  label?: string;
  hint?: string;
  optional?: boolean;
  rows?: number;
  maxLength?: number;
};

/**
 * Asks before an action with consequences, and for its reason where there is one. A refusal stays in the dialog with
 * what was typed; it closes when the action is done, and not while nobody knows whether it will be. Opens by its
 * `trigger`, or is open as long as it is there and ends with `onClose`.
 */
export function ConfirmAction<Input, Output>({
  trigger,
  onClose,
  title,
  description,
  size,
  button,
  variant = 'danger',
  action,
  input,
  reason: asked,
  onDone,
  children,
}: {
  trigger?: ReactElement;
  onClose?: () => void;
  title: ReactNode;
  description?: ReactNode;
  size?: 'sm' | 'md' | 'lg';
  /** What the button that acts says. */
  button: string;
  variant?: 'danger' | 'primary';
  action: Action<Input, Output>;
  /** The action's input; `reason` is what was typed, empty when none is asked for. */
  input: (reason: string) => Input;
  reason?: true | Reason;
  onDone?: (output: Output) => void;
  /** What is about to happen, between the description and the reason. */
  children?: ReactNode;
}) {
  const [open, setOpen] = useState(trigger === undefined);
  const [typed, setTyped] = useState('');
  const { run, pending, problem, clear } = useAction(action);
  const close = () => {
    clear();
    setOpen(false);
    onClose?.();
  };
  const reason: Reason | undefined = asked === true ? {} : asked;
  const label = reason?.label ?? 'Reason';
  return (
    <AlertDialog
      open={open}
      onOpenChange={(next) => {
        if (next) setOpen(true);
        else if (!pending) close();
      }}
      trigger={trigger}
      title={title}
      description={description}
      size={size}
      confirm={
        <Button
          variant={variant}
          pending={pending}
          onClick={() =>
            run(input(typed), (output) => {
              setTyped('');
              close();
              onDone?.(output);
            })
          }
        >
          {button}
        </Button>
      }
    >
      {(problem || reason || children) && (
        <div className="grid gap-3">
          <ActionProblemNote problem={problem} labels={{ reason: label }} />
          {children}
          {reason && (
            <Field
              name="reason"
              label={label}
              required={!reason.optional}
              optional={reason.optional}
              error={issueFor(problem, 'reason')}
              hint={reason.hint ?? 'Kept in the history.'}
            >
              <Textarea
                rows={reason.rows ?? 2}
                maxLength={reason.maxLength ?? 500}
                value={typed}
                onChange={(event) => setTyped(event.target.value)}
              />
            </Field>
          )}
        </div>
      )}
    </AlertDialog>
  );
}
