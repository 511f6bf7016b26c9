'use client';

import { RotateCcw } from 'lucide-react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { CopyableId } from '#components/console/copyable-id.tsx';
import { formatDuration } from '#components/console/duration.ts';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { ExactTime, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { Delivery, DeliveryAttempt } from '#lib/jobs/webhooks.ts';

/** One message as it left, and what came of each try. */
export function MessageView({
  message,
  mayEdit,
  replay,
}: {
  message: Delivery & { body: string; attemptList: DeliveryAttempt[] };
  mayEdit: boolean;
  replay: Action<{ messageId: string }, void>;
}) {
  const { run, pending, problem } = useAction(replay);
  const isWebhook = message.channel === 'webhook';
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['webhooks']} id={message.destination} />
      <PageHeader
        crumbs={[
          { label: 'Notifications', href: '/notifications' },
          { label: 'Messages', href: '/notifications/messages' },
        ]}
        title={<UntrustedText text={message.title} />}
        state={<StatePill state={message.state} />}
        meta={
          <>
            <CopyableId id={message.id} label="message id" keep={40} />
            <code>{message.kind}</code>
            <span>
              Written <RelativeTime at={message.createdAt} />
            </span>
            {isWebhook ? (
              <TextLink href={`/notifications/webhooks/${message.destination}`}>Its webhook</TextLink>
            ) : (
              <span>
                to <UntrustedText text={message.destination} />
              </span>
            )}
          </>
        }
        actions={
          mayEdit && message.state !== 'waiting' ? (
            <Button
              icon={<RotateCcw aria-hidden />}
              pending={pending}
              onClick={() => run({ messageId: message.id })}
            >
              Send again
            </Button>
          ) : undefined
        }
      />
      <ActionProblemNote problem={problem} />
      <Card
        flush
        id="tries"
        title="Tries"
        description={
          message.nextAttemptAt && message.attempts > 0 ? undefined : 'Newest first; kept for ninety days'
        }
      >
        {message.nextAttemptAt && message.attempts > 0 && (
          <p className="border-line border-b px-4 py-2 text-fg-2 text-sm">
            The next try is due <RelativeTime at={message.nextAttemptAt} />.
          </p>
        )}
        {message.attemptList.length === 0 ? (
          <p className="p-4 text-fg-2 text-sm">
            {message.state === 'waiting' ? 'None yet.' : 'None is kept any more.'}
          </p>
        ) : (
          <ol className="divide-y divide-line" aria-label="Tries">
            {message.attemptList.map((each) => (
              <li key={each.id} className="grid gap-2 px-4 py-3 text-sm">
                <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
                  <Badge tone={each.problem ? 'danger' : 'success'} plain>
                    {each.status === null ? (each.problem ? 'no answer' : 'sent') : `status ${each.status}`}
                  </Badge>
                  <span className="text-fg-2">{formatDuration(each.tookMs / 1000)}</span>
                  <span className="ml-auto">
                    <ExactTime at={each.at} milliseconds />
                  </span>
                </div>
                {each.problem && (
                  <span className="text-danger text-xs">
                    <UntrustedText text={each.problem} />
                  </span>
                )}
                {each.excerpt && (
                  <figure className="grid gap-1">
                    <figcaption className="text-fg-3 text-xs">
                      What the other side answered, as text
                    </figcaption>
                    <div className="max-h-40 overflow-y-auto break-words rounded-md bg-sunken p-2 font-mono text-xs">
                      <UntrustedText text={each.excerpt} multiline />
                    </div>
                  </figure>
                )}
              </li>
            ))}
          </ol>
        )}
      </Card>
      {isWebhook && (
        <Card id="body" title="Body" description="Exactly these bytes are signed, with id and instant">
          <CodeBlock label="Body" code={message.body} wrap />
        </Card>
      )}
    </div>
  );
}
