'use client';

import { useNowEvery } from '#components/console/clock.ts';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Card } from '#components/ui/card.tsx';
import { cn } from '#components/ui/cn.ts';
import { TextLink } from '#components/ui/link-button.tsx';

export type EndingAgent = { id: string; name: string; owner: string; endsAt: string; neverUsed: boolean };

const hourMs = 3_600_000;
const hours = 24;

/** What ends within a fortnight; the next 24 hours also as a strip of hours. */
export function EndsSoon({
  agents,
  withinDay,
  withinFortnight,
}: {
  agents: EndingAgent[];
  withinDay: number;
  withinFortnight: number;
}) {
  return (
    <Card
      flush
      title="Ends soon"
      description={withinFortnight > 0 ? `${withinFortnight} within 14 days` : undefined}
      actions={
        withinFortnight > 0 ? (
          <TextLink href="/expiry" className="text-sm">
            Timeline
          </TextLink>
        ) : undefined
      }
    >
      {withinDay > 0 && <Hours agents={agents} />}
      {agents.length === 0 ? (
        <p className="p-4 text-fg-2 text-sm">No approval ends within 14 days.</p>
      ) : (
        <ul>
          {agents.map((agent) => (
            <li
              key={agent.id}
              className="flex flex-wrap items-center gap-x-3 gap-y-0.5 border-line border-b px-4 py-2.5 text-sm last:border-b-0"
            >
              <TextLink href={`/agents/${agent.id}`} className="font-medium">
                <UntrustedText text={agent.name} />
              </TextLink>
              <span className="text-fg-3 text-xs">
                {agent.owner}
                {agent.neverUsed && ', never used'}
              </span>
              <span className="ml-auto text-fg-2 text-xs">
                <RelativeTime at={agent.endsAt} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

/** One box an hour from now on; the list below tells the same in words. */
function Hours({ agents }: { agents: EndingAgent[] }) {
  const nowMs = useNowEvery(60) * 1000;
  const counts = Array.from(
    { length: hours },
    (_, hour) =>
      agents.filter((agent) => Math.floor((Date.parse(agent.endsAt) - nowMs) / hourMs) === hour).length,
  );
  return (
    <div aria-hidden className="border-line border-b px-4 pt-3 pb-2">
      <div className="grid grid-cols-24 gap-px">
        {counts.map((count, hour) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: hours keep their place
            key={hour}
            title={`in ${hour} h: ${count}`}
            className={cn(
              'flex h-6 items-center justify-center rounded-xs font-medium text-2xs',
              count === 0
                ? 'bg-sunken'
                : hour < 4
                  ? 'bg-danger-bg text-danger'
                  : 'bg-warning-bg text-warning',
            )}
          >
            {count > 0 && count}
          </span>
        ))}
      </div>
      <div className="mt-1 flex justify-between text-2xs text-fg-3">
        <span>now</span>
        <span>12 h</span>
        <span>24 h</span>
      </div>
    </div>
  );
}
