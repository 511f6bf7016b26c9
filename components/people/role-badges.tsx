import { Hourglass } from 'lucide-react';
import { Badge, type Tone } from '#components/ui/badge.tsx';

const tones: Record<string, Tone> = {
  owner: 'neutral',
  approver: 'info',
  auditor: 'neutral',
  admin: 'warning',
};

/** A person's roles; those that wait for a second admin are marked and count for nothing yet. */
export function RoleBadges({
  roles,
  waiting = [],
}: {
  roles: readonly string[];
  waiting?: readonly string[];
}) {
  if (roles.length + waiting.length === 0) return <span className="text-fg-3 text-sm">No role</span>;
  return (
    <span className="inline-flex flex-wrap gap-1">
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
