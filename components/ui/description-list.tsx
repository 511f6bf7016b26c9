import type { ReactNode } from 'react';
import { cn } from './cn.ts';

export type Description = { term: ReactNode; value: ReactNode; hint?: ReactNode; key?: string };

/** Facts as term and value. Values left out (null, undefined, empty) read as a dash. */
export function DescriptionList({
  items,
  columns = 1,
  className,
}: {
  items: ReadonlyArray<Description | null | false | undefined>;
  columns?: 1 | 2 | 3;
  className?: string;
}) {
  return (
    <div className="@container">
      <dl
        className={cn(
          'grid gap-x-8 gap-y-2.5',
          columns === 2 && '@2xl:grid-cols-2',
          columns === 3 && '@4xl:grid-cols-3 @2xl:grid-cols-2',
          className,
        )}
      >
        {items
          .filter((item) => item !== null && item !== false && item !== undefined)
          .map((item, index) => (
            <div
              key={item.key ?? (typeof item.term === 'string' ? item.term : index)}
              className={cn(
                'min-w-0',
                columns === 1 && 'grid gap-x-4 gap-y-0.5 @md:grid-cols-[minmax(7rem,11rem)_minmax(0,1fr)]',
              )}
            >
              <dt className="text-fg-3 text-xs leading-5">{item.term}</dt>
              <dd className="min-w-0 text-sm">
                {item.value === null || item.value === undefined || item.value === '' ? (
                  <span className="text-fg-3">–</span>
                ) : (
                  item.value
                )}
                {item.hint && <div className="text-fg-3 text-xs">{item.hint}</div>}
              </dd>
            </div>
          ))}
      </dl>
    </div>
  );
}
