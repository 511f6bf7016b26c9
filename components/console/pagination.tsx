import { ChevronLeft, ChevronRight } from 'lucide-react';
import type { ReactNode } from 'react';
import { LinkButton } from '#components/ui/link-button.tsx';

/** Steps through a keyset-paged list. There are no page numbers: rows come and go between pages. */
export function Pagination({
  previousHref,
  nextHref,
  summary,
  label = 'Pages',
}: {
  previousHref?: string | null;
  nextHref?: string | null;
  /** How many there are, as in "1–50 of 212". */
  summary?: ReactNode;
  label?: string;
}) {
  if (!previousHref && !nextHref && !summary) return null;
  return (
    <nav aria-label={label} className="no-print flex flex-wrap items-center justify-between gap-2">
      <div className="text-fg-3 text-xs">{summary}</div>
      {(previousHref || nextHref) && (
        <div className="flex gap-2">
          <Step href={previousHref} label="Previous" icon={<ChevronLeft aria-hidden />} />
          <Step href={nextHref} label="Next" icon={<ChevronRight aria-hidden />} after />
        </div>
      )}
    </nav>
  );
}

function Step({
  href,
  label,
  icon,
  after = false,
}: {
  href?: string | null;
  label: string;
  icon: ReactNode;
  after?: boolean;
}) {
  if (!href) {
    return (
      <span
        aria-disabled
        className="inline-flex h-7 items-center gap-1.5 rounded-md border border-line px-2 text-fg-3 text-xs [&_svg]:size-3.5 pointer-coarse:min-h-11"
      >
        {!after && icon}
        {label}
        {after && icon}
      </span>
    );
  }
  return (
    <LinkButton href={href} size="sm">
      {!after && icon}
      {label}
      {after && icon}
    </LinkButton>
  );
}
