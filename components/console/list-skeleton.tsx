import { Skeleton, TableSkeleton } from '#components/ui/skeleton.tsx';

/** The outline of a page with one list while it loads. */
export function ListSkeleton({ columns = 5, stats = false }: { columns?: number; stats?: boolean }) {
  return (
    <div className="grid gap-4">
      <div className="grid gap-2">
        <Skeleton className="h-6 w-48" />
        <Skeleton className="h-3.5 w-full max-w-120" />
      </div>
      {stats && <Skeleton className="h-20 w-full rounded-lg" />}
      <Skeleton className="h-8 w-full max-w-64" />
      <TableSkeleton columns={columns} />
    </div>
  );
}
