import { cn } from './cn.ts';

/** A grey stand-in with the size of what will come; appears after 150 ms so that fast pages never flicker. */
export function Skeleton({ className }: { className?: string }) {
  return (
    <span
      aria-hidden
      className={cn(
        'fade-in block animate-in animate-pulse rounded-sm bg-pressed fill-mode-backwards delay-150',
        className,
      )}
    />
  );
}

/** The outline of a list while it loads. */
export function TableSkeleton({ rows = 8, columns = 5 }: { rows?: number; columns?: number }) {
  return (
    <div role="status" className="overflow-hidden rounded-lg border border-line bg-surface">
      <span className="sr-only">Loading</span>
      <div className="h-8 border-line border-b bg-sunken" />
      {Array.from({ length: rows }, (_, row) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: identical placeholders
          key={row}
          className="flex h-10 items-center gap-6 border-line border-b px-3 last:border-b-0"
        >
          {Array.from({ length: columns }, (_, column) => (
            <Skeleton
              // biome-ignore lint/suspicious/noArrayIndexKey: identical placeholders
              key={column}
              className={cn('h-3', column === 0 ? 'w-2/5' : 'w-1/6')}
            />
          ))}
        </div>
      ))}
    </div>
  );
}

/** The outline of a page of one object while it loads. */
export function PageSkeleton() {
  return (
    <div role="status" className="grid gap-6">
      <span className="sr-only">Loading</span>
      <div className="grid gap-2">
        <Skeleton className="h-3 w-32" />
        <Skeleton className="h-6 w-full max-w-80" />
        <Skeleton className="h-3 w-56" />
      </div>
      <div className="grid gap-3 rounded-lg border border-line bg-surface p-4">
        {['w-3/5', 'w-4/5', 'w-2/5', 'w-3/4', 'w-1/2'].map((width) => (
          <Skeleton key={width} className={cn('h-3.5', width)} />
        ))}
      </div>
    </div>
  );
}
