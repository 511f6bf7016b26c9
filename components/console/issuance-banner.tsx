'use client';

import { useState } from 'react';
import { AlertDialog } from '#components/ui/alert-dialog.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Field } from '#components/ui/field.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { Action } from './action.ts';
import { ActionProblemNote, issueFor } from './action-problem.tsx';
import { LiveRefresh } from './live-refresh.tsx';
import { RelativeTime } from './relative-time.tsx';
import { useAction } from './use-action.ts';

export type ResumeIssuance = Action<{ reason: string }, { resumedAt: string }>;

/** Above every page while no tokens are issued: since when, why, and for an admin the way back. */
export function IssuanceBanner({
  stopped,
  resume,
}: {
  /** The reason is empty for those who see only their own agents. */
  stopped: { at: string; reason: string } | null;
  /** Null for everybody but an admin. */
  resume: ResumeIssuance | null;
}) {
  return (
    <>
      <LiveRefresh topics={['issuance']} />
      {stopped && (
        <Callout
          tone="danger"
          title="No tokens are issued"
          className="mb-4"
          actions={resume ? <Resume resume={resume} /> : undefined}
        >
          {stopped.reason && <>{stopped.reason} </>}
          Stopped <RelativeTime at={stopped.at} />. An agent that needs a new token waits until{' '}
          {resume ? 'an admin resumes' : 'an admin has resumed'} issuance; approvals stay as they are.
        </Callout>
      )}
    </>
  );
}

function Resume({ resume }: { resume: ResumeIssuance }) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState('');
  const { run, pending, problem, clear } = useAction(resume);
  return (
    <AlertDialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) clear();
      }}
      trigger={
        <Button size="sm" variant="secondary">
          Resume issuance…
        </Button>
      }
      title="Issue tokens again?"
      description="Guards then take this database's history for the true one. Whatever was suspended or revoked after the backup was made is alive in it until you end it again: do that first."
      confirm={
        <Button
          variant="danger"
          pending={pending}
          onClick={() =>
            run({ reason }, () => {
              notify({ tone: 'success', title: 'Tokens are issued again' });
              setOpen(false);
            })
          }
        >
          Resume issuance
        </Button>
      }
    >
      <div className="grid gap-3">
        <ActionProblemNote problem={problem} labels={{ reason: 'What was compared' }} />
        <Field
          name="reason"
          label="What was compared, and what was ended again"
          required
          error={issueFor(problem, 'reason')}
          hint="Kept in the history."
        >
          <Textarea
            rows={3}
            maxLength={2000}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </Field>
      </div>
    </AlertDialog>
  );
}
