'use client';

import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';
import { cn } from './cn.ts';

/** Copies text and says so, to eyes and to screen readers. */
export function CopyButton({
  text,
  label = 'Copy',
  showLabel = false,
  className,
}: {
  text: string;
  label?: string;
  showLabel?: boolean;
  className?: string;
}) {
  const [outcome, setOutcome] = useState<'copied' | 'failed' | null>(null);
  useEffect(() => {
    if (!outcome) return;
    const timer = setTimeout(() => setOutcome(null), 2000);
    return () => clearTimeout(timer);
  }, [outcome]);
  return (
    <button
      type="button"
      aria-label={showLabel ? undefined : label}
      title={showLabel ? undefined : label}
      onClick={async () => setOutcome((await copy(text)) ? 'copied' : 'failed')}
      className={cn(
        'no-print relative inline-flex min-h-6 min-w-6 items-center justify-center gap-1 rounded-sm text-fg-3 text-xs hover:bg-hover hover:text-fg pointer-coarse:after:absolute pointer-coarse:after:-inset-2.5',
        showLabel && 'px-1.5',
        className,
      )}
    >
      {outcome === 'copied' ? (
        <Check aria-hidden className="size-3.5 text-success" />
      ) : (
        <Copy aria-hidden className="size-3.5" />
      )}
      {showLabel && (outcome === 'copied' ? 'Copied' : outcome === 'failed' ? 'Press Ctrl+C' : label)}
      <span role="status" className="sr-only">
        {outcome === 'copied' ? 'Copied' : outcome === 'failed' ? 'Could not copy' : ''}
      </span>
    </button>
  );
}

/** The clipboard needs a secure context; `*.localhost` is one, a plain http host name is not. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
