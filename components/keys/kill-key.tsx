'use client';

import { Ban } from 'lucide-react';
import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { useAction } from '#components/console/use-action.ts';
import { AlertDialog } from '#components/ui/alert-dialog.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Field } from '#components/ui/field.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { KeyRow } from '#lib/credentials/read-keys.ts';
import { liveTokens, purposes } from './purposes.ts';

export type KillAction = Action<{ kid: string; reason: string }, { kid: string }>;

/** Ends a key for good, after saying what ends with it. */
export function KillKey({ row, kill }: { row: KeyRow; kill: KillAction }) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState('');
  const { run, pending, problem, clear } = useAction(kill);
  return (
    <AlertDialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) clear();
      }}
      trigger={
        <Button
          size="sm"
          variant="danger-outline"
          icon={<Ban aria-hidden />}
          aria-label={`Kill… the ${row.state} key ${row.kid}`}
        >
          Kill…
        </Button>
      }
      title="Kill this key for good?"
      description={consequence(row)}
      confirm={
        <Button
          variant="danger"
          pending={pending}
          onClick={() =>
            run({ kid: row.kid, reason }, () => {
              notify({ tone: 'success', title: 'The key is dead' });
              setOpen(false);
            })
          }
        >
          Kill key
        </Button>
      }
    >
      <div className="grid gap-3">
        <ActionProblemNote problem={problem} labels={{ reason: 'Reason' }} />
        {row.purpose === 'token' && row.state !== 'next' && (
          <Callout tone={row.liveTokens > 0 ? 'warning' : 'info'} title={`This ends ${liveTokens(row)}`}>
            To change keys without refusing anybody, rotate instead. Kill a key that somebody else may hold.
          </Callout>
        )}
        <Field
          name="reason"
          label="Reason"
          required
          error={issueFor(problem, 'reason')}
          hint="Kept in the history."
        >
          <Textarea
            rows={2}
            maxLength={500}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </Field>
        <p className="break-all text-fg-3 text-xs">
          <code>{row.kid}</code>
        </p>
      </div>
    </AlertDialog>
  );
}

function consequence(row: KeyRow): string {
  if (row.state === 'next') return 'It has signed nothing yet. Another next key is made in its place.';
  const { killed } = purposes[row.purpose];
  return row.state === 'active' ? `The next key takes its place. ${killed}` : killed;
}
