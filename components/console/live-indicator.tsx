'use client';

import { cn } from '#components/ui/cn.ts';
import { Tooltip } from '#components/ui/tooltip.tsx';
import { useNowSeconds } from './clock.ts';
import { formatDuration } from './duration.ts';
import { useLiveConnection, useLiveState } from './live.ts';

/** Whether what is on screen is kept up to date: live, reconnecting, or stale with its age. */
export function LiveIndicator() {
  useLiveConnection();
  const { status, lastLiveAtMs } = useLiveState();
  const now = useNowSeconds();
  const ageSeconds = lastLiveAtMs === null ? null : Math.max(0, now - Math.floor(lastLiveAtMs / 1000));
  const stale = status === 'reconnecting' && (ageSeconds === null || ageSeconds >= 30);
  const word =
    status === 'live' ? 'Live' : status === 'connecting' ? 'Connecting' : stale ? 'Polling' : 'Reconnecting';
  const age = stale && ageSeconds !== null ? ` · ${formatDuration(ageSeconds)}` : '';
  return (
    <Tooltip
      side="bottom"
      content={
        status === 'live'
          ? 'Changes appear by themselves.'
          : stale
            ? 'The live connection is down. This page is read again every 15 seconds.'
            : 'Opening the live connection.'
      }
    >
      <button
        type="button"
        className="inline-flex min-h-6 min-w-6 cursor-default items-center justify-center gap-1.5 rounded-sm px-1 text-fg-2 text-xs"
      >
        <span
          aria-hidden
          className={cn(
            'size-1.5 rounded-full',
            status === 'live' ? 'bg-success' : stale ? 'bg-danger' : 'bg-warning',
          )}
        />
        <span role="status" className="max-sm:sr-only">
          <span className="sr-only">Updates: </span>
          {word}
        </span>
        {age && <span className="max-sm:sr-only">{age}</span>}
      </button>
    </Tooltip>
  );
}
