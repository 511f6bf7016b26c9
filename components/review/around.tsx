import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { Review } from '#lib/approvals/views.ts';

/** What else its owner has, and what was asked about this before. */
export function Around({ review }: { review: Review }) {
  const { ownerAgents, refusedBefore } = review.ambient;
  return (
    <div className="grid gap-2.5 text-sm">
      <p className="text-fg-2">
        {review.owner.displayName} owns{' '}
        {ownerAgents === 0
          ? 'no active agent'
          : ownerAgents === 1
            ? 'one active agent'
            : `${ownerAgents} active agents`}
        .
        {refusedBefore > 0 && (
          <span className="text-warning">
            {' '}
            The same software was rejected {refusedBefore === 1 ? 'once' : `${refusedBefore} times`} before.
          </span>
        )}
      </p>
      {review.lineage.length === 0 ? (
        <p className="text-fg-3 text-xs">No earlier request about it.</p>
      ) : (
        <ul aria-label="Earlier requests" className="grid gap-1.5">
          {review.lineage.map((entry) => (
            <li key={entry.id} className="flex flex-wrap items-center gap-x-2">
              <TextLink href={`/requests/${entry.id}`}>{entry.label}</TextLink>
              <StatePill state={entry.state} plain />
              <RelativeTime at={entry.decidedAt ?? entry.createdAt} className="text-fg-3 text-xs" />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
