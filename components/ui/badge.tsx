import type { ReactNode } from 'react';
import { cn } from './cn.ts';

export type Tone = 'neutral' | 'violet' | 'info' | 'success' | 'warning' | 'danger';

export const toneClass: Record<Tone, string> = {
  neutral: 'border-neutral-line bg-neutral-bg text-neutral',
  violet: 'border-violet-line bg-violet-bg text-violet',
  info: 'border-info-line bg-info-bg text-info',
  success: 'border-success-line bg-success-bg text-success',
  warning: 'border-warning-line bg-warning-bg text-warning',
  danger: 'border-danger-line bg-danger-bg text-danger',
};

export const toneTextClass: Record<Tone, string> = {
  neutral: 'text-neutral',
  violet: 'text-violet',
  info: 'text-info',
  success: 'text-success',
  warning: 'text-warning',
  danger: 'text-danger',
};

/** A short word with a colour. `plain` drops the box, for dense tables. */
export function Badge({
  tone = 'neutral',
  plain = false,
  icon,
  className,
  title,
  children,
}: {
  tone?: Tone;
  plain?: boolean;
  icon?: ReactNode;
  className?: string;
  title?: string;
  children: ReactNode;
}) {
  return (
    <span
      title={title}
      className={cn(
        'inline-flex w-fit max-w-full items-center gap-1 whitespace-nowrap align-middle font-medium text-xs [&_svg]:size-3.5 [&_svg]:shrink-0',
        plain ? toneTextClass[tone] : ['h-5 rounded-sm border px-1.5', toneClass[tone]],
        className,
      )}
    >
      {icon}
      <span className="truncate">{children}</span>
    </span>
  );
}

/** How many, in navigation and tabs; nothing when zero. */
export function CountBadge({ count, label }: { count: number; label?: string }) {
  if (count <= 0) return null;
  return (
    <span className="forced-border inline-flex h-4.5 min-w-4.5 items-center justify-center rounded-sm bg-ink px-1 font-semibold text-2xs text-on-ink">
      {count > 99 ? '99+' : count}
      {label && <span className="sr-only"> {label}</span>}
    </span>
  );
}
