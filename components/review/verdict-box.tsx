import { OutcomeMark } from '#components/console/marks.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Card } from '#components/ui/card.tsx';
import type { Review } from '#lib/approvals/views.ts';

const sentences = {
  permit: 'Policy permits every tool here. A person still decides.',
  needs_review: 'Policy leaves this to an approver.',
  deny: 'Policy refuses part of this. It can be approved only without those tools.',
} as const;

/** What policy says, and why: refusals first, tool by tool. */
export function VerdictBox({ verdict }: { verdict: Review['verdict'] }) {
  const refused = verdict.tools.filter((tool) => tool.outcome === 'deny');
  const policies = [...new Set(verdict.tools.flatMap((tool) => tool.policies))];
  return (
    <Card
      title="Policy"
      actions={<OutcomeMark outcome={verdict.outcome} />}
      footer={
        <span>
          Version <code className="text-2xs">{verdict.policyVersion.slice(0, 12)}</code>
          {policies.length > 0 && <> · {policies.join(', ')}</>}
        </span>
      }
    >
      <p className="text-fg-2 text-sm">{sentences[verdict.outcome]}</p>
      {refused.length > 0 && (
        <ul className="mt-2 grid gap-2 text-sm">
          {refused.map((tool) => (
            <li key={tool.toolId}>
              <code className="break-all text-xs">
                <UntrustedText text={tool.name} />
              </code>
              {tool.reasons.map((reason) => (
                <p key={reason.code} className="text-fg-2 text-xs">
                  {reason.text} {reason.remedy && <span className="text-fg-3">{reason.remedy}</span>}
                </p>
              ))}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
