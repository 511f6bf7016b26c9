import type { ReactNode } from 'react';
import { cn } from './cn.ts';
import { CopyButton } from './copy-button.tsx';

/** Machine text to read or copy whole. It is never interpreted. */
export function CodeBlock({
  code,
  label,
  caption,
  wrap = false,
  maxHeight = '24rem',
  className,
}: {
  code: string;
  /** Names the block to screen readers, as in "Client metadata". */
  label: string;
  /** A file name or language, shown above. */
  caption?: ReactNode;
  wrap?: boolean;
  maxHeight?: string;
  className?: string;
}) {
  return (
    <figure className={cn('min-w-0 overflow-hidden rounded-md border border-line bg-sunken', className)}>
      <figcaption className="flex h-8 items-center justify-between gap-2 border-line border-b pr-1 pl-3 text-fg-3 text-xs">
        <span className="truncate">{caption ?? label}</span>
        <CopyButton text={code} label="Copy" showLabel />
      </figcaption>
      {/* biome-ignore lint/a11y/useSemanticElements: a scrollable region must be reachable by keyboard (WCAG 2.1.1) */}
      <pre
        role="region"
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
        tabIndex={0}
        style={{ maxHeight }}
        className={cn(
          'overflow-auto px-3 py-2 text-xs leading-5 focus-visible:-outline-offset-2 print:max-h-none! print:whitespace-pre-wrap print:break-all',
          wrap && 'whitespace-pre-wrap break-all',
        )}
      >
        <code>{code}</code>
      </pre>
    </figure>
  );
}
