import { Hourglass } from 'lucide-react';
import { Badge, type Tone } from '#components/ui/badge.tsx';
import { cn } from '#components/ui/cn.ts';

const tones: Record<string, Tone> = {
  owner: 'neutral',
  approver: 'info',
  auditor: 'neutral',
  admin: 'warning',
};

/**
 * A person's roles; those that wait for a second admin are marked and count for nothing yet. `oneLine` is for table
 * rows, which are all of one height.
 */
export function RoleBadges({
  roles,
  waiting = [],
  oneLine = false,
}: {
  roles: readonly string[];
  waiting?: readonly string[];
  oneLine?: boolean;
}) {
  if (roles.length + waiting.length === 0) return <span className="text-fg-3 text-sm">No role</span>;
  return (
    <span className={cn('inline-flex gap-1', !oneLine && 'flex-wrap')}>
      {roles.map((role) => (
        <Badge key={role} tone={tones[role]}>
          {role}
        </Badge>
      ))}
      {waiting.map((role) => (
        <Badge key={role} tone="violet" icon={<Hourglass aria-hidden />} title="Waits for a second admin">
          {role}
          <span className="sr-only"> waits for a second admin</span>
        </Badge>
      ))}
    </span>
  );
}
