import type { ComponentProps } from 'react';
import { cn } from './cn.ts';

/** Plain table parts for short, static tables; lists use DataTable. `label` names it to screen readers. */
export function Table({ className, label, ...props }: ComponentProps<'table'> & { label: string }) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1)
      tabIndex={0}
      className="relative overflow-x-auto print:overflow-visible focus-visible:-outline-offset-2"
    >
      <table
        aria-label={label}
        className={cn('w-full min-w-120 print:min-w-0 border-collapse text-sm', className)}
        {...props}
      />
    </section>
  );
}

export function TableHeader({ className, ...props }: ComponentProps<'th'>) {
  return (
    <th
      scope="col"
      className={cn(
        'h-8 whitespace-nowrap border-line border-b px-4 text-start font-medium text-fg-3 text-xs',
        className,
      )}
      {...props}
    />
  );
}

export function TableRow({ className, ...props }: ComponentProps<'tr'>) {
  return <tr className={cn('border-line border-b last:border-b-0', className)} {...props} />;
}

export function TableCell({ className, ...props }: ComponentProps<'td'>) {
  return <td className={cn('h-9 px-4 py-1.5 align-baseline', className)} {...props} />;
}
