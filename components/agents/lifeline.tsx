import {
  Ban,
  Bot,
  FileInput,
  KeyRound,
  Link2,
  type LucideIcon,
  MonitorSmartphone,
  PhoneCall,
  Stamp,
} from 'lucide-react';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { Timeline } from '#components/console/timeline.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge, type Tone } from '#components/ui/badge.tsx';
import { TextLink } from '#components/ui/link-button.tsx';

export type LifelineEntry = {
  eventId: string;
  lane: 'registration' | 'decision' | 'binding' | 'credential' | 'call' | 'revocation' | 'agent';
  says: string;
  outcome: string;
  actor: string;
  reason: string;
  server: string | null;
  tools: string[];
  requestId: string | null;
  revocationId: string | null;
  at: string;
  count: number;
  since: string;
};

const lanes: Record<LifelineEntry['lane'], { word: string; icon: LucideIcon; tone?: Tone }> = {
  registration: { word: 'Registration', icon: MonitorSmartphone, tone: 'violet' },
  decision: { word: 'Decision', icon: Stamp, tone: 'info' },
  binding: { word: 'Tool binding', icon: Link2, tone: 'success' },
  credential: { word: 'Credential', icon: KeyRound },
  call: { word: 'Call', icon: PhoneCall },
  revocation: { word: 'Stop', icon: Ban, tone: 'danger' },
  agent: { word: 'Agent', icon: Bot },
};
const shownTools = 4;

/** What happened to an agent, newest first, each entry a link to its event. */
export function Lifeline({ entries }: { entries: LifelineEntry[] }) {
  return (
    <Timeline
      label="Lifeline"
      items={entries.map((entry) => {
        const lane = lanes[entry.lane];
        const refused = entry.outcome === 'refused';
        return {
          key: entry.eventId,
          icon:
            entry.lane === 'decision' &&
            entry.outcome === 'done' &&
            /draft|revision|submitted/.test(entry.says)
              ? FileInput
              : lane.icon,
          tone: refused ? 'danger' : lane.tone,
          title: (
            <span className="flex flex-wrap items-center gap-x-2 gap-y-0.5">
              <span className="sr-only">{lane.word}: </span>
              <TextLink
                href={`/audit/${entry.eventId}`}
                className="inline-block min-h-6 font-medium text-fg leading-6"
              >
                {refused && entry.lane === 'call' ? 'A guard refused calls' : entry.says}
              </TextLink>
              {entry.count > 1 && <Badge>{entry.count} times</Badge>}
              {refused && (
                <Badge tone="danger" plain>
                  refused
                </Badge>
              )}
            </span>
          ),
          time: <RelativeTime at={entry.at} />,
          body: <Body entry={entry} />,
        };
      })}
    />
  );
}

function Body({ entry }: { entry: LifelineEntry }) {
  const links = [
    entry.requestId && entry.lane === 'decision'
      ? { href: `/requests/${entry.requestId}`, label: 'Request' }
      : null,
    entry.revocationId ? { href: `/revocations/${entry.revocationId}`, label: 'Receipt' } : null,
  ].filter((link) => link !== null);
  return (
    <div className="flex flex-wrap items-baseline gap-x-2 text-fg-3 text-xs">
      <span>{entry.actor}</span>
      {entry.server && <span>on {entry.server}</span>}
      {entry.tools.length > 0 && (
        <span className="min-w-0 text-fg-2">
          {entry.tools.slice(0, shownTools).map((tool, index) => (
            <span key={tool} className="font-mono">
              {index > 0 && ', '}
              <UntrustedText text={tool} />
            </span>
          ))}
          {entry.tools.length > shownTools && ` and ${entry.tools.length - shownTools} more`}
        </span>
      )}
      {entry.reason && (
        <span className="min-w-0 text-fg-2">
          <UntrustedText text={entry.reason} />
        </span>
      )}
      {links.map((link) => (
        <TextLink key={link.href} href={link.href} className="inline-block min-h-6 leading-6">
          {link.label}
        </TextLink>
      ))}
    </div>
  );
}
