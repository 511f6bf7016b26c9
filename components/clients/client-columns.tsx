import type { DataColumn } from '#components/console/data-table.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { CountBadge } from '#components/ui/badge.tsx';
import type { ClientGroup } from '#lib/registration/read-clients.ts';
import { kindWord } from './words.ts';

export const clientColumns: ReadonlyArray<DataColumn<ClientGroup>> = [
  {
    id: 'client',
    header: 'Client',
    wrap: true,
    cell: ({ latest, count }) => (
      <span className="flex min-w-0 flex-wrap items-center gap-x-2 gap-y-0.5">
        <span className="min-w-0 font-medium">
          <UntrustedText text={latest.name || latest.id} />
        </span>
        {count > 1 && <CountBadge count={count} label={`${count} that look alike`} />}
      </span>
    ),
  },
  { id: 'state', header: 'State', width: '8.5rem', cell: ({ latest }) => <StatePill state={latest.state} /> },
  {
    id: 'redirect',
    header: 'Sends codes to',
    width: '13rem',
    cell: ({ latest }) => (
      <UntrustedText
        text={latest.redirectHosts.slice(0, 3).join(', ') || 'no browser'}
        className="truncate"
      />
    ),
  },
  {
    id: 'kind',
    header: 'Way in',
    width: '9rem',
    hideBelow: 'lg',
    cell: ({ latest }) => kindWord(latest.kind),
  },
  {
    id: 'owner',
    header: 'Owner',
    width: '9rem',
    hideBelow: 'md',
    cell: ({ latest }) => {
      const [first, ...more] = [...new Set(latest.owners.map((owner) => owner.displayName))];
      return first ? (
        `${first}${more.length > 0 ? ` +${more.length}` : ''}`
      ) : (
        <span className="text-fg-3">nobody yet</span>
      );
    },
  },
  {
    id: 'registered',
    header: 'First seen',
    width: '7.5rem',
    hideBelow: 'md',
    cell: ({ latest }) => <RelativeTime at={latest.registeredAt} />,
  },
];
