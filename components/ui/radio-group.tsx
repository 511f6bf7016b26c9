'use client';

import { Radio } from '@base-ui/react/radio';
import { RadioGroup as BaseRadioGroup } from '@base-ui/react/radio-group';
import { type ReactNode, useId } from 'react';
import { cn } from './cn.ts';
import { useFieldId } from './field.tsx';

export type RadioOption<Value extends string = string> = {
  value: Value;
  label: ReactNode;
  hint?: ReactNode;
  disabled?: boolean;
};

/** One choice of a few, all visible. `cards` gives each a box, for choices that need explaining. */
export function RadioGroup<Value extends string>({
  options,
  layout = 'list',
  className,
  onValueChange,
  ...props
}: {
  options: ReadonlyArray<RadioOption<Value>>;
  layout?: 'list' | 'inline' | 'cards';
  value?: Value;
  defaultValue?: Value;
  name?: string;
  disabled?: boolean;
  required?: boolean;
  'aria-label'?: string;
  'aria-labelledby'?: string;
  className?: string;
  onValueChange?: (value: Value) => void;
}) {
  const id = useFieldId();
  const labelId = useId();
  return (
    <BaseRadioGroup
      id={id}
      className={cn(
        layout === 'inline' ? 'flex flex-wrap gap-x-4 gap-y-1' : 'grid gap-1.5',
        layout === 'cards' && 'gap-2 sm:grid-cols-2',
        className,
      )}
      onValueChange={(value) => onValueChange?.(value as Value)}
      {...props}
    >
      {options.map((option) => (
        // biome-ignore lint/a11y/noLabelWithoutControl: Base UI renders the input inside
        <label
          key={option.value}
          className={cn(
            'group/radio grid min-h-6 cursor-pointer grid-cols-[1.25rem_minmax(0,1fr)] gap-x-2 has-data-disabled:cursor-not-allowed pointer-coarse:min-h-11',
            layout === 'cards' &&
              'rounded-md border border-line-strong bg-surface px-2.5 py-2 transition-colors hover:bg-hover has-data-checked:border-accent has-data-checked:bg-selected has-data-disabled:bg-sunken has-data-disabled:text-fg-3',
          )}
        >
          <Radio.Root
            value={option.value}
            // Inside a field a radio would otherwise be named by the field's question instead of its own answer.
            aria-labelledby={labelOf(labelId, option.value)}
            disabled={option.disabled}
            className="relative m-0.5 flex size-4 items-center justify-center rounded-full border border-line-control bg-surface transition-colors after:absolute after:-inset-1 data-checked:border-ink data-invalid:border-danger data-checked:bg-ink data-disabled:opacity-55 group-hover/radio:not-data-disabled:border-fg-2"
          >
            <Radio.Indicator className="forced-fill size-1.5 rounded-full bg-on-ink data-unchecked:hidden" />
          </Radio.Root>
          <span className="min-w-0 text-sm">
            <span id={labelOf(labelId, option.value)} className={cn(option.hint && 'font-medium')}>
              {option.label}
            </span>
            {option.hint && <span className="block text-fg-3 text-xs">{option.hint}</span>}
          </span>
        </label>
      ))}
    </BaseRadioGroup>
  );
}

/** A list of ids is split at spaces, so a value with one must not put it into an id. */
function labelOf(labelId: string, value: string): string {
  return `${labelId}-${value.replaceAll(/[^\w-]/g, '-')}`;
}
