'use client';

import { Toast } from '@base-ui/react/toast';
import { CircleAlert, CircleCheck, Info, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { cn } from './cn.ts';

type ToastTone = 'info' | 'success' | 'danger';

const looks = {
  info: { icon: Info, className: 'text-info' },
  success: { icon: CircleCheck, className: 'text-success' },
  danger: { icon: CircleAlert, className: 'text-danger' },
} as const;

const manager = Toast.createToastManager();

/**
 * Says briefly what happened. Failures stay until closed and are announced at once; anything the person must act
 * on belongs in a Callout instead.
 */
export function notify(message: { tone?: ToastTone; title: string; description?: string }): void {
  const tone = message.tone ?? 'success';
  manager.add({
    type: tone,
    title: message.title,
    description: message.description,
    timeout: tone === 'danger' ? 0 : 6000,
    priority: tone === 'danger' ? 'high' : 'low',
  });
}

export function ToastProvider({ children }: { children: ReactNode }) {
  return (
    <Toast.Provider toastManager={manager} limit={3}>
      {children}
      <Toast.Portal>
        <Toast.Viewport className="no-print fixed right-4 bottom-[calc(1rem+var(--decision-bar-height))] z-70 flex w-[calc(100vw-2rem)] max-w-90 flex-col gap-2">
          <ToastList />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function ToastList() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => {
    const look = looks[(toast.type as ToastTone | undefined) ?? 'info'];
    const Icon = look.icon;
    return (
      <Toast.Root
        key={toast.id}
        toast={toast}
        swipeDirection={['right', 'down']}
        className="forced-border rounded-lg bg-raised shadow-lg transition-[opacity,translate] duration-200 ease-out data-ending-style:translate-x-4 data-starting-style:translate-y-4 data-ending-style:opacity-0 data-limited:hidden data-starting-style:opacity-0"
      >
        <Toast.Content className="flex items-start gap-2.5 p-3">
          <Icon aria-hidden className={cn('mt-0.5 size-4 shrink-0', look.className)} />
          <div className="min-w-0 flex-1">
            <Toast.Title className="font-medium text-sm" />
            <Toast.Description className="text-sm text-fg-2" />
          </div>
          <Toast.Close
            aria-label="Dismiss"
            className="-m-0.5 flex size-6 items-center justify-center rounded-sm text-fg-3 hover:bg-hover hover:text-fg pointer-coarse:size-11"
          >
            <X aria-hidden className="size-4" />
          </Toast.Close>
        </Toast.Content>
      </Toast.Root>
    );
  });
}
