import { cn } from '#components/ui/cn.ts';
import { toVisibleSegments } from '#lib/platform/visible-text.ts';

/**
 * Text written by a party we do not trust. Hidden characters are shown by code point, and its direction cannot
 * reach the text around it. It is never a link, never markup.
 */
export function UntrustedText({
  text,
  multiline = false,
  className,
}: {
  text: string;
  /** Keeps line breaks. */
  multiline?: boolean;
  className?: string;
}) {
  return (
    <bdi className={cn(multiline && 'whitespace-pre-wrap', 'break-words', className)}>
      {toVisibleSegments(text, { multiline }).map((segment, index) =>
        segment.kind === 'text' ? (
          segment.text
        ) : (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: segments keep their order
            key={index}
            title={segment.name}
            className="mx-px rounded-xs border border-warning-line bg-warning-bg px-0.5 font-mono text-2xs text-warning"
          >
            {segment.text}
            <span className="sr-only"> ({segment.name})</span>
          </span>
        ),
      )}
    </bdi>
  );
}
