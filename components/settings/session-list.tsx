'use client';

import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import type { SessionRow } from '#lib/access/read-people.ts';
import { describeUserAgent } from './user-agent.ts';

export type EndSessionAction = Action<{ sessionId: string }, void>;

/** Sessions, the open ones first, this one marked. Without `endSession` they can only be looked at. */
export function SessionList({
  sessions,
  endSession,
  empty,
}: {
  sessions: readonly SessionRow[];
  endSession: EndSessionAction | null;
  empty: string;
}) {
  if (sessions.length === 0) return <p className="px-4 py-3 text-fg-2 text-sm">{empty}</p>;
  return (
    <ul className="divide-y divide-line">
      {sessions.map((session) => (
        <li
          key={session.sessionId}
          className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5 text-sm"
        >
          <div className="grid min-w-52 flex-1 gap-0.5">
            <span className="flex flex-wrap items-center gap-2">
              <span className={session.state === 'open' ? 'font-medium' : 'text-fg-2'}>
                <UntrustedText text={describeUserAgent(session.userAgent)} />
              </span>
              {session.isThisOne && <Badge tone="info">this browser</Badge>}
              {session.authMethod === 'provider' && <Badge>single sign-on</Badge>}
              {session.authMethod === 'recovery' && <Badge tone="warning">recovery</Badge>}
            </span>
            <span className="text-fg-3 text-xs">
              {session.address ?? 'address unknown'} · signed in <RelativeTime at={session.createdAt} /> ·{' '}
              {session.state === 'open' ? (
                <>
                  last seen <RelativeTime at={session.lastSeenAt} />, ends{' '}
                  <RelativeTime at={session.expiresAt} />
                </>
              ) : (
                <>
                  ended <RelativeTime at={session.endedAt ?? session.expiresAt} />
                </>
              )}
            </span>
          </div>
          {session.state === 'open' ? (
            endSession && !session.isThisOne && <EndSession session={session} endSession={endSession} />
          ) : (
            <StatePill state="ended" cause={session.endCause} plain />
          )}
        </li>
      ))}
    </ul>
  );
}

function EndSession({ session, endSession }: { session: SessionRow; endSession: EndSessionAction }) {
  const { run, pending, problem } = useAction(endSession);
  return (
    <div className="grid gap-2">
      <Button
        size="sm"
        className="justify-self-end"
        pending={pending}
        aria-label={`End session from ${session.address ?? 'an unknown address'}`}
        onClick={() => run({ sessionId: session.sessionId })}
      >
        End session
      </Button>
      <ActionProblemNote problem={problem} />
    </div>
  );
}
