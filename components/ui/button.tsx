'use client';

import { Button as BaseButton } from '@base-ui/react/button';
import { type ComponentProps, type ReactNode, useId } from 'react';
import { useFormStatus } from 'react-dom';
import { type ButtonVariants, buttonVariants } from './button-variants.ts';
import { cn } from './cn.ts';
import { Spinner } from './spinner.tsx';
import { Tooltip } from './tooltip.tsx';

export type ButtonProps = Omit<ComponentProps<'button'>, 'ref'> &
  ButtonVariants & {
    icon?: ReactNode;
    /** Shows progress and refuses further presses while keeping focus. */
    pending?: boolean;
    /** Disables the button and says why on hover, on focus and to screen readers. */
    disabledReason?: string | null;
  };

export function Button({
  variant,
  size,
  shape,
  icon,
  pending = false,
  disabledReason,
  disabled,
  className,
  children,
  type = 'button',
  ...props
}: ButtonProps) {
  const reasonId = useId();
  const button = (
    <BaseButton
      type={type}
      aria-describedby={disabledReason ? reasonId : undefined}
      disabled={disabled || pending || Boolean(disabledReason)}
      focusableWhenDisabled={pending || Boolean(disabledReason)}
      aria-busy={pending || undefined}
      className={cn(buttonVariants({ variant, size, shape }), className)}
      {...props}
    >
      {pending ? <Spinner /> : icon}
      {children}
    </BaseButton>
  );
  if (!disabledReason) return button;
  return (
    <>
      <Tooltip content={disabledReason}>{button}</Tooltip>
      <span id={reasonId} hidden>
        {disabledReason}
      </span>
    </>
  );
}

/** A square button with an icon only; `label` is its accessible name and tooltip. */
export function IconButton({
  label,
  children,
  tooltip = true,
  variant = 'ghost',
  ...props
}: Omit<ButtonProps, 'icon' | 'shape' | 'aria-label'> & { label: string; tooltip?: boolean }) {
  const button = (
    <Button variant={variant} shape="icon" aria-label={label} {...props}>
      {children}
    </Button>
  );
  return tooltip ? <Tooltip content={label}>{button}</Tooltip> : button;
}

/** Submits the surrounding form; pending while its action runs. Works without script. */
export function SubmitButton({ variant = 'primary', pending, ...props }: Omit<ButtonProps, 'type'>) {
  const status = useFormStatus();
  return <Button type="submit" variant={variant} pending={pending ?? status.pending} {...props} />;
}
