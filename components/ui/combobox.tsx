'use client';

import { Combobox as BaseCombobox } from '@base-ui/react/combobox';
import { Check, ChevronsUpDown, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { cn } from './cn.ts';
import { useFieldId } from './field.tsx';
import { controlClass } from './input.tsx';
import { popupClass, popupItemClass } from './popup.ts';

export type ComboboxOption = { value: string; label: string; hint?: ReactNode };

type Shared = {
  options: ReadonlyArray<ComboboxOption>;
  placeholder?: string;
  emptyText?: string;
  name?: string;
  disabled?: boolean;
  'aria-label'?: string;
};

/** Type to find one of many. Values are the options themselves; `null` when cleared. */
export function Combobox({
  options,
  value,
  defaultValue,
  onValueChange,
  placeholder = 'Type to search…',
  emptyText = 'Nothing matches.',
  name,
  disabled,
  'aria-label': ariaLabel,
}: Shared & {
  value?: ComboboxOption | null;
  defaultValue?: ComboboxOption | null;
  onValueChange?: (value: ComboboxOption | null) => void;
}) {
  const id = useFieldId();
  return (
    <BaseCombobox.Root
      items={options}
      value={value}
      defaultValue={defaultValue}
      onValueChange={(next) => onValueChange?.(next)}
      isItemEqualToValue={(item, other) => item.value === other.value}
      name={name}
      disabled={disabled}
    >
      <BaseCombobox.InputGroup className="relative min-w-0">
        <BaseCombobox.Input
          id={id}
          aria-label={ariaLabel}
          placeholder={placeholder}
          className={cn(controlClass, 'h-8 pr-14 pl-2.5')}
        />
        <div className="absolute inset-y-0 right-1 flex items-center">
          <BaseCombobox.Clear
            aria-label="Clear"
            className="flex size-6 items-center justify-center rounded-sm text-fg-3 hover:text-fg"
          >
            <X aria-hidden className="size-3.5" />
          </BaseCombobox.Clear>
          <BaseCombobox.Trigger
            aria-label="Show all"
            className="flex size-6 items-center justify-center rounded-sm text-fg-3 hover:text-fg"
          >
            <ChevronsUpDown aria-hidden className="size-3.5" />
          </BaseCombobox.Trigger>
        </div>
      </BaseCombobox.InputGroup>
      <ComboboxPopup emptyText={emptyText} />
    </BaseCombobox.Root>
  );
}

/** Type to find several of many; the chosen ones are chips that Backspace removes. */
export function MultiCombobox({
  options,
  value,
  defaultValue,
  onValueChange,
  placeholder = 'Add…',
  emptyText = 'Nothing matches.',
  name,
  disabled,
  'aria-label': ariaLabel,
}: Shared & {
  value?: ComboboxOption[];
  defaultValue?: ComboboxOption[];
  onValueChange?: (value: ComboboxOption[]) => void;
}) {
  const id = useFieldId();
  return (
    <BaseCombobox.Root
      multiple
      items={options}
      value={value}
      defaultValue={defaultValue}
      onValueChange={(next) => onValueChange?.(next)}
      isItemEqualToValue={(item, other) => item.value === other.value}
      name={name}
      disabled={disabled}
    >
      <BaseCombobox.Chips
        className={cn(
          controlClass,
          'flex min-h-8 flex-wrap items-center gap-1 px-1 py-0.5 focus-within:border-ring focus-within:outline-1 focus-within:outline-ring',
        )}
      >
        <BaseCombobox.Value>
          {(chosen: ComboboxOption[]) => (
            <>
              {chosen.map((option) => (
                <BaseCombobox.Chip
                  key={option.value}
                  aria-label={option.label}
                  className="inline-flex h-6 items-center gap-0.5 rounded-sm border border-neutral-line bg-neutral-bg pl-1.5 text-xs data-highlighted:border-ring"
                >
                  {option.label}
                  <BaseCombobox.ChipRemove
                    aria-label={`Remove ${option.label}`}
                    className="flex size-6 items-center justify-center rounded-sm text-fg-3 hover:text-fg"
                  >
                    <X aria-hidden className="size-3" />
                  </BaseCombobox.ChipRemove>
                </BaseCombobox.Chip>
              ))}
              <BaseCombobox.Input
                id={id}
                aria-label={ariaLabel}
                placeholder={chosen.length === 0 ? placeholder : undefined}
                className="h-6 min-w-24 flex-1 bg-transparent px-1.5 text-sm outline-none"
              />
            </>
          )}
        </BaseCombobox.Value>
      </BaseCombobox.Chips>
      <ComboboxPopup emptyText={emptyText} />
    </BaseCombobox.Root>
  );
}

function ComboboxPopup({ emptyText }: { emptyText: string }) {
  return (
    <BaseCombobox.Portal>
      <BaseCombobox.Positioner sideOffset={4} className="z-50 outline-none">
        <BaseCombobox.Popup className={cn(popupClass, 'w-(--anchor-width) max-w-(--available-width)')}>
          <BaseCombobox.Empty>
            <div className="px-3 py-2.5 text-fg-3 text-sm">{emptyText}</div>
          </BaseCombobox.Empty>
          <BaseCombobox.List className="max-h-[min(20rem,var(--available-height))] overflow-y-auto p-1 outline-none data-empty:p-0">
            {(option: ComboboxOption) => (
              <BaseCombobox.Item
                key={option.value}
                value={option}
                className={cn(popupItemClass, 'grid grid-cols-[1rem_minmax(0,1fr)] items-start')}
              >
                <BaseCombobox.ItemIndicator className="col-start-1 pt-0.5">
                  <Check aria-hidden className="size-3.5" />
                </BaseCombobox.ItemIndicator>
                <span className="col-start-2 min-w-0">
                  <span className="block truncate">{option.label}</span>
                  {option.hint && <span className="block text-fg-3 text-xs">{option.hint}</span>}
                </span>
              </BaseCombobox.Item>
            )}
          </BaseCombobox.List>
        </BaseCombobox.Popup>
      </BaseCombobox.Positioner>
    </BaseCombobox.Portal>
  );
}
