'use client';

import { RefreshCw } from 'lucide-react';
import type { Action } from '#components/console/action.ts';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { Button } from '#components/ui/button.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { KeyRow } from '#lib/credentials/read-keys.ts';
import { purposes } from './purposes.ts';

export type RotateAction = Action<{ purpose: KeyRow['purpose'] }, { kid: string; retiredKid: string | null }>;

/** Lets the next key of a purpose take over before its time. */
export function RotateKey({ purpose, rotate }: { purpose: KeyRow['purpose']; rotate: RotateAction }) {
  const { title } = purposes[purpose];
  return (
    <ConfirmAction
      trigger={
        <Button size="sm" icon={<RefreshCw aria-hidden />} aria-label={`Rotate now: ${title}`}>
          Rotate now
        </Button>
      }
      title={`Rotate the key for ${title.toLowerCase()}?`}
      description="The next key signs from now on and a new next one is made. The old key is accepted until what it signed has ended, so nobody is refused."
      button="Rotate"
      variant="primary"
      action={rotate}
      input={() => ({ purpose })}
      onDone={() => notify({ tone: 'success', title: `${title}: the next key signs now` })}
    />
  );
}
