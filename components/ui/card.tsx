import type { ReactNode } from 'react';
import { cn } from './cn.ts';

/** A titled region of a page. `flush` lets a table reach the border. */
export function Card({
  title,
  description,
  actions,
  footer,
  flush = false,
  id,
  level = 2,
  className,
  children,
}: {
  title?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  footer?: ReactNode;
  flush?: boolean;
  id?: string;
  level?: 2 | 3;
  className?: string;
  children?: ReactNode;
}) {
  const Heading = level === 2 ? 'h2' : 'h3';
  const headingId = id ? `${id}-title` : undefined;
  return (
    <section
      id={id}
      aria-labelledby={title && headingId ? headingId : undefined}
      className={cn('card min-w-0 rounded-lg border border-line bg-surface', className)}
    >
      {(title || actions) && (
        <div className="flex min-h-11 flex-wrap items-center justify-between gap-x-4 gap-y-1 border-line border-b px-4 py-2">
          <div className="min-w-0">
            {title && (
              <Heading id={headingId} className="font-semibold text-base">
                {title}
              </Heading>
            )}
            {description && <p className="text-fg-3 text-xs">{description}</p>}
          </div>
          {actions && <div className="no-print flex flex-wrap items-center gap-2">{actions}</div>}
        </div>
      )}
      {children !== undefined && <div className={flush ? undefined : 'p-4'}>{children}</div>}
      {footer && (
        <div className="rounded-b-lg border-line border-t bg-sunken px-4 py-2 text-fg-2 text-xs">
          {footer}
        </div>
      )}
    </section>
  );
}

/** A heading and its content without a box. */
export function Section({
  title,
  description,
  actions,
  id,
  className,
  children,
}: {
  title: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
  id?: string;
  className?: string;
  children: ReactNode;
}) {
  return (
    <section id={id} className={cn('grid min-w-0 gap-2', className)}>
      <div className="flex flex-wrap items-end justify-between gap-x-4 gap-y-1">
        <div>
          <h2 className="font-semibold text-base">{title}</h2>
          {description && <p className="text-fg-3 text-xs">{description}</p>}
        </div>
        {actions && <div className="no-print flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      {children}
    </section>
  );
}
