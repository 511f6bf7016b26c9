'use client';

import { KeyRound } from 'lucide-react';
import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import type { KeyCheck } from '#lib/credentials/signing-keys.ts';

type Checked = { checkedAt: Date; keys: KeyCheck[] };
export type CheckAction = Action<Record<string, never>, Checked>;

/** Whether the sealed keys open here: what must hold after a backup was restored or a host was changed. */
export function CheckKeys({ check }: { check: CheckAction }) {
  const [open, setOpen] = useState(false);
  const [checked, setChecked] = useState<Checked | null>(null);
  const { run, pending, problem, clear } = useAction(check);
  const closed = checked?.keys.filter((key) => !key.opens) ?? [];
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        clear();
        setChecked(null);
        if (next) run({}, setChecked);
      }}
      trigger={<Button icon={<KeyRound aria-hidden />}>Check the seals</Button>}
      title="Do the sealed keys open here?"
      description="Private keys lie sealed in the database. A backup of it is worth nothing without the key-encryption key, which is never in it."
      footer={
        <DialogClose>
          <Button variant="primary">Done</Button>
        </DialogClose>
      }
    >
      <div className="grid gap-3 text-sm">
        <ActionProblemNote problem={problem} />
        {pending && <p role="status">Opening each…</p>}
        {checked &&
          (closed.length === 0 ? (
            <Callout
              tone="success"
              announce
              title={`All ${checked.keys.length} open and fit their public halves`}
            >
              Checked <RelativeTime at={checked.checkedAt} />. The key-encryption key in use here is the right
              one: keep a copy of it apart from the backups.
            </Callout>
          ) : (
            <Callout
              tone="danger"
              announce
              title={`${closed.length} of ${checked.keys.length} ${closed.length === 1 ? 'key does' : 'keys do'} not open`}
            >
              They were sealed under another key-encryption key, or damaged. Bring back the right one, or
              rotate and kill them.
            </Callout>
          ))}
        {closed.length > 0 && (
          <ul className="grid gap-1">
            {closed.map((key) => (
              <li key={key.kid} className="flex flex-wrap items-center gap-2">
                <code className="break-all text-xs">{key.kid}</code>
                <StatePill state={key.state} plain />
              </li>
            ))}
          </ul>
        )}
      </div>
    </Dialog>
  );
}
