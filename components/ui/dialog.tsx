'use client';

import { Dialog as BaseDialog } from '@base-ui/react/dialog';
import { X } from 'lucide-react';
import type { ReactElement, ReactNode } from 'react';
import { cn } from './cn.ts';
import { TopDialogOutlet } from './top-dialog.tsx';

export const dialogBackdropClass =
  'fixed inset-0 z-40 bg-backdrop transition-opacity duration-150 data-ending-style:opacity-0 data-starting-style:opacity-0';
export const dialogPopupClass = cn(
  'forced-border fixed top-1/2 left-1/2 z-40 flex max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 flex-col rounded-xl bg-raised shadow-lg outline-none',
  'transition-[opacity,scale] duration-150 ease-out data-ending-style:scale-98 data-ending-style:opacity-0 data-starting-style:scale-98 data-starting-style:opacity-0',
);

/** A short task over the page. Anything with more than a few fields deserves a page of its own. */
export function Dialog({
  trigger,
  title,
  description,
  open,
  onOpenChange,
  footer,
  size = 'md',
  children,
}: {
  trigger?: ReactElement;
  title: ReactNode;
  description?: ReactNode;
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  /** Buttons, the main one last. */
  footer?: ReactNode;
  size?: 'sm' | 'md' | 'lg';
  children?: ReactNode;
}) {
  return (
    <BaseDialog.Root open={open} onOpenChange={(next) => onOpenChange?.(next)}>
      {trigger && <BaseDialog.Trigger render={trigger} />}
      <BaseDialog.Portal>
        {/* One over another dims that one, too. */}
        <BaseDialog.Backdrop forceRender className={dialogBackdropClass} />
        <BaseDialog.Popup
          className={cn(
            dialogPopupClass,
            size === 'sm' && 'max-w-96',
            size === 'md' && 'max-w-128',
            size === 'lg' && 'max-w-192',
          )}
        >
          <div className="flex items-start justify-between gap-4 px-5 pt-4 pb-1">
            <div className="grid min-w-0 gap-0.5">
              <BaseDialog.Title className="font-semibold text-lg">{title}</BaseDialog.Title>
              {description && (
                <BaseDialog.Description render={<div />} className="text-fg-2 text-sm">
                  {description}
                </BaseDialog.Description>
              )}
            </div>
            <BaseDialog.Close
              aria-label="Close"
              className="-mr-1.5 flex size-7 shrink-0 items-center justify-center rounded-md text-fg-3 hover:bg-hover hover:text-fg pointer-coarse:size-11"
            >
              <X aria-hidden className="size-4" />
            </BaseDialog.Close>
          </div>
          <div className="min-h-0 flex-1 overflow-y-auto px-5 pt-2 pb-5">{children}</div>
          {footer && (
            <div className="flex flex-wrap justify-end gap-2 border-line border-t px-5 py-3">{footer}</div>
          )}
          <TopDialogOutlet />
        </BaseDialog.Popup>
      </BaseDialog.Portal>
    </BaseDialog.Root>
  );
}

/** Closes the dialog around it. Give it a Button. */
export function DialogClose({ children }: { children: ReactElement }) {
  return <BaseDialog.Close render={children} />;
}
