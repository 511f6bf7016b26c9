import { ArrowRight, Minus, Pencil, Plus } from 'lucide-react';
import type { ReactNode } from 'react';
import { cn } from '#components/ui/cn.ts';

type Effect = 'widens' | 'narrows' | 'neutral';

const kinds = {
  added: { word: 'Added', icon: Plus, className: 'text-success' },
  removed: { word: 'Removed', icon: Minus, className: 'text-danger' },
  changed: { word: 'Changed', icon: Pencil, className: 'text-warning' },
} as const;

/** One line of a difference, told in words as well as colour: what, before, after, and whether it widens. */
export function DiffLine({
  kind,
  what,
  before,
  after,
  effect,
}: {
  kind: keyof typeof kinds;
  what: ReactNode;
  before?: ReactNode;
  after?: ReactNode;
  effect?: Effect;
}) {
  const look = kinds[kind];
  const Icon = look.icon;
  return (
    <li className="grid grid-cols-[5.5rem_minmax(0,1fr)] gap-x-3 gap-y-0.5 border-line border-b px-3 py-2 text-sm last:border-b-0">
      <span className={cn('inline-flex h-5 items-center gap-1 font-medium text-xs', look.className)}>
        <Icon aria-hidden className="size-3.5" />
        {look.word}
      </span>
      <div className="flex min-w-0 flex-wrap items-baseline gap-x-2 gap-y-0.5">
        <span className="font-medium">{what}</span>
        {effect && effect !== 'neutral' && (
          <span
            className={cn(
              'rounded-xs border px-1 text-2xs',
              effect === 'widens' ? 'border-warning-line text-warning' : 'border-success-line text-success',
            )}
          >
            {effect}
          </span>
        )}
      </div>
      {(before !== undefined || after !== undefined) && (
        <div className="col-start-2 flex min-w-0 flex-wrap items-baseline gap-x-2 gap-y-0.5">
          {before !== undefined && <Before>{before}</Before>}
          {before !== undefined && after !== undefined && (
            <ArrowRight aria-hidden className="size-3.5 shrink-0 self-center text-fg-3" />
          )}
          {after !== undefined && <After>{after}</After>}
        </div>
      )}
    </li>
  );
}

/** Holds DiffLines. */
export function DiffList({ label, children }: { label: string; children: ReactNode }) {
  return (
    <ul aria-label={label} className="grid">
      {children}
    </ul>
  );
}

/** What was asked beside what was granted; what was cut is struck through. */
export function AskedGranted({
  asked,
  granted,
  changed,
}: {
  asked: ReactNode;
  granted: ReactNode;
  changed: boolean;
}) {
  if (!changed) return <span>{granted}</span>;
  return (
    <span className="inline-flex flex-wrap items-baseline gap-x-2">
      <span>
        <span className="sr-only">Asked: </span>
        <s className="text-fg-3 decoration-danger">{asked}</s>
      </span>
      <span className="font-medium">
        <span className="sr-only">Granted: </span>
        {granted}
      </span>
    </span>
  );
}

function Before({ children }: { children: ReactNode }) {
  return (
    <del className="min-w-0 break-words rounded-xs bg-danger-bg px-1 text-danger decoration-danger/50">
      <span className="sr-only">Before: </span>
      {children}
    </del>
  );
}

function After({ children }: { children: ReactNode }) {
  return (
    <ins className="min-w-0 break-words rounded-xs bg-success-bg px-1 text-success no-underline">
      <span className="sr-only">After: </span>
      {children}
    </ins>
  );
}
