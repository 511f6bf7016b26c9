'use client';

import Link from 'next/link';
import { type KeyboardEvent, useRef, useState } from 'react';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { cn } from '#components/ui/cn.ts';
import type { Expiry } from '#lib/agents/read-expiry.ts';
import { isWeekend, sayShort, sayWeek, sumDays, type Week, weeksOf } from './calendar.ts';

type Row = { key: string; label: string; href: string | null; total: number; weeks: Week[] };

/**
 * Thirteen weeks by lanes: a cell is a week, the strokes in it its days. Each week that holds anything is a link to its
 * days in the list below; the arrows move between them, so that the grid is one stop of the Tab key.
 */
export function ExpiryChart({
  expiry,
  clumped,
  laneWord,
  range,
  rangeHref,
  laneHref,
}: {
  expiry: Expiry;
  clumped: ReadonlySet<number>;
  laneWord: string;
  /** The days chosen, by number. */
  range: { from: number; to: number } | null;
  rangeHref: (first: number, last: number) => string;
  laneHref: (value: string) => string;
}) {
  const { today, days, lanes } = expiry;
  const grid = useRef<HTMLDivElement>(null);
  const sums = sumDays(lanes, days);
  const rows: Row[] = [
    { key: 'all', label: 'All', href: null, total: expiry.total, weeks: weeksOf(sums) },
    ...(lanes.length > 1 ? lanes : []).map((lane) => ({
      key: lane.value ?? 'others',
      label: lane.label,
      href: lane.value ? laneHref(lane.value) : null,
      total: lane.total,
      weeks: weeksOf(sumDays([lane], days)),
    })),
  ];
  const first = rows[0]?.weeks.findIndex(({ total }) => total > 0) ?? -1;
  const [stop, setStop] = useState(`0 ${first}`);

  function onKeyDown(event: KeyboardEvent<HTMLDivElement>) {
    const target = event.target as HTMLElement;
    const at = target.dataset.cell?.split(' ').map(Number);
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (!at || (!step && event.key !== 'Home' && event.key !== 'End')) return;
    const [row = 0, column = 0] = at;
    const cells = [...(grid.current?.querySelectorAll<HTMLElement>('[data-cell]') ?? [])].map((element) => {
      const [ofRow = 0, ofColumn = 0] = element.dataset.cell?.split(' ').map(Number) ?? [];
      return { element, row: ofRow, column: ofColumn };
    });
    const inRow = cells.filter((cell) => cell.row === row);
    let next = event.key === 'Home' ? inRow[0] : event.key === 'End' ? inRow.at(-1) : undefined;
    if (step?.[1]) {
      const beyond = inRow.filter((cell) => (cell.column - column) * (step[1] as number) > 0);
      next = step[1] > 0 ? beyond[0] : beyond.at(-1);
    } else if (step?.[0]) {
      const beyond = cells.filter((cell) => (cell.row - row) * (step[0] as number) > 0);
      const to = step[0] > 0 ? beyond[0]?.row : beyond.at(-1)?.row;
      next = beyond
        .filter((cell) => cell.row === to)
        .sort((a, b) => Math.abs(a.column - column) - Math.abs(b.column - column))[0];
    }
    event.preventDefault();
    if (!next) return;
    setStop(`${next.row} ${next.column}`);
    next.element.focus();
  }

  return (
    <div className="relative -mx-1 overflow-x-auto px-1 pb-1 print:overflow-visible">
      {/* biome-ignore lint/a11y/useSemanticElements: on narrow screens a lane's name stands above its weeks, which no table row does */}
      <div
        ref={grid}
        role="grid"
        aria-label={`Approvals that end in the next ${expiry.days / 7} weeks, by ${laneWord.toLowerCase()} and week`}
        tabIndex={-1}
        onKeyDown={onKeyDown}
        className="grid min-w-92 gap-y-1"
      >
        {/* biome-ignore lint/a11y/useSemanticElements: as above */}
        {/* biome-ignore lint/a11y/useFocusableInteractive: its links are */}
        <div role="row" className={rowClass}>
          {/* biome-ignore lint/a11y/useSemanticElements: as above */}
          {/* biome-ignore lint/a11y/useFocusableInteractive: its links are */}
          <span role="columnheader" className="text-2xs text-fg-3 max-sm:sr-only">
            {laneWord}
          </span>
          {rows[0]?.weeks.map((week, index) => (
            // biome-ignore lint/a11y/useSemanticElements: as above
            // biome-ignore lint/a11y/useFocusableInteractive: its links are
            <span key={week.first} role="columnheader" className="min-w-0 text-2xs text-fg-3">
              <span className={cn('whitespace-nowrap', index % 2 === 1 && 'max-lg:sr-only')}>
                {sayShort(today, week.first)}
              </span>
            </span>
          ))}
        </div>
        {rows.map((row, rowIndex) => {
          // Strokes of a lane are compared with each other: a small lane beside a great one still shows its days.
          const highest = Math.max(1, ...row.weeks.flatMap(({ counts }) => counts));
          return (
            // biome-ignore lint/a11y/useSemanticElements: as above
            // biome-ignore lint/a11y/useFocusableInteractive: its links are
            <div
              key={row.key}
              role="row"
              className={cn(rowClass, rowIndex === 0 && 'border-line border-b pb-1')}
            >
              {/* biome-ignore lint/a11y/useSemanticElements: as above */}
              {/* biome-ignore lint/a11y/useFocusableInteractive: its links are */}
              <div
                role="rowheader"
                className="flex min-w-0 items-baseline justify-between gap-2 text-sm max-sm:col-span-full"
              >
                {row.href ? (
                  <Link
                    href={row.href}
                    scroll={false}
                    tabIndex={-1}
                    className="inline-block min-h-6 min-w-0 truncate rounded-xs leading-6 hover:underline"
                  >
                    <UntrustedText text={row.label} />
                    <span className="sr-only">, show only these</span>
                  </Link>
                ) : (
                  <span className="min-h-6 truncate font-medium leading-6">{row.label}</span>
                )}
                <span className="tabular shrink-0 pr-1.5 text-fg-3 text-xs">
                  {row.total.toLocaleString('en')}
                </span>
              </div>
              {row.weeks.map((week, column) => {
                const cell = `${rowIndex} ${column}`;
                const inRange = range && week.first <= range.to && week.last >= range.from;
                return (
                  // biome-ignore lint/a11y/useSemanticElements: as above
                  // biome-ignore lint/a11y/useFocusableInteractive: its link is
                  <div
                    key={week.first}
                    role="gridcell"
                    aria-selected={Boolean(inRange)}
                    className={cn(
                      'relative h-9 min-w-6 overflow-hidden rounded-xs bg-sunken outline-offset-0!',
                      inRange && 'bg-selected',
                    )}
                  >
                    <Days today={today} week={week} highest={highest} clumped={clumped} />
                    {week.total > 0 && (
                      <Link
                        href={rangeHref(week.first, week.last)}
                        scroll={false}
                        data-cell={cell}
                        tabIndex={stop === cell ? 0 : -1}
                        onFocus={() => setStop(cell)}
                        title={sayWeek(today, week)}
                        aria-label={`${row.label}, ${sayWeek(today, week)}`}
                        className="absolute inset-0 rounded-xs hover:bg-hover/40 focus-visible:-outline-offset-2"
                      />
                    )}
                  </div>
                );
              })}
            </div>
          );
        })}
      </div>
    </div>
  );
}

const rowClass =
  'grid grid-cols-[repeat(13,minmax(1.5rem,1fr))] items-center gap-x-0.5 sm:grid-cols-[minmax(6rem,10rem)_repeat(13,minmax(1.5rem,1fr))]';

/** Seven strokes, as high as what ends that day; weekends are shaded, and a crowded day is amber. */
function Days({
  today,
  week,
  highest,
  clumped,
}: {
  today: string;
  week: Week;
  highest: number;
  clumped: ReadonlySet<number>;
}) {
  return (
    <svg aria-hidden viewBox="0 0 70 36" preserveAspectRatio="none" className="absolute inset-0 size-full">
      {week.counts.map((count, index) => {
        const day = week.first + index;
        const height = count === 0 ? 0 : Math.max(5, (count / highest) * 32);
        return (
          <g key={day}>
            {isWeekend(today, day) && (
              <rect x={index * 10} y={0} width={10} height={36} fill="currentColor" className="text-line" />
            )}
            {count > 0 && (
              <rect
                x={index * 10 + 1}
                y={36 - height}
                width={8}
                height={height}
                fill="currentColor"
                className={clumped.has(day) ? 'text-warning' : 'text-accent'}
              />
            )}
          </g>
        );
      })}
    </svg>
  );
}
