'use client';

import { Popover as BasePopover } from '@base-ui/react/popover';
import type { ReactElement, ReactNode } from 'react';
import { cn } from './cn.ts';
import { popupClass } from './popup.ts';

/** A small panel anchored to its trigger, a Button. */
export function Popover({
  trigger,
  title,
  align = 'start',
  open,
  onOpenChange,
  className,
  children,
}: {
  trigger: ReactElement;
  title?: ReactNode;
  align?: 'start' | 'center' | 'end';
  open?: boolean;
  onOpenChange?: (open: boolean) => void;
  className?: string;
  children: ReactNode;
}) {
  return (
    <BasePopover.Root open={open} onOpenChange={(next) => onOpenChange?.(next)}>
      <BasePopover.Trigger render={trigger} />
      <BasePopover.Portal>
        <BasePopover.Positioner sideOffset={4} align={align} collisionPadding={8} className="z-50">
          <BasePopover.Popup
            className={cn(popupClass, 'w-72 max-w-(--available-width) p-3 text-sm', className)}
          >
            {title && <BasePopover.Title className="mb-1.5 font-semibold text-sm">{title}</BasePopover.Title>}
            {children}
          </BasePopover.Popup>
        </BasePopover.Positioner>
      </BasePopover.Portal>
    </BasePopover.Root>
  );
}
