import { DiffLine, DiffList } from '#components/console/diff-line.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import type { Review } from '#lib/approvals/views.ts';

/** Lines of difference, widening ones first. Values are somebody's words or come from a server. */
export function Difference({ lines, label }: { lines: Review['difference']; label: string }) {
  if (lines.length === 0) return <p className="px-4 py-3 text-fg-2 text-sm">Nothing differs.</p>;
  return (
    <DiffList label={label}>
      {lines.map((line) => (
        <DiffLine
          key={`${line.key}:${line.change}`}
          kind={line.change}
          what={<UntrustedText text={line.label} />}
          effect={line.effect}
          before={line.before === null ? undefined : <UntrustedText text={line.before} />}
          after={line.after === null ? undefined : <UntrustedText text={line.after} />}
        />
      ))}
    </DiffList>
  );
}
