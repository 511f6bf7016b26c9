import { Ban, Check, MessageSquareWarning, Scissors, X } from 'lucide-react';
import { DecisionBar } from '#components/console/decision-bar.tsx';
import { AskedGranted } from '#components/console/diff-line.tsx';
import { Button } from '#components/ui/button.tsx';
import { Kbd } from '#components/ui/kbd.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { describeSeconds } from '#lib/approvals/diff.ts';
import type { Review } from '#lib/approvals/views.ts';
import type { Verdict } from './decision-dialog.tsx';
import type { Choice } from './narrowing.ts';

/** The bar with the verdicts, or with why there are none. No verdict is chosen beforehand. */
export function DecisionControls({
  review,
  choice,
  readOnly,
  editedRevision,
  onTakeOver,
  onChoose,
}: {
  review: Review;
  choice: Choice;
  readOnly: boolean;
  /** The revision that replaced the one on the page; null while it is the latest. */
  editedRevision: number | null;
  onTakeOver: () => void;
  onChoose: (verdict: Verdict) => void;
}) {
  return (
    <DecisionBar status={<BarStatus review={review} edited={editedRevision !== null} choice={choice} />}>
      {readOnly ? (
        editedRevision !== null && (
          <Button variant="primary" onClick={onTakeOver}>
            Read revision {editedRevision}
          </Button>
        )
      ) : (
        <>
          <Button variant="danger-outline" icon={<X aria-hidden />} onClick={() => onChoose('reject')}>
            Reject <KeyHint>D</KeyHint>
          </Button>
          <Button icon={<MessageSquareWarning aria-hidden />} onClick={() => onChoose('changes')}>
            Request changes <KeyHint>R</KeyHint>
          </Button>
          {choice.narrowed ? (
            <Button
              variant="primary"
              icon={<Scissors aria-hidden />}
              className="max-sm:col-span-2"
              disabledReason={choice.blocked}
              onClick={() => onChoose('narrow')}
            >
              Approve narrowed <KeyHint>A</KeyHint>
            </Button>
          ) : (
            <Button
              variant="primary"
              icon={<Check aria-hidden />}
              className="max-sm:col-span-2"
              disabledReason={choice.blocked}
              onClick={() => onChoose('approve')}
            >
              Approve as asked <KeyHint>A</KeyHint>
            </Button>
          )}
        </>
      )}
    </DecisionBar>
  );
}

function BarStatus({ review, edited, choice }: { review: Review; edited: boolean; choice: Choice }) {
  const { seconds, narrowed, blocked } = choice;
  const kept = choice.kept.length;
  if (edited) return <>This was edited while you read it. Decide on the new words.</>;
  if (review.cannotDecide) {
    return (
      <span className="inline-flex items-start gap-1.5">
        <Ban aria-hidden className="mt-0.5 size-4 shrink-0 text-fg-3" />
        {review.cannotDecide}
      </span>
    );
  }
  if (blocked) {
    return (
      <span className="text-warning">
        {blocked}
        {choice.needsPasskey && (
          <>
            {' '}
            <TextLink href="/settings/keys" className="whitespace-nowrap">
              Add a passkey
            </TextLink>
          </>
        )}
      </span>
    );
  }
  return (
    <>
      {narrowed ? 'Narrowed: ' : 'As asked: '}
      <AskedGranted
        asked={`${review.toolLines.length} tools`}
        granted={`${kept} ${kept === 1 ? 'tool' : 'tools'}`}
        changed={kept !== review.toolLines.length}
      />
      {' for '}
      <AskedGranted
        asked={describeSeconds(review.lifetimeSeconds)}
        granted={describeSeconds(seconds)}
        changed={seconds !== review.lifetimeSeconds}
      />
      {review.requiredApprovals > 1 && (
        <span className="block text-fg-3 text-xs">
          {review.votes} of {review.requiredApprovals} approvals
        </span>
      )}
    </>
  );
}

function KeyHint({ children }: { children: string }) {
  return (
    <span aria-hidden className="max-lg:hidden">
      <Kbd>{children}</Kbd>
    </span>
  );
}
