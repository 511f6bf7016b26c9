import type { ReactNode } from 'react';
import { formatUtc } from '#components/console/time.ts';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { cn } from '#components/ui/cn.ts';
import type { AgentTimeline } from '#lib/agents/read-timeline.ts';

const shownBindings = 8;
const buckets = 60;
const ticks = 5;

const stateLooks: Record<string, string> = {
  pending: 'border-violet-line bg-violet-bg text-violet',
  active: 'border-success-line bg-success-bg text-success',
  suspended: 'border-warning-line bg-warning-bg text-warning',
  revoked: 'border-danger-line bg-danger-bg text-danger',
  expired: 'border-neutral-line bg-neutral-bg text-neutral',
};

/** A life as lanes over time. A picture of what the tables beside it say, and described as one. */
export function LifelineChart({ timeline }: { timeline: AgentTimeline }) {
  const { states, bindings, requests, minted } = timeline;
  const first = Date.parse(timeline.from);
  const last = Math.max(first + 1, Date.parse(timeline.to));
  // A little before and after, so that what happened at an end is not cut in half.
  const margin = (last - first) * 0.03;
  const [start, end] = [first - margin, last + margin];
  const at = (instant: string | number) =>
    (((typeof instant === 'number' ? instant : Date.parse(instant)) - start) / (end - start)) * 100;
  const place = (from: string, to: string | null) => {
    const left = Math.max(0, at(from));
    const right = Math.min(100, to === null ? 100 : at(to));
    return right > 0 && left < 100 && right >= left ? { left: `${left}%`, width: `${right - left}%` } : null;
  };
  const shown = bindings.filter(({ from, to }) => place(from, to)).slice(0, shownBindings);
  const counts = new Array<number>(buckets).fill(0);
  for (const { date, count } of minted) {
    const middle = at(`${date}T12:00:00Z`);
    const bucket = Math.min(buckets - 1, Math.max(0, Math.floor((middle / 100) * buckets)));
    counts[bucket] = (counts[bucket] ?? 0) + count;
  }
  const highest = Math.max(1, ...counts);
  const points = requests.flatMap((request) =>
    [
      {
        key: `${request.id} asked`,
        at: request.submittedAt,
        done: false,
        title: `${request.label} submitted`,
      },
      {
        key: `${request.id} decided`,
        at: request.decidedAt,
        done: true,
        title: `${request.label} ${request.state}`,
      },
    ].filter((point) => point.at !== null && at(point.at) >= 0 && at(point.at) <= 100),
  );
  const total = minted.reduce((sum, { count }) => sum + count, 0);
  return (
    <div
      role="img"
      aria-label={`From ${formatUtc(new Date(first))} to ${formatUtc(new Date(last))}: ${shown.length} approvals, ${points.length} steps of requests, ${total} credentials minted. The tables below say the same.`}
      className="grid gap-1.5 text-xs"
    >
      <Lane label="State">
        {states.map((span) => {
          const style = place(span.from, span.to);
          return (
            style && (
              <span
                key={`${span.state} ${span.from}`}
                style={style}
                title={`${span.state} from ${formatUtc(new Date(span.from))}`}
                className={cn(
                  'absolute inset-y-0 min-w-1 overflow-hidden rounded-xs border px-1 leading-5 whitespace-nowrap',
                  stateLooks[span.state],
                )}
              >
                {span.state}
              </span>
            )
          );
        })}
      </Lane>
      {shown.map((binding) => {
        const style = place(binding.from, binding.to);
        return (
          <Lane key={binding.id} label={binding.server}>
            {style && (
              <span
                style={style}
                title={`${binding.tools.length} tools on ${binding.server}`}
                className={cn(
                  'absolute inset-y-0.5 min-w-1 overflow-hidden rounded-xs border px-1 leading-4 whitespace-nowrap',
                  binding.endCause === null
                    ? 'border-info-line bg-info-bg text-info'
                    : 'border-neutral-line bg-neutral-bg text-neutral',
                )}
              >
                {binding.tools.length} {binding.tools.length === 1 ? 'tool' : 'tools'}
              </span>
            )}
          </Lane>
        );
      })}
      <Lane label="Requests">
        {points.map((point) => (
          <span
            key={point.key}
            title={`${point.title}, ${formatUtc(new Date(point.at as string))}`}
            style={{ left: `${at(point.at as string)}%` }}
            className={cn(
              'absolute top-1/2 size-2.5 -translate-1/2 rotate-45 border border-violet',
              point.done ? 'forced-fill bg-violet' : 'bg-surface',
            )}
          />
        ))}
      </Lane>
      <Lane label="Minted" hint={total > 0 ? total.toLocaleString('en') : 'none'} tall>
        <svg
          aria-hidden
          viewBox={`0 0 ${buckets} 36`}
          preserveAspectRatio="none"
          className="absolute inset-0 size-full"
        >
          {counts.map((count, index) =>
            count === 0 ? null : (
              <rect
                // biome-ignore lint/suspicious/noArrayIndexKey: equal spans of time in their order
                key={index}
                x={index + 0.1}
                width={0.8}
                y={36 - Math.max(4, (count / highest) * 34)}
                height={Math.max(4, (count / highest) * 34)}
                fill="currentColor"
                className="text-accent"
              />
            ),
          )}
        </svg>
      </Lane>
      <div className="flex justify-between gap-2 text-2xs text-fg-3 sm:pl-34">
        {Array.from({ length: ticks }, (_, index) => {
          const instant = new Date(start + ((end - start) * index) / (ticks - 1)).toISOString();
          // A life of hours needs its hours, one of months its days.
          const text =
            end - start < 3 * 86_400_000
              ? `${instant.slice(5, 10)} ${instant.slice(11, 16)}`
              : instant.slice(0, 10);
          return (
            <span key={instant} className={index % 2 === 1 ? 'max-sm:hidden' : undefined}>
              {text}
            </span>
          );
        })}
      </div>
    </div>
  );
}

function Lane({
  label,
  hint,
  tall = false,
  children,
}: {
  label: string;
  hint?: string;
  tall?: boolean;
  children: ReactNode;
}) {
  return (
    <div className="grid items-center gap-x-2 gap-y-0.5 sm:grid-cols-[8rem_minmax(0,1fr)]">
      <div className="flex min-w-0 justify-between gap-2 text-fg-2">
        <span className="truncate">
          <UntrustedText text={label} />
        </span>
        {hint && <span className="text-fg-3">{hint}</span>}
      </div>
      <div className={cn('relative overflow-hidden rounded-xs bg-sunken', tall ? 'h-9' : 'h-5.5')}>
        {children}
      </div>
    </div>
  );
}
