'use client';

import { Checkbox as BaseCheckbox } from '@base-ui/react/checkbox';
import { Check, Minus } from 'lucide-react';
import type { ComponentProps, ReactNode } from 'react';
import { cn } from './cn.ts';

/** A checkbox with its label; `label` may be hidden visually but never left out. */
export function Checkbox({
  label,
  hint,
  hideLabel,
  className,
  ...props
}: Omit<ComponentProps<typeof BaseCheckbox.Root>, 'className' | 'children'> & {
  label: ReactNode;
  hint?: ReactNode;
  hideLabel?: boolean;
  className?: string;
}) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: Base UI renders the input inside
    <label
      className={cn(
        'group/check inline-grid min-h-6 cursor-pointer grid-cols-[1.25rem_minmax(0,1fr)] gap-x-2 has-data-disabled:cursor-not-allowed has-data-disabled:text-fg-3 pointer-coarse:min-h-11',
        hideLabel && 'size-6 grid-cols-[1.25rem] content-center justify-center pointer-coarse:size-11',
        className,
      )}
    >
      <BaseCheckbox.Root
        className="relative m-0.5 flex size-4 items-center justify-center rounded-sm border border-line-control bg-surface text-on-ink transition-colors after:absolute after:-inset-1 data-checked:border-ink data-indeterminate:border-ink data-invalid:border-danger data-checked:bg-ink data-indeterminate:bg-ink data-disabled:opacity-55 group-hover/check:not-data-disabled:border-fg-2"
        {...props}
      >
        <BaseCheckbox.Indicator
          render={(indicator, state) => (
            <span {...indicator} className="flex">
              {state.indeterminate ? (
                <Minus aria-hidden className="size-3" strokeWidth={3} />
              ) : (
                <Check aria-hidden className="size-3" strokeWidth={3} />
              )}
            </span>
          )}
        />
      </BaseCheckbox.Root>
      <span className={cn('min-w-0 text-sm', hideLabel && 'sr-only')}>
        {label}
        {hint && <span className="block text-fg-3 text-xs">{hint}</span>}
      </span>
    </label>
  );
}
