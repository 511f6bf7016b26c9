'use client';

import { AlertDialog as BaseAlertDialog } from '@base-ui/react/alert-dialog';
import type { ReactElement, ReactNode } from 'react';
import { cn } from './cn.ts';
import { dialogBackdropClass, dialogPopupClass } from './dialog.tsx';
import { TopDialogOutlet } from './top-dialog.tsx';

/**
 * Asks before something with consequences. It says what will happen (`children`: blast radius, facts), has no
 * preselected answer but the way back, and closes only by a choice.
 */
export function AlertDialog({
  trigger,
  title,
  description,
  open,
  onOpenChange,
  confirm,
  cancelLabel = 'Cancel',
  size = 'md',
  children,
}: {
  trigger?: ReactElement;
  title: ReactNode;
  description?: ReactNode;
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  /** The button that acts; usually a SubmitButton of a form inside, or a Button. */
  confirm: ReactNode;
  cancelLabel?: string;
  size?: 'sm' | 'md' | 'lg';
  children?: ReactNode;
}) {
  return (
    <BaseAlertDialog.Root open={open} onOpenChange={(next) => onOpenChange?.(next)}>
      {trigger && <BaseAlertDialog.Trigger render={trigger} />}
      <BaseAlertDialog.Portal>
        <BaseAlertDialog.Backdrop className={dialogBackdropClass} />
        <BaseAlertDialog.Popup
          className={cn(
            dialogPopupClass,
            size === 'sm' && 'max-w-96',
            size === 'md' && 'max-w-128',
            size === 'lg' && 'max-w-192',
          )}
        >
          <div className="grid gap-1 px-5 pt-4">
            <BaseAlertDialog.Title className="font-semibold text-lg">{title}</BaseAlertDialog.Title>
            {description && (
              <BaseAlertDialog.Description render={<div />} className="text-fg-2 text-sm">
                {description}
              </BaseAlertDialog.Description>
            )}
          </div>
          <div className={cn('min-h-0 overflow-y-auto px-5 pb-5', children ? 'pt-3' : undefined)}>
            {children}
          </div>
          <div className="flex flex-wrap justify-end gap-2 border-line border-t px-5 py-3">
            <BaseAlertDialog.Close className="forced-border inline-flex h-8 items-center justify-center rounded-md border border-line-strong bg-surface px-3 font-medium text-sm shadow-sm hover:bg-hover pointer-coarse:min-h-11">
              {cancelLabel}
            </BaseAlertDialog.Close>
            {confirm}
          </div>
          <TopDialogOutlet />
        </BaseAlertDialog.Popup>
      </BaseAlertDialog.Portal>
    </BaseAlertDialog.Root>
  );
}
