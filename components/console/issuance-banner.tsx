'use client';

import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { Action } from './action.ts';
import { ConfirmAction } from './confirm-action.tsx';
import { LiveRefresh } from './live-refresh.tsx';
import { RelativeTime } from './relative-time.tsx';

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
          announce
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
  return (
    <ConfirmAction
      trigger={
        <Button size="sm" variant="secondary">
          Resume issuance…
        </Button>
      }
      title="Issue tokens again?"
      description="Guards then take this database's history for the true one. Whatever was suspended or revoked after the backup was made is alive in it until you end it again: do that first."
      button="Resume issuance"
      action={resume}
      input={(reason) => ({ reason })}
      reason={{ label: 'What was compared, and what was ended again', rows: 3, maxLength: 2000 }}
      onDone={() => notify({ tone: 'success', title: 'Tokens are issued again' })}
    />
  );
}
