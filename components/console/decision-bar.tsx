'use client';

import { type ReactNode, useEffect, useRef } from 'react';
import { cn } from '#components/ui/cn.ts';

/**
 * Stays at the bottom while the page scrolls: what can be decided, or why it cannot. Reports its height so that the
 * page leaves room and the browser never scrolls a focused control beneath it.
 */
export function DecisionBar({
  label = 'Decision',
  status,
  children,
  className,
}: {
  label?: string;
  /** A sentence at the left: progress, deadline, or why deciding is not possible. */
  status?: ReactNode;
  children?: ReactNode;
  className?: string;
}) {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const bar = ref.current;
    if (!bar) return;
    const root = document.documentElement;
    const observer = new ResizeObserver(() => {
      root.style.setProperty('--decision-bar-height', `${bar.offsetHeight}px`);
    });
    observer.observe(bar);
    return () => {
      observer.disconnect();
      root.style.removeProperty('--decision-bar-height');
    };
  }, []);
  return (
    <section
      ref={ref}
      aria-label={label}
      className={cn(
        'decision-bar sticky bottom-0 z-20 -mx-4 mt-6 -mb-5 flex flex-wrap items-center justify-between gap-x-4 gap-y-2 border-line-strong border-t bg-raised px-4 py-3 sm:-mx-6 sm:px-6',
        className,
      )}
    >
      <div className="min-w-0 flex-1 basis-60 text-fg-2 text-sm">{status}</div>
      <div className="flex flex-wrap items-center gap-2 max-sm:grid max-sm:w-full max-sm:grid-cols-2">
        {children}
      </div>
    </section>
  );
}
