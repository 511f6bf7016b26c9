'use client';

import { Field as BaseField } from '@base-ui/react/field';
import type { ComponentProps } from 'react';
import { cn } from './cn.ts';
import { useFieldId } from './field.tsx';
import { controlClass, readOnlyClass } from './input.tsx';

export function Textarea({
  className,
  mono,
  rows = 4,
  ...props
}: ComponentProps<'textarea'> & {
  /** For JSON, keys and other machine text. */
  mono?: boolean;
}) {
  const id = useFieldId();
  return (
    <BaseField.Control
      id={id}
      render={
        <textarea
          rows={rows}
          spellCheck={!mono}
          className={cn(
            controlClass,
            readOnlyClass,
            'field-sizing-content max-h-96 min-h-16 resize-y px-2.5 py-1.5',
            mono && 'font-mono text-xs',
            className,
          )}
          {...props}
        />
      }
    />
  );
}
