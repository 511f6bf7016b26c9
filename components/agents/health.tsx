import { CircleCheck, Clock, MoonStar, TimerOff } from 'lucide-react';
import { Badge } from '#components/ui/badge.tsx';
import type { AgentRow } from './types.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const idleAfterMs = 30 * dayMs;

export type Health = 'healthy' | 'ends soon' | 'never used' | 'idle' | 'waiting' | 'stopped';

/** What wants attention about an agent, in one word. */
export function healthOf(agent: Pick<AgentRow, 'state' | 'endsAt' | 'lastUsedAt'>, nowMs: number): Health {
  if (agent.state === 'pending') return 'waiting';
  if (agent.state !== 'active') return 'stopped';
  if (agent.endsAt && Date.parse(agent.endsAt) - nowMs < dayMs) return 'ends soon';
  if (!agent.lastUsedAt) return 'never used';
  return nowMs - Date.parse(agent.lastUsedAt) > idleAfterMs ? 'idle' : 'healthy';
}

const looks = {
  healthy: { word: 'Healthy', tone: 'success', icon: CircleCheck },
  'ends soon': { word: 'Ends soon', tone: 'warning', icon: Clock },
  'never used': { word: 'Never used', tone: 'neutral', icon: MoonStar },
  idle: { word: 'Unused 30 days', tone: 'warning', icon: MoonStar },
} as const;

export function HealthMark({ health }: { health: Health }) {
  // Its state says it already.
  if (health === 'waiting' || health === 'stopped') return <span className="text-fg-3">–</span>;
  const { word, tone, icon: Icon } = looks[health];
  return (
    <Badge tone={tone} plain icon={<Icon aria-hidden />}>
      {word}
    </Badge>
  );
}

/** Days left of an approval; hours in the last two days. */
export function DaysLeft({ endsAt, nowMs }: { endsAt: string | null; nowMs: number }) {
  if (!endsAt) return <span className="text-fg-3">–</span>;
  const left = Date.parse(endsAt) - nowMs;
  if (left <= 0) {
    return (
      <Badge tone="danger" plain icon={<TimerOff aria-hidden />}>
        ended
      </Badge>
    );
  }
  const text =
    left < hourMs
      ? `${Math.max(1, Math.round(left / 60_000))} min`
      : left < 2 * dayMs
        ? `${Math.round(left / hourMs)} h`
        : `${Math.round(left / dayMs)} d`;
  return (
    <time
      dateTime={endsAt}
      title={endsAt}
      suppressHydrationWarning
      className={left < dayMs ? 'font-medium text-warning' : undefined}
    >
      {text}
    </time>
  );
}
