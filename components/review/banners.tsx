import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { diffSnapshots } from '#lib/approvals/diff.ts';
import type { Review } from '#lib/approvals/views.ts';
import { Difference } from './difference.tsx';

/** What the reader must know before the rest: decided, edited meanwhile, or not decidable. */
export function Banners({
  review,
  latest,
  edited,
  held,
  onTakeOver,
}: {
  review: Review;
  latest: Review;
  edited: boolean;
  held: Review;
  onTakeOver: () => void;
}) {
  const { decision } = latest;
  const names = decision ? new Intl.ListFormat('en').format(decision.by.map((each) => each.displayName)) : '';
  const words: Partial<Record<Review['state'], string>> = {
    approved: `${names} approved this${latest.narrowed ? ', narrowed' : ''}`,
    rejected: `${names} rejected this`,
    'changes requested': `${names} sent this back for changes`,
    withdrawn: `${review.owner.displayName} withdrew this`,
    expired: 'This expired before anybody decided it',
    draft: 'This is still a draft',
  };
  const title = words[latest.state];
  return (
    <>
      {title && (
        <Callout
          tone={latest.state === 'approved' ? 'success' : latest.state === 'rejected' ? 'danger' : 'info'}
          title={
            <>
              {title} <RelativeTime at={decision?.at ?? latest.decidedAt} className="font-normal text-fg-2" />
            </>
          }
          announce
          actions={
            <LinkButton size="sm" href="/review">
              Back to the queue
            </LinkButton>
          }
        >
          {decision?.reason && <UntrustedText text={decision.reason} multiline />}
        </Callout>
      )}
      {edited && (
        <Card
          flush
          title={`Edited while you read it: revision ${latest.revision}`}
          actions={
            latest.state === 'submitted' && (
              <Button size="sm" variant="primary" onClick={onTakeOver}>
                Read revision {latest.revision}
              </Button>
            )
          }
        >
          <Difference lines={diffSnapshots(held.snapshot, latest.snapshot)} label="What the edit changed" />
        </Card>
      )}
      {latest.state === 'submitted' && latest.missingApprover && (
        <Callout tone="warning" title="Nobody can decide this">
          {latest.missingApprover}
        </Callout>
      )}
      {latest.state === 'submitted' && review.stale.length > 0 && (
        <Callout tone="warning" title="Not as it was when this was written">
          {review.stale.map((fact) => fact.text).join('. ')}.
        </Callout>
      )}
    </>
  );
}
