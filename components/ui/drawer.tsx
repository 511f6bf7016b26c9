'use client';

import { Drawer as BaseDrawer } from '@base-ui/react/drawer';
import { X } from 'lucide-react';
import type { ReactElement, ReactNode } from 'react';
import { cn } from './cn.ts';

/** A panel from the side; the page beneath stays where it is. Swiping it out closes it. */
export function Drawer({
  trigger,
  title,
  description,
  side = 'right',
  open,
  onOpenChange,
  footer,
  hideTitle,
  className,
  children,
}: {
  trigger?: ReactElement;
  title: ReactNode;
  description?: ReactNode;
  side?: 'left' | 'right';
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  footer?: ReactNode;
  hideTitle?: boolean;
  className?: string;
  children: ReactNode;
}) {
  return (
    <BaseDrawer.Root swipeDirection={side} open={open} onOpenChange={(next) => onOpenChange?.(next)}>
      {trigger && <BaseDrawer.Trigger render={trigger} />}
      <BaseDrawer.Portal>
        <BaseDrawer.Backdrop className="fixed inset-0 z-40 bg-backdrop transition-opacity duration-200 data-ending-style:opacity-0 data-starting-style:opacity-0" />
        <BaseDrawer.Viewport
          className={cn('fixed inset-0 z-40 flex', side === 'right' ? 'justify-end' : 'justify-start')}
        >
          <BaseDrawer.Popup
            className={cn(
              'forced-border flex h-full w-full max-w-[min(30rem,calc(100vw-2rem))] flex-col bg-raised shadow-lg outline-none transition-transform duration-250 ease-out [transform:translateX(var(--drawer-swipe-movement-x))] data-swiping:select-none data-swiping:duration-0',
              side === 'right'
                ? 'data-ending-style:[transform:translateX(100%)] data-starting-style:[transform:translateX(100%)]'
                : 'data-ending-style:[transform:translateX(-100%)] data-starting-style:[transform:translateX(-100%)]',
              className,
            )}
          >
            <BaseDrawer.Content className="flex min-h-0 flex-1 flex-col">
              <div className="flex items-start justify-between gap-4 px-4 pt-3 pb-2">
                <div className={cn('min-w-0 pt-0.5', hideTitle && 'sr-only')}>
                  <BaseDrawer.Title className="font-semibold text-base">{title}</BaseDrawer.Title>
                  {description && (
                    <BaseDrawer.Description className="text-fg-2 text-xs">
                      {description}
                    </BaseDrawer.Description>
                  )}
                </div>
                <BaseDrawer.Close
                  aria-label="Close"
                  className="ml-auto flex size-7 shrink-0 items-center justify-center rounded-md text-fg-3 hover:bg-hover hover:text-fg pointer-coarse:size-11"
                >
                  <X aria-hidden className="size-4" />
                </BaseDrawer.Close>
              </div>
              <div className="min-h-0 flex-1 overflow-y-auto px-4 pb-4">{children}</div>
              {footer && (
                <div className="flex flex-wrap justify-end gap-2 border-line border-t px-4 py-3">
                  {footer}
                </div>
              )}
            </BaseDrawer.Content>
          </BaseDrawer.Popup>
        </BaseDrawer.Viewport>
      </BaseDrawer.Portal>
    </BaseDrawer.Root>
  );
}
