import { CircleQuestionMark, DoorOpen, Lock, type LucideIcon, Unplug } from 'lucide-react';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge, type Tone } from '#components/ui/badge.tsx';

/** What an anonymous caller gets at a server's own address, as pages are told of it. */
export type ProbeFacts = {
  outcome: string | null;
  detail: string;
  probedAt: Date | string | null;
  since: Date | string | null;
};

const looks: Readonly<Record<string, { word: string; tone: Tone; icon: LucideIcon }>> = {
  answers: { word: 'Answers anybody', tone: 'danger', icon: DoorOpen },
  refuses: { word: 'Refuses strangers', tone: 'success', icon: Lock },
  unreachable: { word: 'Not reachable from here', tone: 'neutral', icon: Unplug },
  unknown: { word: 'Not known', tone: 'warning', icon: CircleQuestionMark },
};

/** Past the guard: one word for what was found. */
export function ProbeMark({ probe, hasUpstream }: { probe: ProbeFacts; hasUpstream: boolean }) {
  if (!hasUpstream) {
    return (
      <Badge plain tone="success" icon={<Lock aria-hidden />}>
        Hosted by its guard
      </Badge>
    );
  }
  const look = probe.outcome === null ? undefined : looks[probe.outcome];
  if (!look) {
    return (
      <Badge plain tone="neutral" icon={<CircleQuestionMark aria-hidden />}>
        Not asked yet
      </Badge>
    );
  }
  const Icon = look.icon;
  return (
    <Badge plain tone={look.tone} icon={<Icon aria-hidden />}>
      {look.word}
    </Badge>
  );
}

/** The same with what was said, and how old it is. */
export function ProbeLine({ probe, hasUpstream }: { probe: ProbeFacts; hasUpstream: boolean }) {
  return (
    <span className="grid gap-0.5">
      <ProbeMark probe={probe} hasUpstream={hasUpstream} />
      <span className="text-fg-3 text-xs">
        {hasUpstream ? (
          <>
            {probe.detail && (
              <>
                <UntrustedText text={probe.detail} />{' '}
              </>
            )}
            {probe.probedAt ? (
              <>
                Asked <RelativeTime at={probe.probedAt} />
                {probe.since && +new Date(probe.since) !== +new Date(probe.probedAt) && (
                  <>
                    , so since <RelativeTime at={probe.since} />
                  </>
                )}
                .
              </>
            ) : (
              'The next look comes within five minutes.'
            )}
          </>
        ) : (
          'It has no address of its own, so nobody gets past its guard by the network.'
        )}
      </span>
    </span>
  );
}
