'use client';

import { OutcomeMark, RiskMark } from '#components/console/marks.tsx';
import { Duration } from '#components/console/relative-time.tsx';
import { Skeleton } from '#components/ui/skeleton.tsx';

export type Preview = {
  verdict: {
    outcome: string;
    tools: readonly {
      toolId: string;
      name: string;
      outcome: string;
      reasons: readonly { text: string; remedy: string | null }[];
    }[];
  };
  risk: string;
  requiredApprovals: number;
  approvers: readonly string[];
  reviewDueSeconds: number;
  smallestChange?: { text: string } | null;
  medianDecisionSeconds?: number | null;
};

/** What policy and the approvers would do with the form as it stands. */
export function VerdictPreview({ preview, isStale }: { preview: Preview | null; isStale: boolean }) {
  if (!preview) return <Skeleton className="h-16" />;
  const { verdict } = preview;
  const refused = verdict.tools.filter((tool) => tool.outcome === 'deny');
  const rules = rulesOf(verdict.tools);
  const list = new Intl.ListFormat('en', { type: 'disjunction' });
  return (
    <div aria-live="polite" aria-busy={isStale} className="grid gap-2">
      <div className="flex flex-wrap items-center gap-1.5">
        <OutcomeMark outcome={verdict.outcome} />
        {verdict.tools.length > 0 && <RiskMark risk={preview.risk} />}
      </div>
      {verdict.tools.length === 0 ? (
        <p className="text-fg-2 text-sm">Choose tools to see what policy says.</p>
      ) : refused.length > 0 ? (
        <ul className="grid gap-1 text-sm">
          {refused.map((tool) => (
            <li key={tool.toolId}>
              <code className="text-xs">{tool.name}</code>: {tool.reasons[0]?.text ?? 'refused by policy'}
              {tool.reasons[0]?.remedy && <span className="text-fg-3"> {tool.reasons[0].remedy}</span>}
            </li>
          ))}
        </ul>
      ) : (
        <p className="text-fg-2 text-sm">
          {preview.requiredApprovals > 1
            ? `${preview.requiredApprovals} approvers have to agree`
            : 'One approver decides'}
          {preview.approvers.length > 0 ? `: ${list.format(preview.approvers.slice(0, 4))}` : ''}
          {preview.approvers.length > 4 ? ` and ${preview.approvers.length - 4} more` : ''}. A decision is due
          within <Duration seconds={preview.reviewDueSeconds} />.
          {preview.approvers.length === 0 && (
            <span className="text-warning">
              {' '}
              Nobody can decide it yet: an admin has to make somebody an approver.
            </span>
          )}
        </p>
      )}
      {verdict.tools.length > 0 && (
        <>
          {typeof preview.medianDecisionSeconds === 'number' && (
            <p className="text-fg-2 text-sm">
              Lately such requests were decided in <Duration seconds={preview.medianDecisionSeconds} />{' '}
              (median).
            </p>
          )}
          {preview.smallestChange && (
            <p className="text-sm">
              <span className="font-medium">Smallest change: </span>
              {preview.smallestChange.text}
            </p>
          )}
          {refused.length === 0 && rules.length > 0 && (
            <ul aria-label="Rules that apply" className="grid gap-1 text-fg-3 text-xs">
              {rules.map(({ text, count }) => (
                <li key={text}>
                  {text} {verdict.tools.length > 1 && `(${count} of ${verdict.tools.length} tools)`}
                </li>
              ))}
            </ul>
          )}
        </>
      )}
    </div>
  );
}

/** The rules that fired, each once, with how many tools it concerns. */
function rulesOf(tools: Preview['verdict']['tools']): { text: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { reasons } of tools) {
    for (const text of new Set(reasons.map((reason) => reason.text)))
      counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([text, count]) => ({ text, count }));
}
