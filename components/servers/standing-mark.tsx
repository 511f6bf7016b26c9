import { CircleCheck, CircleDashed, CircleQuestionMark, TriangleAlert } from 'lucide-react';
import { StatePill } from '#components/console/state-pill.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { type ServerRow, serverStanding } from './server-row.ts';

/** How a server stands, in a word: read and confirmed, or what is missing. */
export function StandingMark({ server, plain }: { server: ServerRow; plain?: boolean }) {
  switch (serverStanding(server)) {
    case 'retired':
      return <StatePill state="retired" plain={plain} />;
    case 'failed':
      return (
        <Badge
          tone="danger"
          plain={plain}
          icon={<TriangleAlert aria-hidden />}
          title={server.lastSyncError ?? ''}
        >
          Last sync failed
        </Badge>
      );
    case 'never read':
      return (
        <Badge tone="neutral" plain={plain} icon={<CircleDashed aria-hidden />}>
          Never synced
        </Badge>
      );
    case 'unconfirmed':
      return (
        <Badge tone="violet" plain={plain} icon={<CircleQuestionMark aria-hidden />}>
          Tools to confirm
        </Badge>
      );
    case 'ready':
      return (
        <Badge tone="success" plain={plain} icon={<CircleCheck aria-hidden />}>
          Ready
        </Badge>
      );
  }
}
