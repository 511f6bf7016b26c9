import { cn } from '#components/ui/cn.ts';
import { CopyButton } from '#components/ui/copy-button.tsx';

/** An identifier in full when short, else its beginning and end. Copying and printing always give the whole. */
export function CopyableId({
  id,
  label = 'id',
  keep = 20,
  copyable = true,
  className,
}: {
  id: string;
  /** What the copy button says it copies. */
  label?: string;
  /** Longest identifier shown whole, in characters. */
  keep?: number;
  copyable?: boolean;
  className?: string;
}) {
  const short = middleTruncate(id, keep);
  return (
    <span className={cn('inline-flex min-w-0 max-w-full items-center gap-0.5 align-middle', className)}>
      <code className="min-w-0 truncate text-xs" title={short === id ? undefined : id}>
        <span className="print-short">{short}</span>
        <span className="print-whole hidden break-all">{id}</span>
      </code>
      {copyable && <CopyButton text={id} label={`Copy ${label}`} className="relative z-1" />}
    </span>
  );
}

/** A digest, by its first characters: enough to compare two by eye, never to prove equality. */
export function DigestChip({ digest, label = 'digest' }: { digest: string; label?: string }) {
  const bare = digest.replace(/^sha-?256[:-]/i, '');
  return (
    <span className="inline-flex max-w-full items-center rounded-sm border align-middle border-line bg-sunken pl-1.5">
      <code className="truncate text-fg-2 text-xs" title={digest}>
        <span className="print-short">{bare.length > 12 ? `${bare.slice(0, 12)}…` : bare}</span>
        <span className="print-whole hidden break-all">{digest}</span>
      </code>
      <CopyButton text={digest} label={`Copy ${label}`} className="relative z-1" />
    </span>
  );
}

/** Keeps the two ends of a text; a kind prefix such as `agt_` stays whole. */
export function middleTruncate(text: string, keep: number): string {
  const characters = [...text];
  if (characters.length <= keep) return text;
  const tail = Math.max(4, Math.floor((keep - 1) / 2));
  const head = Math.max(4, keep - 1 - tail);
  return `${characters.slice(0, head).join('')}…${characters.slice(-tail).join('')}`;
}
