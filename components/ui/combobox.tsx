'use client';

import { Combobox as BaseCombobox } from '@base-ui/react/combobox';
import { Check, ChevronsUpDown } from 'lucide-react';
import { cn } from './cn.ts';
import { useFieldId } from './field.tsx';
import { controlClass } from './input.tsx';
import { popupClass, popupItemClass } from './popup.ts';

export type ComboboxOption = { value: string; label: string; hint?: string; disabled?: boolean };

/** One of many, found by typing. An option that cannot be chosen stays in the list and says why in its hint. */
export function Combobox({
  options,
  value,
  onValueChange,
  placeholder,
  empty = 'Nobody by that name.',
}: {
  options: readonly ComboboxOption[];
  value: string | null;
  /** Null when the choice was taken away. */
  onValueChange: (value: string | null) => void;
  placeholder?: string;
  empty?: string;
}) {
  const id = useFieldId();
  return (
    <BaseCombobox.Root<ComboboxOption>
      items={options as ComboboxOption[]}
      value={options.find((option) => option.value === value) ?? null}
      onValueChange={(option) => onValueChange(option?.value ?? null)}
      isItemEqualToValue={(one, other) => one.value === other.value}
      itemToStringLabel={(option) => option.label}
    >
      <div className="relative">
        <BaseCombobox.Input
          id={id}
          placeholder={placeholder}
          autoComplete="off"
          className={cn(controlClass, 'h-8 w-full pr-8 pl-2.5')}
        />
        <BaseCombobox.Trigger
          aria-label="Show everybody"
          className="absolute inset-y-0 end-0 grid w-8 place-items-center"
        >
          <ChevronsUpDown aria-hidden className="size-3.5 text-fg-3" />
        </BaseCombobox.Trigger>
      </div>
      <BaseCombobox.Portal>
        <BaseCombobox.Positioner sideOffset={4} className="z-50 outline-none">
          <BaseCombobox.Popup className={cn(popupClass, 'w-(--anchor-width) min-w-56')}>
            <BaseCombobox.Empty className="px-3 py-2 text-fg-3 text-sm empty:hidden">
              {empty}
            </BaseCombobox.Empty>
            <BaseCombobox.List className="max-h-[min(22rem,var(--available-height))] overflow-y-auto p-1 empty:hidden">
              {(option: ComboboxOption) => (
                <BaseCombobox.Item
                  key={option.value}
                  value={option}
                  disabled={option.disabled}
                  className={cn(popupItemClass, 'grid grid-cols-[1rem_1fr] items-start')}
                >
                  <BaseCombobox.ItemIndicator className="col-start-1 pt-0.5">
                    <Check aria-hidden className="size-3.5" />
                  </BaseCombobox.ItemIndicator>
                  <span className="col-start-2 min-w-0">
                    {option.label}
                    {option.hint && <span className="block text-fg-3 text-xs">{option.hint}</span>}
                  </span>
                </BaseCombobox.Item>
              )}
            </BaseCombobox.List>
          </BaseCombobox.Popup>
        </BaseCombobox.Positioner>
      </BaseCombobox.Portal>
    </BaseCombobox.Root>
  );
}
