'use client';

import { type ReactNode, useState } from 'react';
import type { ActionProblem } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { Button } from '#components/ui/button.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Kbd } from '#components/ui/kbd.tsx';
import { Textarea } from '#components/ui/textarea.tsx';

export type Verdict = 'approve' | 'narrow' | 'changes' | 'reject';

const words: Record<
  Verdict,
  { title: string; label: string; hint: string; confirm: string; required: boolean }
> = {
  approve: {
    title: 'Approve as asked',
    label: 'Comment',
    hint: 'Kept with the decision',
    confirm: 'Approve',
    required: false,
  },
  narrow: {
    title: 'Approve narrowed',
    label: 'Why less than asked',
    hint: 'The owner reads this',
    confirm: 'Approve narrowed',
    required: true,
  },
  changes: {
    title: 'Request changes',
    label: 'What has to change',
    hint: 'The owner answers with a new revision',
    confirm: 'Send back',
    required: true,
  },
  reject: {
    title: 'Reject',
    label: 'Why not',
    hint: 'The owner reads this; a later request can answer it',
    confirm: 'Reject for good',
    required: true,
  },
};

/** The last look before a decision: what it does, in words, and its reason. Ctrl+Enter confirms. */
export function DecisionDialog({
  verdict,
  onClose,
  onConfirm,
  pending,
  problem,
  label,
  children,
}: {
  verdict: Verdict | null;
  onClose: () => void;
  onConfirm: (reason: string) => void;
  pending: boolean;
  problem: ActionProblem | null;
  /** The request's number. */
  label: string;
  /** What this decision does. */
  children: ReactNode;
}) {
  const [reason, setReason] = useState('');
  const [missing, setMissing] = useState(false);
  // The words stay those of the last verdict while the dialog fades out.
  const [shown, setShown] = useState<Verdict>('approve');
  if (verdict !== null && verdict !== shown) {
    setShown(verdict);
    setMissing(false);
    // A reason belongs to one decision: what was written for another must never be sent with this one.
    setReason('');
  }
  const word = words[shown];
  const confirm = () => {
    if (word.required && reason.trim().length < 3) {
      setMissing(true);
      document.getElementById('field-reason')?.focus();
      return;
    }
    onConfirm(reason.trim());
  };
  return (
    <Dialog
      open={verdict !== null}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={`${word.title}: ${label}`}
      size="lg"
      footer={
        <>
          <DialogClose>
            <Button>Cancel</Button>
          </DialogClose>
          <Button variant={shown === 'reject' ? 'danger' : 'primary'} pending={pending} onClick={confirm}>
            {word.confirm}
            <span className="ml-1 inline-flex gap-0.5 opacity-80 max-sm:hidden" aria-hidden>
              <Kbd>Ctrl</Kbd>
              <Kbd>Enter</Kbd>
            </span>
          </Button>
        </>
      }
    >
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the shortcut belongs to the form inside */}
      <div
        className="grid gap-4"
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
            event.preventDefault();
            confirm();
          }
        }}
      >
        <ActionProblemNote problem={problem} />
        {children}
        <Field
          name="reason"
          label={word.label}
          hint={word.hint}
          required={word.required}
          optional={!word.required}
          error={missing ? 'Give a reason.' : null}
        >
          <Textarea
            rows={3}
            maxLength={2000}
            value={reason}
            // The reason is what is left to say: everything else was read on the page.
            autoFocus
            onChange={(event) => setReason(event.target.value)}
          />
        </Field>
      </div>
    </Dialog>
  );
}
