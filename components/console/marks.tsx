import {
  BookOpen,
  CheckCheck,
  CircleQuestionMark,
  Eye,
  Flame,
  Globe,
  type LucideIcon,
  MessageSquareQuote,
  Pencil,
  ShieldBan,
  ShieldCheck,
  ShieldEllipsis,
  TriangleAlert,
} from 'lucide-react';
import { Badge, type Tone } from '#components/ui/badge.tsx';

type Look = { word: string; tone: Tone; icon: LucideIcon; meaning: string };
type MarkProps = { plain?: boolean; className?: string };
type RiskLook = { word: string; tone: Tone; bars: 1 | 2 | 3 };

const risks: Record<string, RiskLook> = {
  low: { word: 'Low', tone: 'neutral', bars: 1 },
  medium: { word: 'Medium', tone: 'warning', bars: 2 },
  high: { word: 'High', tone: 'danger', bars: 3 },
};

const classes: Record<string, Look> = {
  read: { word: 'Read', tone: 'neutral', icon: BookOpen, meaning: 'Reads without changing anything' },
  write: { word: 'Write', tone: 'info', icon: Pencil, meaning: 'Creates or changes data' },
  destructive: { word: 'Destructive', tone: 'danger', icon: Flame, meaning: 'Deletes or cannot be undone' },
  external: {
    word: 'External',
    tone: 'warning',
    icon: Globe,
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

function Mark({ look, plain, className }: { look: Look } & MarkProps) {
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
    </Badge>
  );
}

function pick(looks: Record<string, Look>, name: string, fallback: string): Look {
  return looks[name.toLowerCase().replaceAll(/[_-]/g, ' ')] ?? (looks[fallback] as Look);
}

/** Risk of a tool or request: bars, word and colour. An unknown risk reads as high. */
export function RiskMark({ risk, plain, className }: MarkProps & { risk: string }) {
  const look = risks[risk.toLowerCase()] ?? (risks.high as RiskLook);
  return (
    <Badge tone={look.tone} plain={plain} icon={<Bars lit={look.bars} />} className={className}>
      {look.word}
      <span className={plain ? 'sr-only' : undefined}> risk</span>
    </Badge>
  );
}

function Bars({ lit }: { lit: 1 | 2 | 3 }) {
  return (
    <svg viewBox="0 0 14 14" fill="currentColor" aria-hidden="true">
      <rect x="1" y="8" width="3" height="5" rx="0.75" />
      <rect x="5.5" y="4.5" width="3" height="8.5" rx="0.75" opacity={lit > 1 ? 1 : 0.25} />
      <rect x="10" y="1" width="3" height="12" rx="0.75" opacity={lit > 2 ? 1 : 0.25} />
    </svg>
  );
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
