'use client';

import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { SessionRow } from '#lib/access/read-people.ts';
import { type EndSessionAction, SessionList } from './session-list.tsx';

export function SessionsView({
  sessions,
  actions,
}: {
  sessions: readonly SessionRow[];
  actions: {
    endOtherSessions: Action<Record<string, never>, { ended: number }>;
    endSession: EndSessionAction;
  };
}) {
  const { run, pending, problem } = useAction(actions.endOtherSessions);
  const others = sessions.filter((session) => session.state === 'open' && !session.isThisOne).length;
  return (
    <Card
      title="Sessions"
      description="A session ends by itself after 12 idle hours, and after 7 days at the latest."
      flush
      actions={
        <Button
          size="sm"
          pending={pending}
          disabledReason={others === 0 ? 'No other session is open.' : undefined}
          onClick={() =>
            run({}, ({ ended }) =>
              notify({ title: `${ended} ${ended === 1 ? 'session' : 'sessions'} ended` }),
            )
          }
        >
          End all others
        </Button>
      }
    >
      <LiveRefresh topics={['people']} />
      {problem && (
        <div className="px-4 pb-3">
          <ActionProblemNote problem={problem} />
        </div>
      )}
      <SessionList sessions={sessions} endSession={actions.endSession} empty="No session." />
    </Card>
  );
}
