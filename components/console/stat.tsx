import { ArrowUpRight } from 'lucide-react';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { type Tone, toneTextClass } from '#components/ui/badge.tsx';
import { cn } from '#components/ui/cn.ts';

export type Stat = {
  label: string;
  value: number | string;
  /** The list behind the number. */
  href: string;
  hint?: ReactNode;
  /** Colours the number when it asks for attention; zero stays calm. */
  tone?: Tone;
};

/** Numbers that open the list they count. */
export function StatRow({ stats }: { stats: ReadonlyArray<Stat> }) {
  return (
    <ul className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line sm:auto-cols-fr sm:grid-flow-col sm:grid-cols-none">
      {stats.map((stat) => (
        <li key={stat.label} className="min-w-0 bg-surface">
          <Link
            href={stat.href}
            className="group/stat grid h-full content-start gap-0.5 px-4 py-3 hover:bg-hover focus-visible:-outline-offset-2"
          >
            <span className="flex items-center justify-between gap-2 text-fg-2 text-xs">
              {stat.label}
              <ArrowUpRight
                aria-hidden
                className="size-3.5 shrink-0 text-fg-3 opacity-0 transition-opacity group-hover/stat:opacity-100 group-focus-visible/stat:opacity-100"
              />
            </span>
            <span
              className={cn(
                'tabular font-semibold text-2xl tracking-tight',
                stat.tone && stat.value !== 0 && toneTextClass[stat.tone],
              )}
            >
              {typeof stat.value === 'number' ? stat.value.toLocaleString('en') : stat.value}
            </span>
            {stat.hint && <span className="truncate text-fg-3 text-xs">{stat.hint}</span>}
          </Link>
        </li>
      ))}
    </ul>
  );
}
