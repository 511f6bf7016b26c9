'use client';

import { useQuery } from '@tanstack/react-query';
import { useRouter } from 'next/navigation';
import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { ApiError } from '#components/console/fetch-json.ts';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { AlertDialog } from '#components/ui/alert-dialog.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Field } from '#components/ui/field.tsx';
import { Select } from '#components/ui/select.tsx';
import { Skeleton } from '#components/ui/skeleton.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import { type BlastRadius, blastRadiusQuery } from './queries.ts';
import { type StopEffect, stopCauseWords } from './types.ts';

export type StopCause =
  | 'administrative'
  | 'compromise'
  | 'reuse'
  | 'key change'
  | 'origin change'
  | 'owner left';
export type StopAction = Action<
  { agentId: string; cause?: StopCause; reason?: string },
  { revocationId: string; committedAt: string }
>;

const words = {
  suspend: {
    title: (name: string) => `Suspend ${name}?`,
    text: 'Every token it has is dead at once, and its calls are refused. It can come back only by a request that somebody else approves.',
    button: 'Suspend now',
  },
  revoke: {
    title: (name: string) => `Revoke ${name} for good?`,
    text: 'Every token, sign-in and tool binding ends at once. It cannot come back: a new agent would have to be requested.',
    button: 'Revoke now',
  },
} as const;

/** Asks once before a stop, with what it reaches counted at this moment; then its receipt opens. */
export function StopDialog({
  agent,
  effect,
  stop,
  onClose,
}: {
  agent: { id: string; name: string };
  effect: StopEffect;
  stop: StopAction;
  onClose: () => void;
}) {
  const router = useRouter();
  const [cause, setCause] = useState<StopCause>('administrative');
  const [reason, setReason] = useState('');
  const { run, pending, problem } = useAction(stop);
  const radius = useQuery(blastRadiusQuery(agent.id));
  const said = words[effect];
  return (
    <AlertDialog
      open
      size="lg"
      onOpenChange={(open) => !open && !pending && onClose()}
      title={said.title(agent.name)}
      description={said.text}
      confirm={
        <Button
          variant="danger"
          pending={pending}
          onClick={() =>
            run({ agentId: agent.id, cause, reason }, ({ revocationId }) =>
              router.push(`/revocations/${revocationId}`),
            )
          }
        >
          {said.button}
        </Button>
      }
    >
      <div className="grid gap-4">
        <ActionProblemNote problem={problem} />
        {radius.data ? (
          <Reach radius={radius.data} />
        ) : radius.isError ? (
          <Callout tone="warning" title="What this reaches could not be counted">
            {radius.error instanceof ApiError ? radius.error.message : 'The server did not answer.'} You can
            stop it all the same; the receipt counts what ended.
          </Callout>
        ) : (
          <div role="status" className="grid gap-2">
            <span className="sr-only">Counting what this reaches</span>
            <Skeleton className="h-14 w-full" />
            <Skeleton className="h-16 w-full" />
          </div>
        )}
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            name="cause"
            label="Cause"
            error={issueFor(problem, 'cause')}
            hint={effect === 'suspend' ? stopCauseWords[cause]?.hint : 'Kept with the receipt.'}
          >
            <Select
              value={cause}
              onValueChange={setCause}
              options={(Object.keys(stopCauseWords) as StopCause[]).map((value) => ({
                value,
                label: stopCauseWords[value]?.label ?? value,
              }))}
            />
          </Field>
          <Field
            name="reason"
            label="Reason"
            optional
            error={issueFor(problem, 'reason')}
            hint="The owner reads it; it stays in the history."
          >
            <Textarea
              rows={2}
              maxLength={2000}
              value={reason}
              onChange={(event) => setReason(event.target.value)}
            />
          </Field>
        </div>
      </div>
    </AlertDialog>
  );
}

function Reach({ radius }: { radius: BlastRadius }) {
  const numbers = [
    ['live tokens', radius.liveTokens],
    ['sign-ins', radius.refreshFamilies],
    ['clients', radius.instances],
    ['waiting browsers', radius.waitingBrowsers],
    ['open requests', radius.openRequests],
  ] as const;
  const silent = radius.servers.flatMap((server) => server.guards.filter((guard) => !guard.reachable));
  return (
    <section aria-label="What this reaches" className="grid gap-3">
      <ul className="grid grid-cols-2 gap-px overflow-hidden rounded-md border border-line bg-line sm:grid-cols-5">
        {numbers.map(([label, value]) => (
          <li key={label} className="bg-surface px-3 py-2">
            <div className="font-semibold text-lg">{value.toLocaleString('en')}</div>
            <div className="text-fg-2 text-xs">{label}</div>
          </li>
        ))}
      </ul>
      {radius.servers.length > 0 && (
        <ul className="grid gap-1.5 text-sm">
          {radius.servers.map((server) => (
            <li key={server.serverId} className="flex flex-wrap items-baseline gap-x-2 gap-y-1">
              <span className="font-medium">{server.name}</span>
              <span className="min-w-0 text-fg-2 text-xs">
                loses{' '}
                {server.tools.map((tool, index) => (
                  <span key={tool} className="font-mono">
                    {index > 0 && ', '}
                    <UntrustedText text={tool} />
                  </span>
                ))}
              </span>
              <span className="ml-auto flex flex-wrap gap-1">
                {server.guards.map((guard) => (
                  <Badge key={guard.guardId} tone={guard.reachable ? 'success' : 'warning'} plain>
                    {guard.name} {guard.reachable ? 'is listening' : 'is silent'}
                  </Badge>
                ))}
              </span>
            </li>
          ))}
        </ul>
      )}
      {silent.length > 0 && (
        <p className="text-fg-2 text-xs">
          A silent guard hears nothing, but it refuses every call by itself within five seconds of losing
          contact.
        </p>
      )}
      <p className="text-fg-3 text-xs">
        {radius.agent.ownerName} owns it.{' '}
        {radius.lastIssuedAt ? (
          <>
            Last token <RelativeTime at={radius.lastIssuedAt} />,{' '}
          </>
        ) : (
          'No token was ever issued, '
        )}
        {radius.lastUsedAt ? (
          <>
            last call <RelativeTime at={radius.lastUsedAt} />.
          </>
        ) : (
          'no call was ever accepted.'
        )}
      </p>
    </section>
  );
}
