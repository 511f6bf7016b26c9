'use client';

import { useRef, useState } from 'react';
import { formatUtc } from '#components/console/time.ts';
import { Button } from '#components/ui/button.tsx';
import { cn } from '#components/ui/cn.ts';
import { Input } from '#components/ui/input.tsx';

export type HistogramData = { from: string; to: string; counts: number[] };

/**
 * When the events of a search happened. Dragging over the bars, or typing, chooses a range; the two fields do by
 * keyboard whatever the pointer does.
 */
export function Histogram({
  data,
  total,
  more,
  from,
  to,
  onRange,
}: {
  data: HistogramData | null;
  total: number;
  more: boolean;
  from: string | null;
  to: string | null;
  onRange: (range: { from: string | null; to: string | null }) => void;
}) {
  return (
    <section aria-label="When" className="grid gap-2 rounded-lg border border-line bg-surface px-3 py-2.5">
      {data && data.counts.length > 0 ? (
        <Bars data={data} total={total} more={more} onRange={onRange} />
      ) : (
        <p className="flex h-16 items-center justify-center text-fg-3 text-xs">Nothing in this range</p>
      )}
      <RangeForm key={`${from} ${to}`} from={from} to={to} onRange={onRange} />
    </section>
  );
}

function Bars({
  data,
  total,
  more,
  onRange,
}: {
  data: HistogramData;
  total: number;
  more: boolean;
  onRange: (range: { from: string | null; to: string | null }) => void;
}) {
  const [drag, setDrag] = useState<{ start: number; end: number } | null>(null);
  const strip = useRef<HTMLDivElement>(null);
  const first = Date.parse(data.from);
  const last = Date.parse(data.to);
  const highest = Math.max(1, ...data.counts);
  const count = data.counts.length;
  const edge = (index: number) => first + ((last - first) * index) / count;
  const indexAt = (clientX: number) => {
    const box = strip.current?.getBoundingClientRect();
    if (!box || box.width === 0) return 0;
    return Math.min(count - 1, Math.max(0, Math.floor(((clientX - box.left) / box.width) * count)));
  };
  const chosen = drag && { low: Math.min(drag.start, drag.end), high: Math.max(drag.start, drag.end) };
  const words = `${total.toLocaleString('en')}${more ? ' newest' : ''} events between ${formatUtc(new Date(first))} and ${formatUtc(new Date(last))}`;
  return (
    <div className="grid gap-1">
      {/* The form below reaches every range a drag can. */}
      <div
        ref={strip}
        role="img"
        aria-label={words}
        className="flex h-16 cursor-crosshair touch-none select-none items-end gap-px"
        onPointerDown={(event) => {
          if (event.button !== 0 || last <= first) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const index = indexAt(event.clientX);
          setDrag({ start: index, end: index });
        }}
        onPointerMove={(event) => {
          if (drag) setDrag({ ...drag, end: indexAt(event.clientX) });
        }}
        onPointerCancel={() => setDrag(null)}
        onPointerUp={() => {
          if (!chosen) return;
          setDrag(null);
          onRange({
            from: new Date(Math.floor(edge(chosen.low))).toISOString(),
            to: new Date(Math.ceil(edge(chosen.high + 1)) + 1).toISOString(),
          });
        }}
      >
        {data.counts.map((value, index) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: equal spans of time in their order
            key={index}
            title={`${value.toLocaleString('en')} from ${formatUtc(new Date(edge(index)))}`}
            className={cn(
              'flex h-full min-w-0 flex-1 items-end rounded-xs',
              chosen && index >= chosen.low && index <= chosen.high ? 'bg-selected' : 'hover:bg-hover',
            )}
          >
            <span
              style={{ height: value === 0 ? '1px' : `${Math.max(6, (value / highest) * 100)}%` }}
              className={cn('forced-bar block w-full rounded-t-xs', value === 0 ? 'bg-line' : 'bg-accent')}
            />
          </span>
        ))}
      </div>
      <div aria-hidden className="flex justify-between gap-4 text-2xs text-fg-3">
        <span>{formatUtc(new Date(first))}</span>
        <span className="text-end">{formatUtc(new Date(last))}</span>
      </div>
    </div>
  );
}

function RangeForm({
  from,
  to,
  onRange,
}: {
  from: string | null;
  to: string | null;
  onRange: (range: { from: string | null; to: string | null }) => void;
}) {
  return (
    <form
      className="no-print flex flex-wrap items-center gap-x-3 gap-y-2"
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        const text = (name: string) => String(form.get(name) ?? '').trim() || null;
        onRange({ from: text('from'), to: text('to') });
      }}
    >
      <label htmlFor="range-from" className="flex min-w-0 items-center gap-2 text-fg-2 text-xs">
        From
        <Input
          id="range-from"
          name="from"
          mono
          className="h-7 w-52 max-w-full"
          placeholder="2026-03-02T09:00:00Z"
          defaultValue={from ?? ''}
        />
      </label>
      <label htmlFor="range-to" className="flex min-w-0 items-center gap-2 text-fg-2 text-xs">
        To
        <Input
          id="range-to"
          name="to"
          mono
          className="h-7 w-52 max-w-full"
          placeholder="2026-03-03"
          defaultValue={to ?? ''}
        />
      </label>
      <span className="text-fg-3 text-xs">UTC</span>
      <div className="flex gap-2">
        <Button type="submit" size="sm">
          Set range
        </Button>
        {(from || to) && (
          <Button type="button" size="sm" variant="ghost" onClick={() => onRange({ from: null, to: null })}>
            All time
          </Button>
        )}
      </div>
    </form>
  );
}
