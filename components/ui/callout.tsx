import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { cn } from './cn.ts';

const looks = {
  info: { icon: Info, word: 'Note', className: 'border-info-line bg-info-bg', mark: 'text-info' },
  success: {
    icon: CircleCheck,
    word: 'Done',
    className: 'border-success-line bg-success-bg',
    mark: 'text-success',
  },
  warning: {
    icon: TriangleAlert,
    word: 'Warning',
    className: 'border-warning-line bg-warning-bg',
    mark: 'text-warning',
  },
  danger: {
    icon: CircleAlert,
    word: 'Problem',
    className: 'border-danger-line bg-danger-bg',
    mark: 'text-danger',
  },
} as const;

/** A remark that stands out. `announce` reads it aloud when it appears: politely, or at once for danger. */
export function Callout({
  tone = 'info',
  title,
  actions,
  announce = false,
  className,
  children,
}: {
  tone?: keyof typeof looks;
  title?: ReactNode;
  actions?: ReactNode;
  announce?: boolean;
  className?: string;
  children?: ReactNode;
}) {
  const look = looks[tone];
  const Icon = look.icon;
  return (
    <div
      role={announce ? (tone === 'danger' ? 'alert' : 'status') : undefined}
      className={cn(
        'flex items-start gap-2.5 rounded-md border px-3 py-2 text-sm',
        look.className,
        className,
      )}
    >
      <Icon aria-hidden className={cn('mt-0.5 size-4 shrink-0', look.mark)} />
      <span className="sr-only">{look.word}: </span>
      <div className="flex min-w-0 flex-1 flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-60">
          {title && <div className="font-medium">{title}</div>}
          {children && <div className={cn(title && 'text-fg-2')}>{children}</div>}
        </div>
        {actions && <div className="no-print flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
    </div>
  );
}
