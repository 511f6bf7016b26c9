import {
  BookOpen,
  CheckCheck,
  ChevronsUp,
  CircleQuestionMark,
  Eye,
  Flame,
  type LucideIcon,
  MessageSquareQuote,
  Pencil,
  ShieldBan,
  ShieldCheck,
  ShieldEllipsis,
  SignalHigh,
  SignalLow,
  SignalMedium,
  TriangleAlert,
} from 'lucide-react';
import { Badge, type Tone } from '#components/ui/badge.tsx';

type Look = { word: string; tone: Tone; icon: LucideIcon; meaning: string };

const risks: Record<string, Look> = {
  low: { word: 'Low', tone: 'neutral', icon: SignalLow, meaning: 'Low risk' },
  medium: { word: 'Medium', tone: 'warning', icon: SignalMedium, meaning: 'Medium risk' },
  high: { word: 'High', tone: 'danger', icon: SignalHigh, meaning: 'High risk' },
};

const classes: Record<string, Look> = {
  read: { word: 'Read', tone: 'neutral', icon: BookOpen, meaning: 'Reads without changing anything' },
  write: { word: 'Write', tone: 'info', icon: Pencil, meaning: 'Creates or changes data' },
  destructive: { word: 'Destructive', tone: 'danger', icon: Flame, meaning: 'Deletes or cannot be undone' },
  external: {
    word: 'External',
    tone: 'warning',
    icon: ChevronsUp,
    meaning: 'Reaches systems outside this server',
  },
  unclassified: {
    word: 'Unclassified',
    tone: 'violet',
    icon: CircleQuestionMark,
    meaning: 'Nobody has confirmed what it does; treated as the worst case',
  },
};

const evidences: Record<string, Look> = {
  proved: {
    word: 'Proved',
    tone: 'success',
    icon: CheckCheck,
    meaning: 'Checked by cryptography or by control',
  },
  observed: { word: 'Observed', tone: 'info', icon: Eye, meaning: 'Seen by us, not proved' },
  claimed: {
    word: 'Claimed',
    tone: 'neutral',
    icon: MessageSquareQuote,
    meaning: 'Said by the client itself; unchecked',
  },
  contradicted: {
    word: 'Contradicted',
    tone: 'danger',
    icon: TriangleAlert,
    meaning: 'Another fact says otherwise',
  },
};

const outcomes: Record<string, Look> = {
  permit: { word: 'Permit', tone: 'success', icon: ShieldCheck, meaning: 'Policy permits this' },
  deny: { word: 'Deny', tone: 'danger', icon: ShieldBan, meaning: 'Policy denies this' },
  'needs review': {
    word: 'Needs review',
    tone: 'violet',
    icon: ShieldEllipsis,
    meaning: 'Policy asks for a person to decide',
  },
};

function Mark({
  look,
  plain,
  suffix,
  className,
}: {
  look: Look;
  plain?: boolean;
  suffix?: string;
  className?: string;
}) {
  const Icon = look.icon;
  return (
    <Badge
      tone={look.tone}
      plain={plain}
      icon={<Icon aria-hidden />}
      title={look.meaning}
      className={className}
    >
      {look.word}
      {suffix && <span className="sr-only"> {suffix}</span>}
    </Badge>
  );
}

function pick(looks: Record<string, Look>, name: string, fallback: string): Look {
  return looks[name.toLowerCase().replaceAll(/[_-]/g, ' ')] ?? (looks[fallback] as Look);
}

type MarkProps = { plain?: boolean; className?: string };

/** Risk of a tool or request: icon, word and colour. An unknown risk reads as high. */
export function RiskMark({ risk, ...props }: MarkProps & { risk: string }) {
  return <Mark look={pick(risks, risk, 'high')} suffix="risk" {...props} />;
}

/** What a tool does. An unknown class reads as unclassified. */
export function ClassMark({ toolClass, ...props }: MarkProps & { toolClass: string }) {
  return <Mark look={pick(classes, toolClass, 'unclassified')} {...props} />;
}

/** How a fact was established. An unknown status reads as claimed. */
export function EvidenceMark({ status, ...props }: MarkProps & { status: string }) {
  return <Mark look={pick(evidences, status, 'claimed')} {...props} />;
}

/** What policy answered. An unknown outcome reads as deny. */
export function OutcomeMark({ outcome, ...props }: MarkProps & { outcome: string }) {
  return <Mark look={pick(outcomes, outcome, 'deny')} {...props} />;
}
