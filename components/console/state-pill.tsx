import {
  Archive,
  Ban,
  Check,
  CheckCheck,
  CircleCheck,
  CircleDashed,
  CircleDot,
  CirclePause,
  CircleSlash,
  CircleX,
  Eye,
  FilePen,
  Hourglass,
  type LucideIcon,
  MessageSquareWarning,
  PlugZap,
  Send,
  ShieldQuestionMark,
  Snowflake,
  Stamp,
  TimerOff,
  Undo2,
  Unplug,
} from 'lucide-react';
import { Badge, type Tone } from '#components/ui/badge.tsx';

type Look = { word: string; tone: Tone; icon: LucideIcon };

/**
 * One word, one colour and one icon for every state a thing can be in. The same state looks the same wherever it
 * appears. Violet waits for a decision, amber is stopped but can return, red ended by force, grey ended by itself.
 */
const looks = {
  draft: { word: 'Draft', tone: 'neutral', icon: FilePen },
  submitted: { word: 'Submitted', tone: 'violet', icon: Send },
  'changes requested': { word: 'Changes requested', tone: 'warning', icon: MessageSquareWarning },
  approved: { word: 'Approved', tone: 'success', icon: Stamp },
  rejected: { word: 'Rejected', tone: 'danger', icon: CircleX },
  withdrawn: { word: 'Withdrawn', tone: 'neutral', icon: Undo2 },
  expired: { word: 'Expired', tone: 'neutral', icon: TimerOff },

  quarantined: { word: 'Quarantined', tone: 'violet', icon: ShieldQuestionMark },
  pending: { word: 'Pending', tone: 'violet', icon: Hourglass },
  active: { word: 'Active', tone: 'success', icon: CircleCheck },
  suspended: { word: 'Suspended', tone: 'warning', icon: CirclePause },
  revoked: { word: 'Revoked', tone: 'danger', icon: Ban },

  unclaimed: { word: 'Unclaimed', tone: 'neutral', icon: TimerOff },
  forgotten: { word: 'Forgotten', tone: 'neutral', icon: Archive },

  issued: { word: 'Issued', tone: 'success', icon: CircleDot },
  live: { word: 'Live', tone: 'success', icon: CircleDot },
  frozen: { word: 'Frozen', tone: 'warning', icon: Snowflake },
  ended: { word: 'Ended', tone: 'neutral', icon: CircleSlash },

  open: { word: 'Open', tone: 'violet', icon: CircleDot },
  acknowledged: { word: 'Acknowledged', tone: 'info', icon: Eye },
  'accepted as baseline': { word: 'Accepted as baseline', tone: 'success', icon: CheckCheck },
  contained: { word: 'Contained', tone: 'warning', icon: CirclePause },
  resolved: { word: 'Resolved', tone: 'neutral', icon: Check },

  waiting: { word: 'Waiting', tone: 'violet', icon: Hourglass },
  ready: { word: 'Ready', tone: 'info', icon: CircleDot },
  continued: { word: 'Continued', tone: 'success', icon: Check },

  enrolled: { word: 'Enrolled', tone: 'info', icon: CircleDashed },
  connected: { word: 'Connected', tone: 'success', icon: PlugZap },
  unreachable: { word: 'Unreachable', tone: 'danger', icon: Unplug },

  delivered: { word: 'Delivered', tone: 'success', icon: Check },
  failed: { word: 'Failed', tone: 'danger', icon: CircleX },
  paused: { word: 'Paused', tone: 'warning', icon: CirclePause },
  failing: { word: 'Failing', tone: 'danger', icon: CircleX },
  removed: { word: 'Removed', tone: 'neutral', icon: Archive },

  next: { word: 'Next', tone: 'info', icon: CircleDashed },
  retired: { word: 'Retired', tone: 'neutral', icon: Archive },
  killed: { word: 'Killed', tone: 'danger', icon: Ban },
  deactivated: { word: 'Deactivated', tone: 'neutral', icon: CircleSlash },
} as const satisfies Record<string, Look>;

export type StateName = keyof typeof looks;

/** The words of a state, for filters and sentences. */
export function stateWord(state: string): string {
  return lookOf(state).word;
}

/** Shows a state. `cause` says why it ended; `plain` drops the box, for dense tables. */
export function StatePill({
  state,
  cause,
  plain,
  className,
}: {
  state: StateName | (string & {});
  cause?: string | null;
  plain?: boolean;
  className?: string;
}) {
  const look = lookOf(state);
  const Icon = look.icon;
  return (
    <Badge tone={look.tone} plain={plain} icon={<Icon aria-hidden />} className={className}>
      {look.word}
      {cause && <span className="font-normal"> · {cause.replaceAll('_', ' ')}</span>}
    </Badge>
  );
}

function lookOf(state: string): Look {
  const name = state.toLowerCase().replaceAll(/[_-]/g, ' ');
  if (Object.hasOwn(looks, name)) return looks[name as StateName];
  return { word: name.charAt(0).toUpperCase() + name.slice(1), tone: 'neutral', icon: CircleDashed };
}
