'use client';

import { Input as BaseInput } from '@base-ui/react/input';
import type { ComponentProps, ReactNode } from 'react';
import { cn } from './cn.ts';
import { useFieldId } from './field.tsx';

export const controlClass = cn(
  'w-full min-w-0 rounded-md border border-line-control bg-surface text-sm text-fg transition-colors',
  'hover:border-fg-3 focus-visible:border-ring focus-visible:outline-1 focus-visible:outline-offset-0 focus-visible:outline-ring',
  'disabled:cursor-not-allowed disabled:border-line-strong disabled:bg-sunken disabled:text-fg-3 data-disabled:cursor-not-allowed',
  'aria-invalid:border-danger data-invalid:border-danger',
  'pointer-coarse:min-h-11',
);

/** Not part of the shared look: to a browser everything but a text control is read-only. */
export const readOnlyClass = 'read-only:border-line-strong read-only:bg-sunken';

export function Input({
  className,
  mono,
  leading,
  ...props
}: Omit<ComponentProps<typeof BaseInput>, 'className'> & {
  className?: string;
  /** For identifiers and addresses. */
  mono?: boolean;
  leading?: ReactNode;
}) {
  const id = useFieldId();
  const input = (
    <BaseInput
      id={id}
      className={cn(
        controlClass,
        'h-8 px-2.5',
        readOnlyClass,
        mono && 'font-mono text-xs',
        leading ? 'pl-8' : undefined,
        className,
      )}
      {...props}
    />
  );
  if (!leading) return input;
  return (
    <div className="relative min-w-0">
      <span
        aria-hidden
        className="pointer-events-none absolute inset-y-0 left-2.5 flex items-center text-fg-3 [&_svg]:size-3.5"
      >
        {leading}
      </span>
      {input}
    </div>
  );
}
