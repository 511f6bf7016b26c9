import {
  Ban,
  CircleX,
  FilePen,
  Fingerprint,
  Link2,
  type LucideIcon,
  MessageSquareWarning,
  Play,
  Send,
  Stamp,
  TimerOff,
  Undo2,
  Wrench,
} from 'lucide-react';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { Timeline, type TimelineItem } from '#components/console/timeline.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import type { RequestDetail } from '#lib/approvals/views.ts';

const looks: Record<string, { icon: LucideIcon; tone?: TimelineItem['tone'] }> = {
  'request.create': { icon: FilePen },
  'request.edit': { icon: FilePen, tone: 'info' },
  'request.submit': { icon: Send, tone: 'violet' },
  'request.request_changes': { icon: MessageSquareWarning, tone: 'warning' },
  'request.approve': { icon: Stamp, tone: 'success' },
  'request.reject': { icon: CircleX, tone: 'danger' },
  'request.withdraw': { icon: Undo2 },
  'request.expire': { icon: TimerOff },
  'agent.activate': { icon: Play, tone: 'success' },
  'agent.reinstate': { icon: Play, tone: 'success' },
  'agent.expire': { icon: TimerOff },
  'binding.create': { icon: Wrench },
  'binding.end': { icon: Ban },
  'client.claim': { icon: Fingerprint },
  'client.link': { icon: Link2 },
};

/** What happened to a request, in order, with the changes of each edit. */
export function History({ entries }: { entries: RequestDetail['history'] }) {
  return (
    <Timeline
      label="History"
      items={entries.map((entry) => {
        const look = looks[entry.kind];
        const changed = entry.changes.map((change) => change.label);
        return {
          key: entry.id,
          icon: look?.icon,
          tone: look?.tone,
          title: (
            <>
              {entry.says}
              {entry.actorName && <span className="text-fg-2"> by {entry.actorName}</span>}
            </>
          ),
          body: (
            <>
              <RelativeTime at={entry.at} className="text-fg-3 text-xs" />
              {entry.reason && (
                <p>
                  <UntrustedText text={entry.reason} multiline />
                </p>
              )}
              {changed.length > 0 && <p className="text-fg-3 text-xs">Changed: {changed.join(', ')}</p>}
            </>
          ),
        };
      })}
    />
  );
}
