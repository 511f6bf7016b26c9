'use client';

import { Field as BaseField } from '@base-ui/react/field';
import { Fieldset as BaseFieldset } from '@base-ui/react/fieldset';
import { CircleAlert } from 'lucide-react';
import { createContext, type ReactNode, useContext } from 'react';
import { cn } from './cn.ts';

const FieldIdContext = createContext<string | undefined>(undefined);

/** The id the surrounding Field gives its control, which the error summary links to. */
export function useFieldId(): string | undefined {
  return useContext(FieldIdContext);
}

/** The id of the control of the field called `name`. */
export function fieldId(name: string): string {
  return `field-${name.replaceAll(/[^\w-]/g, '-')}`;
}

/** Wires label, hint and error to the one control inside. */
export function Field({
  name,
  label,
  hint,
  error,
  required,
  optional,
  disabled,
  hideLabel,
  className,
  children,
}: {
  name: string;
  label: ReactNode;
  hint?: ReactNode;
  error?: string | null;
  required?: boolean;
  optional?: boolean;
  disabled?: boolean;
  hideLabel?: boolean;
  className?: string;
  children: ReactNode;
}) {
  return (
    <FieldIdContext value={fieldId(name)}>
      <BaseField.Root
        name={name}
        invalid={Boolean(error)}
        disabled={disabled}
        className={cn('flex min-w-0 flex-col gap-1.5', className)}
      >
        <BaseField.Label className={cn('w-fit font-medium text-sm text-fg', hideLabel && 'sr-only')}>
          {label}
          {required && (
            <span aria-hidden className="ml-0.5 text-danger">
              *
            </span>
          )}
          {optional && <span className="ml-1.5 font-normal text-fg-3 text-xs">optional</span>}
        </BaseField.Label>
        {children}
        {error && (
          <BaseField.Error match className="flex items-start gap-1.5 text-danger text-xs">
            <CircleAlert aria-hidden className="mt-px size-3.5 shrink-0" />
            <span>{error}</span>
          </BaseField.Error>
        )}
        {hint && (
          <BaseField.Description render={<div />} className="text-fg-3 text-xs">
            {hint}
          </BaseField.Description>
        )}
      </BaseField.Root>
    </FieldIdContext>
  );
}

/** Groups fields that answer one question together. */
export function Fieldset({
  legend,
  hint,
  className,
  children,
}: {
  legend: ReactNode;
  hint?: ReactNode;
  className?: string;
  children: ReactNode;
}) {
  return (
    <BaseFieldset.Root className={cn('flex min-w-0 flex-col gap-3', className)}>
      <div>
        <BaseFieldset.Legend className="font-medium text-sm">{legend}</BaseFieldset.Legend>
        {hint && <p className="text-fg-3 text-xs">{hint}</p>}
      </div>
      {children}
    </BaseFieldset.Root>
  );
}
