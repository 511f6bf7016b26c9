import type { ComponentProps } from 'react';
import { cn } from './cn.ts';

/** Plain table parts for short, static tables; lists use DataTable. */
export function Table({ className, ...props }: ComponentProps<'table'>) {
  return (
    <div className="overflow-x-auto">
      <table className={cn('w-full border-collapse text-sm', className)} {...props} />
    </div>
  );
}

export function TableHeader({ className, ...props }: ComponentProps<'th'>) {
  return (
    <th
      scope="col"
      className={cn(
        'h-8 whitespace-nowrap border-line border-b px-3 text-start font-medium text-fg-3 text-xs',
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
  return <td className={cn('h-9 px-3 py-1.5 align-top', className)} {...props} />;
}
