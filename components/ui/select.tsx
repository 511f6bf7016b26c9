'use client';

import { Select as BaseSelect } from '@base-ui/react/select';
import { Check, ChevronsUpDown } from 'lucide-react';
import type { ReactNode } from 'react';
import { cn } from './cn.ts';
import { useFieldId } from './field.tsx';
import { controlClass } from './input.tsx';
import { popupClass, popupItemClass } from './popup.ts';

export type SelectOption<Value extends string = string> = {
  value: Value;
  label: string;
  hint?: ReactNode;
  disabled?: boolean;
};

export function Select<Value extends string>({
  options,
  value,
  defaultValue,
  onValueChange,
  name,
  placeholder = 'Choose…',
  disabled,
  required,
  size = 'md',
  className,
  'aria-label': ariaLabel,
}: {
  options: ReadonlyArray<SelectOption<Value>>;
  value?: Value | null;
  defaultValue?: Value | null;
  onValueChange?: (value: Value) => void;
  name?: string;
  placeholder?: string;
  disabled?: boolean;
  required?: boolean;
  size?: 'sm' | 'md';
  className?: string;
  'aria-label'?: string;
}) {
  const id = useFieldId();
  return (
    <BaseSelect.Root<Value>
      items={options as SelectOption<Value>[]}
      value={value}
      defaultValue={defaultValue}
      onValueChange={(next) => {
        if (next !== null) onValueChange?.(next as Value);
      }}
      name={name}
      disabled={disabled}
      required={required}
    >
      <BaseSelect.Trigger
        id={id}
        aria-label={ariaLabel}
        className={cn(
          controlClass,
          'flex select-none items-center justify-between gap-2 text-start',
          size === 'sm' ? 'h-7 pr-1.5 pl-2 text-xs' : 'h-8 pr-2 pl-2.5',
          className,
        )}
      >
        <BaseSelect.Value placeholder={placeholder} className="truncate data-placeholder:text-fg-3" />
        <BaseSelect.Icon>
          <ChevronsUpDown aria-hidden className="size-3.5 text-fg-3" />
        </BaseSelect.Icon>
      </BaseSelect.Trigger>
      <BaseSelect.Portal>
        <BaseSelect.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-50 outline-none">
          <BaseSelect.Popup className={cn(popupClass, 'min-w-(--anchor-width)')}>
            <BaseSelect.List className="max-h-[min(22rem,var(--available-height))] overflow-y-auto p-1">
              {options.map((option) => (
                <BaseSelect.Item
                  key={option.value}
                  value={option.value}
                  disabled={option.disabled}
                  className={cn(popupItemClass, 'grid grid-cols-[1rem_1fr] items-start')}
                >
                  <BaseSelect.ItemIndicator className="col-start-1 pt-0.5">
                    <Check aria-hidden className="size-3.5" />
                  </BaseSelect.ItemIndicator>
                  <span className="col-start-2 min-w-0">
                    <BaseSelect.ItemText>{option.label}</BaseSelect.ItemText>
                    {option.hint && <span className="block text-fg-3 text-xs">{option.hint}</span>}
                  </span>
                </BaseSelect.Item>
              ))}
            </BaseSelect.List>
          </BaseSelect.Popup>
        </BaseSelect.Positioner>
      </BaseSelect.Portal>
    </BaseSelect.Root>
  );
}
