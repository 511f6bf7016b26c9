'use client';

import { Switch as BaseSwitch } from '@base-ui/react/switch';
import type { ComponentProps, ReactNode } from 'react';
import { cn } from './cn.ts';

/** On or off, taking effect at once; inside a form that is submitted, use Checkbox. */
export function Switch({
  label,
  hint,
  className,
  ...props
}: Omit<ComponentProps<typeof BaseSwitch.Root>, 'className' | 'children'> & {
  label: ReactNode;
  hint?: ReactNode;
  className?: string;
}) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: Base UI renders the input inside
    <label
      className={cn(
        'inline-grid min-h-6 cursor-pointer grid-cols-[auto_minmax(0,1fr)] items-start gap-x-2.5 has-data-disabled:cursor-not-allowed has-data-disabled:text-fg-3 pointer-coarse:min-h-11',
        className,
      )}
    >
      <BaseSwitch.Root
        className="forced-border relative mt-0.5 inline-flex h-4.5 w-8 rounded-full border border-transparent bg-line-control p-px transition-colors after:absolute after:-inset-1 data-checked:bg-ink data-disabled:opacity-55"
        {...props}
      >
        <BaseSwitch.Thumb className="forced-fill aspect-square h-full rounded-full bg-surface shadow-sm transition-transform duration-150 data-checked:translate-x-3.5 data-checked:bg-on-ink" />
      </BaseSwitch.Root>
      <span className="min-w-0 text-sm">
        {label}
        {hint && <span className="block text-fg-3 text-xs">{hint}</span>}
      </span>
    </label>
  );
}
