import type { ReactNode } from 'react';
import { Breadcrumb, type Crumb } from './breadcrumb.tsx';

/** Title of a page with its state and facts beneath, and its actions at the right. */
export function PageHeader({
  title,
  crumbs,
  state,
  meta,
  description,
  actions,
}: {
  title: ReactNode;
  crumbs?: ReadonlyArray<Crumb>;
  /** A StatePill, beside the title. */
  state?: ReactNode;
  /** Facts separated by thin spaces: ids, owner, age. */
  meta?: ReactNode;
  description?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <header className="grid gap-1">
      {crumbs && crumbs.length > 0 && <Breadcrumb crumbs={crumbs} />}
      <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="grid min-w-0 flex-1 basis-60 gap-1">
          <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <h1 className="min-w-0 break-words font-semibold text-xl tracking-tight">{title}</h1>
            {state}
          </div>
          {meta && (
            <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-fg-2 text-xs">{meta}</div>
          )}
          {description && <p className="max-w-[72ch] text-sm text-fg-2">{description}</p>}
        </div>
        {actions && <div className="no-print flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
    </header>
  );
}
