'use client';

import { useRouter } from 'next/navigation';
import { useState } from 'react';
import type { z } from 'zod';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import type { CreatedRequest, createRequestInput } from '#lib/approvals/create-request.ts';

/** What files requests of every kind, as far as this dialog sends one. */
export type ReinstateAction = Action<
  Extract<z.input<typeof createRequestInput>, { kind: 'reinstate' }>,
  CreatedRequest
>;

/** Files a request to bring a suspended agent back; somebody else decides it. */
export function ReinstateDialog({
  agentId,
  ask,
  onClose,
}: {
  agentId: string;
  ask: ReinstateAction;
  onClose: () => void;
}) {
  const router = useRouter();
  const [reason, setReason] = useState('');
  const { run, pending, problem } = useAction(ask);
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && !pending && onClose()}
      title="Ask to reinstate"
      description="An approver who is neither its owner nor the one who suspended it decides. Until then it stays suspended."
      footer={
        <>
          <DialogClose>
            <Button disabled={pending}>Cancel</Button>
          </DialogClose>
          <Button
            variant="primary"
            pending={pending}
            onClick={() =>
              run({ kind: 'reinstate', agentId, reason, submit: true }, (request) =>
                router.push(`/requests/${request.id}`),
              )
            }
          >
            Submit request
          </Button>
        </>
      }
    >
      <div className="grid gap-4">
        <ActionProblemNote problem={problem} labels={{ reason: 'Reason' }} />
        <Field
          name="reason"
          label="Why should it work again?"
          required
          error={issueFor(problem, 'reason')}
          hint="What was wrong, and what has changed since."
        >
          <Textarea
            rows={3}
            maxLength={1000}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </Field>
      </div>
    </Dialog>
  );
}
