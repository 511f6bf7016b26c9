import { ShieldAlert, ShieldCheck, ShieldQuestionMark } from 'lucide-react';
import { formatUtc } from '#components/console/time.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Callout } from '#components/ui/callout.tsx';
import type { Integrity } from '#lib/audit/read-event.ts';

/** How far history was verified, by recomputing all of it, and when. */
export function IntegrityBadge({ integrity }: { integrity: Integrity }) {
  const { verification, head } = integrity;
  if (!verification) {
    return (
      <Badge tone="neutral" icon={<ShieldQuestionMark aria-hidden />}>
        {head ? 'First verification under way' : 'Nothing to verify yet'}
      </Badge>
    );
  }
  const at = formatUtc(verification.finishedAt);
  if (verification.outcome === 'broken') {
    return (
      <Badge tone="danger" icon={<ShieldAlert aria-hidden />}>
        Does not verify · {at}
      </Badge>
    );
  }
  return (
    <Badge
      tone="success"
      icon={<ShieldCheck aria-hidden />}
      title="Every event, its place and every signed head were recomputed and agree."
    >
      Verified to event {verification.size.toLocaleString('en')} at {at}
    </Badge>
  );
}

/** The alarm of a history that does not verify: what, where, and what to do. */
export function IntegrityAlarm({ integrity }: { integrity: Integrity }) {
  const { verification } = integrity;
  if (verification?.outcome !== 'broken') return null;
  return (
    <Callout tone="danger" title="History does not verify" announce>
      <p>
        {verification.firstBadPosition !== null && (
          <>First bad position: {verification.firstBadPosition.toLocaleString('en')}. </>
        )}
        {verification.problem} Found at {formatUtc(verification.finishedAt)}.
      </p>
      <p>
        Rows were changed outside Countersign. Keep the database as it is, compare it with an earlier backup
        and with the checkpoints your guards have seen, and treat everything after this position as unproved.
      </p>
    </Callout>
  );
}
