import { cn } from '#components/ui/cn.ts';

/** The mark: a seal crossed by two signatures, the second over the first. */
export function Mark({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 24 24" fill="none" aria-hidden="true" className={cn('size-6 shrink-0', className)}>
      <path
        d="M18.9 7.1A8.75 8.75 0 1 0 20.2 15.2"
        stroke="currentColor"
        strokeWidth="1.9"
        strokeLinecap="round"
      />
      <path
        d="M6.6 13.2c1.1 1.9 2.1 3.2 3.1 3.2 2 0 2.6-7.6 6.2-11.9"
        stroke="currentColor"
        strokeWidth="1.9"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
      <path
        d="M11.6 13.2c.9 1.7 1.7 2.7 2.6 2.7 2.1 0 3-6.9 7.3-10.6"
        className="stroke-accent"
        strokeWidth="1.9"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}

export function Wordmark({ className }: { className?: string }) {
  return (
    <span className={cn('inline-flex items-center gap-2 font-semibold text-base tracking-tight', className)}>
      <Mark className="size-5.5" />
      Countersign
    </span>
  );
}
