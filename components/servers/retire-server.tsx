'use client';

import { useQuery } from '@tanstack/react-query';
import { Archive } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { ApiError } from '#components/console/fetch-json.ts';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { Skeleton } from '#components/ui/skeleton.tsx';
import { type ServerReach, serverReachQuery } from './queries.ts';

export type RetireAction = Action<
  { serverId: string; reason: string },
  { revocationId: string; committedAt: string }
>;

/** Asks once before a server is retired, with what it reaches counted at this moment; then the receipt opens. */
export function RetireServer({
  server,
  retire,
}: {
  server: { id: string; name: string };
  retire: RetireAction;
}) {
  const router = useRouter();
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button variant="danger-outline" icon={<Archive aria-hidden />} onClick={() => setOpen(true)}>
        Retire…
      </Button>
      {open && (
        <ConfirmAction
          onClose={() => setOpen(false)}
          size="lg"
          title={`Retire ${server.name} for good?`}
          description="Every tool binding, token and sign-in for it ends at once, and nothing is issued for it any more. Agents keep what they hold elsewhere. It cannot come back, and its public URL stays taken."
          button="Retire server"
          action={retire}
          input={(reason) => ({ serverId: server.id, reason })}
          reason={{ hint: 'The owners of its agents read it; it stays in the history.' }}
          onDone={({ revocationId }) => router.push(`/revocations/${revocationId}`)}
        >
          <Reach serverId={server.id} />
        </ConfirmAction>
      )}
    </>
  );
}

function Reach({ serverId }: { serverId: string }) {
  const reach = useQuery(serverReachQuery(serverId));
  if (reach.data) return <Counted reach={reach.data} />;
  if (reach.isError) {
    return (
      <Callout tone="warning" title="What this reaches could not be counted">
        {reach.error instanceof ApiError ? reach.error.message : 'The server did not answer.'} Close this and
        look again before you retire it.
      </Callout>
    );
  }
  return (
    <div role="status" className="grid gap-2">
      <span className="sr-only">Counting what this reaches</span>
      <Skeleton className="h-14 w-full" />
      <Skeleton className="h-16 w-full" />
    </div>
  );
}

const mostShown = 8;

function Counted({ reach }: { reach: ServerReach }) {
  const numbers = [
    ['agents', reach.agents.length],
    ['live tokens', reach.liveTokens],
    ['sign-ins', reach.refreshFamilies],
    ['resource tokens', reach.resourceTokens],
    ['open requests', reach.openRequests],
  ] as const;
  const silent = reach.guards.filter((guard) => !guard.reachable);
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
      {reach.agents.length > 0 && (
        <ul className="grid gap-1 text-sm">
          {reach.agents.slice(0, mostShown).map((agent) => (
            <li key={agent.id} className="flex flex-wrap items-baseline gap-x-2">
              <TextLink href={`/agents/${agent.id}`} className="min-w-0">
                <UntrustedText text={agent.name} />
              </TextLink>
              <span className="text-fg-2 text-xs">
                loses {agent.tools} {agent.tools === 1 ? 'tool' : 'tools'}
              </span>
              {agent.losesEverything && (
                <Badge tone="warning" plain>
                  and then holds none
                </Badge>
              )}
            </li>
          ))}
          {reach.agents.length > mostShown && (
            <li className="text-fg-3 text-xs">and {reach.agents.length - mostShown} more</li>
          )}
        </ul>
      )}
      <p className="flex flex-wrap items-center gap-1.5 text-fg-2 text-xs">
        {reach.guards.length === 0
          ? 'No guard stands in front of it, so nobody has to be told.'
          : reach.guards.map((guard) => (
              <Badge key={guard.id} tone={guard.reachable ? 'success' : 'warning'} plain>
                {guard.name} {guard.reachable ? 'is listening' : 'is silent'}
              </Badge>
            ))}
      </p>
      {silent.length > 0 && (
        <p className="text-fg-2 text-xs">
          A silent guard hears nothing, but it refuses every call by itself within five seconds of losing
          contact.
        </p>
      )}
    </section>
  );
}
