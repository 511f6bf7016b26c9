import { RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Countdown, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { SummarySentence } from '#components/requests/summary-sentence.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { Review } from '#lib/approvals/views.ts';

const kindWords: Record<Review['kind'], string> = {
  new: 'New agent',
  change: 'Change of an agent',
  reinstate: 'Reinstatement',
};

/** Which request this is, where it stands now, and what it asks in one sentence that stays in sight. */
export function ReviewHeader({
  review,
  latest: { state, narrowed, browserWaitsUntil: waitsUntil },
}: {
  review: Review;
  latest: Review;
}) {
  const open = state === 'submitted';
  return (
    <>
      <PageHeader
        title={<UntrustedText text={review.agentName} />}
        crumbs={[{ label: 'Review', href: '/review' }]}
        state={
          <>
            <StatePill state={state} cause={narrowed ? 'narrowed' : null} />
            <RiskMark risk={review.risk} />
          </>
        }
        meta={
          <>
            <TextLink href={`/requests/${review.id}`}>{review.label}</TextLink>
            <span>{kindWords[review.kind]}</span>
            <span>Owner {review.owner.displayName}</span>
            <span>{review.clientClass}</span>
            <span>
              Submitted <RelativeTime at={review.submittedAt} />
            </span>
            <span>Revision {review.revision}</span>
            {open && review.reviewDueAt && (
              <span>
                Due <RelativeTime at={review.reviewDueAt} />
              </span>
            )}
            {open && waitsUntil && (
              <span className="text-violet">
                Client waits, <Countdown until={waitsUntil} totalSeconds={285} over="gave up" />
              </span>
            )}
          </>
        }
      />
      <p className="z-10 -mx-4 border-line border-b bg-canvas px-4 py-2.5 text-base sm:-mx-6 sm:px-6 lg:sticky lg:top-(--header-height)">
        <span className="block max-w-[100ch]">
          <SummarySentence parts={review.summaryParts} />
        </span>
      </p>
    </>
  );
}
