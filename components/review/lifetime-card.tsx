import { AskedGranted } from '#components/console/diff-line.tsx';
import { LifetimeField } from '#components/requests/lifetime-field.tsx';
import { Card } from '#components/ui/card.tsx';
import { describeSeconds } from '#lib/approvals/diff.ts';
import type { Review } from '#lib/approvals/views.ts';
import type { Choice, Narrowing } from './narrowing.ts';

/** How long it was asked for, and how long it is granted; an approval can only shorten it. */
export function LifetimeCard({
  review,
  readOnly,
  narrowing,
  choice,
  onChange,
}: {
  review: Review;
  readOnly: boolean;
  narrowing: Narrowing;
  choice: Choice;
  onChange: (narrowing: Narrowing) => void;
}) {
  const fixed = readOnly || review.kind === 'reinstate';
  const granted = review.grantedLifetimeSeconds ?? review.proposed.lifetimeSeconds;
  return (
    <Card
      title="Lifetime"
      description={`${describeSeconds(review.lifetimeSeconds)} asked for, counted from the first token`}
    >
      {fixed ? (
        <p className="text-sm">
          <AskedGranted
            asked={describeSeconds(review.lifetimeSeconds)}
            granted={describeSeconds(granted)}
            changed={granted !== review.lifetimeSeconds}
          />
        </p>
      ) : (
        <LifetimeField
          value={narrowing.lifetime}
          onChange={(lifetime) => onChange({ ...narrowing, lifetime })}
          maxSeconds={review.proposed.lifetimeSeconds}
          error={
            choice.seconds > review.proposed.lifetimeSeconds
              ? `At most ${describeSeconds(review.proposed.lifetimeSeconds)}: an approval can only shorten it.`
              : null
          }
        />
      )}
    </Card>
  );
}
