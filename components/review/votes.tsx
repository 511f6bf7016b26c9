import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import type { Review } from '#lib/approvals/views.ts';

const verdictWords = {
  approve: 'approved as asked',
  'approve narrowed': 'approved, narrowed',
  'request changes': 'asked for changes',
  reject: 'rejected',
} as const;

/** Who has voted on it, and who still can. */
export function Votes({ review }: { review: Review }) {
  const list = new Intl.ListFormat('en', { type: 'disjunction' });
  return (
    <div className="grid gap-3 text-sm">
      <p>
        {review.votes} of {review.requiredApprovals}{' '}
        {review.requiredApprovals === 1 ? 'approval' : 'approvals'}
      </p>
      {review.votesCast.length > 0 && (
        <ul className="grid gap-2">
          {review.votesCast.map((vote) => (
            <li key={`${vote.voter.personId}:${vote.decidedAt}`}>
              <span className="font-medium">{vote.voter.displayName}</span> {verdictWords[vote.verdict]}{' '}
              <RelativeTime at={vote.decidedAt} className="text-fg-3 text-xs" />
              {vote.signedWith && (
                <span className="text-fg-3 text-xs">
                  {' '}
                  · signed {vote.signedWith === 'passkey' ? 'with a passkey' : 'on the command line'}
                </span>
              )}
              {!vote.current && <span className="text-fg-3 text-xs"> on revision {vote.revision}</span>}
              {vote.reason && (
                <p className="text-fg-2 text-xs">
                  <UntrustedText text={vote.reason} multiline />
                </p>
              )}
            </li>
          ))}
        </ul>
      )}
      {review.state === 'submitted' && review.approvers.length > 0 && (
        <p className="text-fg-3 text-xs">
          Can be decided by {list.format(review.approvers.slice(0, 5).map((each) => each.displayName))}
          {review.approvers.length > 5 ? ` and ${review.approvers.length - 5} more` : ''}.
        </p>
      )}
    </div>
  );
}
