import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import type { Review } from '#lib/approvals/views.ts';
import { type Choice, type Narrowing, noNarrowing } from './narrowing.ts';
import { ToolReview } from './tool-review.tsx';

/** Every tool asked for, by server; each can be left out or limited while the reader may decide. */
export function ToolsCard({
  review,
  open,
  readOnly,
  narrowing,
  choice,
  onChange,
}: {
  review: Review;
  /** Whether it still waits for a decision. */
  open: boolean;
  readOnly: boolean;
  narrowing: Narrowing;
  choice: Choice;
  onChange: (narrowing: Narrowing) => void;
}) {
  // An agent comes back as it was, or not at all.
  const fixed = readOnly || review.kind === 'reinstate';
  const proposed = new Set(review.proposed.tools.map((tool) => tool.toolId));
  return (
    <Card
      flush
      id="tools"
      title="Tools"
      description={
        fixed
          ? `${review.toolLines.length} asked for`
          : `${choice.kept.length} of ${review.toolLines.length} kept. Clear a box to leave a tool out.`
      }
      actions={
        choice.narrowed &&
        !readOnly && (
          <Button size="sm" variant="ghost" onClick={() => onChange(noNarrowing(review))}>
            Back to as asked
          </Button>
        )
      }
    >
      {[...Map.groupBy(review.toolLines, (tool) => tool.serverId).values()].map((tools) => (
        <section key={tools[0]?.serverId} aria-label={tools[0]?.server}>
          <h3 className="border-line border-b bg-sunken px-4 py-1.5 font-medium text-fg-2 text-xs">
            {tools[0]?.server}
          </h3>
          <ul>
            {tools.map((tool) => (
              <ToolReview
                key={tool.toolId}
                tool={tool}
                isNew={review.lastApproval !== null && tool.change === 'added'}
                kept={
                  open
                    ? proposed.has(tool.toolId) && !narrowing.dropped.has(tool.toolId)
                    : (review.grantedTools?.includes(tool.toolId) ?? true)
                }
                takenEarlier={!proposed.has(tool.toolId)}
                limits={narrowing.limits[tool.toolId] ?? []}
                readOnly={fixed}
                onKeep={(keep) => {
                  const dropped = new Set(narrowing.dropped);
                  if (keep) dropped.delete(tool.toolId);
                  else dropped.add(tool.toolId);
                  onChange({ ...narrowing, dropped });
                }}
                onLimits={(limits) =>
                  onChange({ ...narrowing, limits: { ...narrowing.limits, [tool.toolId]: limits } })
                }
              />
            ))}
          </ul>
        </section>
      ))}
    </Card>
  );
}
