import { Check, Circle, CircleDot, type LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { type Tone, toneTextClass } from '#components/ui/badge.tsx';
import { cn } from '#components/ui/cn.ts';

export type TimelineItem = {
  key: string;
  title: ReactNode;
  /** A RelativeTime or ExactTime. */
  time?: ReactNode;
  body?: ReactNode;
  icon?: LucideIcon;
  tone?: Tone;
};

/** What happened, in order. */
export function Timeline({ label, items }: { label: string; items: ReadonlyArray<TimelineItem> }) {
  return (
    <ol aria-label={label} className="grid">
      {items.map((item) => {
        const Icon = item.icon ?? Circle;
        return (
          <li key={item.key} className="group/item grid grid-cols-[1.25rem_minmax(0,1fr)] gap-x-2.5">
            <div className="flex flex-col items-center">
              <span
                className={cn(
                  'flex h-5 items-center bg-surface',
                  item.tone ? toneTextClass[item.tone] : 'text-fg-3',
                )}
              >
                <Icon aria-hidden className={item.icon ? 'size-4' : 'size-2 fill-current'} />
              </span>
              <span aria-hidden className="w-px flex-1 bg-line group-last/item:hidden" />
            </div>
            <div className="min-w-0 pb-4 group-last/item:pb-0">
              <div className="flex flex-wrap items-baseline justify-between gap-x-4">
                <div className="min-w-0 text-sm">{item.title}</div>
                {item.time && <div className="text-fg-3 text-xs">{item.time}</div>}
              </div>
              {item.body && <div className="mt-0.5 text-fg-2 text-sm">{item.body}</div>}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

export type Step = { key: string; label: ReactNode; hint?: ReactNode; status: 'done' | 'current' | 'later' };

const stepWords = { done: 'Done', current: 'Now', later: 'Later' } as const;

/** Where something stands on its way. */
export function Stepper({ label, steps }: { label: string; steps: ReadonlyArray<Step> }) {
  return (
    <ol aria-label={label} className="flex flex-col gap-x-3 gap-y-2 sm:flex-row sm:items-start">
      {steps.map((step) => {
        const Icon = step.status === 'done' ? Check : step.status === 'current' ? CircleDot : Circle;
        return (
          <li
            key={step.key}
            aria-current={step.status === 'current' ? 'step' : undefined}
            className={cn(
              'flex min-w-0 flex-1 items-start gap-2 border-t-2 pt-2',
              step.status === 'later' ? 'border-line' : 'border-ink',
            )}
          >
            <Icon
              aria-hidden
              className={cn(
                'mt-0.5 size-4 shrink-0',
                step.status === 'done'
                  ? 'text-success'
                  : step.status === 'current'
                    ? 'text-accent'
                    : 'text-fg-3',
              )}
            />
            <div className="min-w-0">
              <div className={cn('text-sm', step.status === 'later' ? 'text-fg-2' : 'font-medium')}>
                <span className="sr-only">{stepWords[step.status]}: </span>
                {step.label}
              </div>
              {step.hint && <div className="text-fg-3 text-xs">{step.hint}</div>}
            </div>
          </li>
        );
      })}
    </ol>
  );
}
