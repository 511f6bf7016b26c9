'use client';

import { useContext } from 'react';
import { cn } from '#components/ui/cn.ts';
import { Tooltip } from '#components/ui/tooltip.tsx';
import { useNowEvery, useNowSeconds } from './clock.ts';
import { DenseContext } from './dense.ts';
import { formatDuration } from './duration.ts';
import { formatRelative, formatUtc } from './time.ts';

type Instant = string | number | Date;

/** How long ago or how soon, with the UTC instant on hover and on focus. `exact` shows the instant itself. */
export function RelativeTime({
  at,
  exact = false,
  className,
}: {
  /** ISO 8601, milliseconds or Date. */
  at: Instant | null | undefined;
  exact?: boolean;
  className?: string;
}) {
  const dense = useContext(DenseContext);
  const now = useNowEvery(5);
  if (at === null || at === undefined) return <span className="text-fg-3">–</span>;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span className="text-fg-3">–</span>;
  const absolute = formatUtc(date);
  const relative = formatRelative(Math.floor(date.getTime() / 1000) - now);
  const time = (
    <time
      dateTime={date.toISOString()}
      title={dense ? absolute : undefined}
      // Printed instead: what was three hours ago says nothing on paper.
      data-printed={exact ? undefined : absolute}
      tabIndex={dense ? undefined : 0}
      suppressHydrationWarning
      className={cn('whitespace-nowrap rounded-xs', className)}
    >
      {exact ? absolute : relative}
    </time>
  );
  if (dense) return time;
  return <Tooltip content={exact ? relative : absolute}>{time}</Tooltip>;
}

/** An instant in UTC, as the audit prints it. */
export function ExactTime({ at, milliseconds = false }: { at: Instant; milliseconds?: boolean }) {
  const date = new Date(at);
  return (
    <time dateTime={date.toISOString()} className="whitespace-nowrap font-mono text-xs">
      {formatUtc(date, milliseconds)}
    </time>
  );
}

/** A length of time. */
export function Duration({ seconds }: { seconds: number }) {
  return <span className="whitespace-nowrap">{formatDuration(seconds)}</span>;
}

/** Time left until something ends; amber in the last tenth of `totalSeconds`, red when over. */
export function Countdown({
  until,
  totalSeconds,
  over = 'ended',
  className,
}: {
  until: Instant;
  totalSeconds?: number;
  /** What it says afterwards. */
  over?: string;
  className?: string;
}) {
  const now = useNowSeconds();
  const date = new Date(until);
  const left = Math.floor(date.getTime() / 1000) - now;
  const soon = totalSeconds ? left <= totalSeconds / 10 : left <= 60;
  return (
    <time
      dateTime={date.toISOString()}
      title={formatUtc(date)}
      suppressHydrationWarning
      className={cn(
        'whitespace-nowrap',
        left <= 0 ? 'text-danger' : soon ? 'font-medium text-warning' : undefined,
        className,
      )}
    >
      {left <= 0 ? over : `${formatDuration(left)} left`}
    </time>
  );
}
