'use client';

import { Ban } from 'lucide-react';
import type { Action } from '#components/console/action.ts';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { KeyRow } from '#lib/credentials/read-keys.ts';
import { liveTokens, purposes } from './purposes.ts';

export type KillAction = Action<{ kid: string; reason: string }, { kid: string }>;

/** Ends a key for good, after saying what ends with it. */
export function KillKey({ row, kill }: { row: KeyRow; kill: KillAction }) {
  return (
    <ConfirmAction
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
      button="Kill key"
      action={kill}
      input={(reason) => ({ kid: row.kid, reason })}
      reason
      onDone={() => notify({ tone: 'success', title: 'The key is dead' })}
    >
      <p className="break-all text-fg-3 text-xs">
        <code>{row.kid}</code>
      </p>
      {row.purpose === 'token' && row.state !== 'next' && (
        <Callout tone={row.liveTokens > 0 ? 'warning' : 'info'} title={`This ends ${liveTokens(row)}`}>
          To change keys without refusing anybody, rotate instead. Kill a key that somebody else may hold.
        </Callout>
      )}
    </ConfirmAction>
  );
}

function consequence(row: KeyRow): string {
  if (row.state === 'next') return 'It has signed nothing yet. Another next key is made in its place.';
  const { killed } = purposes[row.purpose];
  return row.state === 'active' ? `The next key takes its place. ${killed}` : killed;
}
