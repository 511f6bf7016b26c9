import { ChevronRight } from 'lucide-react';
import Link from 'next/link';
import { Fragment } from 'react';

export type Crumb = { label: string; href: string };

/** The way back up; the page's own title is the heading below, not a crumb. */
export function Breadcrumb({ crumbs }: { crumbs: ReadonlyArray<Crumb> }) {
  return (
    <nav aria-label="Breadcrumb" className="no-print -ml-1">
      <ol className="flex flex-wrap items-center text-fg-3 text-xs">
        {crumbs.map((crumb, index) => (
          <Fragment key={crumb.href}>
            {index > 0 && (
              <li aria-hidden>
                <ChevronRight className="size-3.5" />
              </li>
            )}
            <li>
              <Link
                href={crumb.href}
                className="inline-flex min-h-6 items-center rounded-sm px-1 hover:bg-hover hover:text-fg"
              >
                {crumb.label}
              </Link>
            </li>
          </Fragment>
        ))}
      </ol>
    </nav>
  );
}
