'use client';

import { CalendarClock, CalendarX2, TriangleAlert } from 'lucide-react';
import dynamic from 'next/dynamic';
import { useRouter } from 'next/navigation';
import { useState } from 'react';
import { useNowEvery } from '#components/console/clock.ts';
import { type DataColumn, type DataSort, DataTable } from '#components/console/data-table.tsx';
import { DayRangeForm } from '#components/console/day-range-form.tsx';
import { FilterBar } from '#components/console/filters.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import type { EndingApproval, Expiry } from '#lib/agents/read-expiry.ts';
import { type ExpiryAddress, expiryHref } from './address.ts';
import { clumpsOf, dateOf, dayOf, onWeekends, sayDay, sumDays } from './calendar.ts';
import { ExpiryChart } from './expiry-chart.tsx';

const AskForTime = dynamic(() => import('./ask-for-time.tsx').then((module) => module.AskForTime), {
  ssr: false,
});

const laneWords = { owner: 'Owner', server: 'Server', risk: 'Risk' } as const;
const shownClumps = 3;

/** What ends when, over thirteen weeks, and what to do about it. Everything on it is in the address. */
export function ExpiryView({
  expiry,
  address,
  seesAll,
}: {
  expiry: Expiry;
  address: ExpiryAddress;
  seesAll: boolean;
}) {
  const router = useRouter();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const { today, days, list } = expiry;
  const by = (address.by ?? 'owner') as keyof typeof laneWords;
  const counts = sumDays(expiry.lanes, days);
  const clumps = clumpsOf(counts);
  const weekends = onWeekends(today, counts);
  const hrefOf = (change: ExpiryAddress) => expiryHref(address, change);
  const rangeHref = (first: number, last: number) =>
    hrefOf({ from: dateOf(today, first), to: dateOf(today, last) });
  const range =
    address.from || address.to
      ? {
          from: address.from ? dayOf(today, address.from) : 0,
          to: address.to ? dayOf(today, address.to) : days - 1,
        }
      : null;
  const applied = appliedFilters(expiry, address, hrefOf);
  const sort: DataSort = {
    column: address.sort?.endsWith('agent') ? 'agent' : 'ends',
    direction: address.sort?.startsWith('-') ? 'descending' : 'ascending',
  };
  const picked = list.items.filter(({ bindingId }) => chosen.has(bindingId));
  const nothing = expiry.total === 0 && expiry.later === 0 && applied.length === 0;

  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['agents', 'revocations']} />
      <PageHeader
        title="Expiry"
        description={`Approvals that end in the next ${days / 7} weeks${seesAll ? '' : ', yours and your team’s'}. Every approval has an end; what is still needed is asked for again before it.`}
      />
      {nothing ? (
        <EmptyState icon={CalendarClock} title="Nothing ends">
          No agent holds an approval. When one does, this page shows when it ends.
        </EmptyState>
      ) : (
        <>
          <LinkTabs
            label="Lanes"
            current={by}
            tabs={Object.entries(laneWords).map(([value, label]) => ({
              value,
              label: `By ${label.toLowerCase()}`,
              href: hrefOf({ by: value === 'owner' ? '' : value }),
            }))}
          />
          <section
            aria-label="Timeline"
            className="grid gap-3 rounded-lg border border-line bg-surface px-4 py-3"
          >
            <Flags
              today={today}
              clumps={clumps}
              weekends={weekends}
              later={expiry.later}
              rangeHref={rangeHref}
              laterHref={hrefOf({ from: dateOf(today, days), to: dateOf(today, days + 3_650) })}
            />
            {expiry.total > 0 ? (
              <ExpiryChart
                // Another filter is another chart, with its own place for the Tab key.
                key={`${by} ${address.ownerId} ${address.serverId} ${address.risk}`}
                expiry={expiry}
                clumped={new Set(clumps.map(({ day }) => day))}
                laneWord={laneWords[by]}
                range={range}
                rangeHref={rangeHref}
                laneHref={(value) =>
                  hrefOf(
                    by === 'owner'
                      ? { ownerId: value }
                      : by === 'server'
                        ? { serverId: value }
                        : { risk: value },
                  )
                }
              />
            ) : (
              <p className="py-4 text-center text-fg-2 text-sm">Nothing ends in these weeks.</p>
            )}
            <DayRangeForm
              key={`${address.from} ${address.to}`}
              clearLabel="All weeks"
              from={address.from ?? ''}
              to={address.to ?? ''}
              onRange={(next) => router.replace(hrefOf(next), { scroll: false })}
            />
          </section>
          <div className="grid min-w-0 gap-3">
            {applied.length > 0 && (
              <FilterBar applied={applied} clearHref={expiryHref({ by: address.by ?? '' })} />
            )}
            {picked.length > 0 && <Chosen approvals={picked} onClear={() => setChosen(new Set())} />}
            <DataTable
              label="Approvals that end"
              rows={list.items}
              columns={columns}
              rowKey={({ bindingId }) => bindingId}
              rowHref={({ agent }) => `/agents/${agent.id}`}
              rowLabel={({ agent, server }) => `${agent.name} on ${server.name}`}
              sort={sort}
              onSortChange={({ column, direction }) => {
                const value = `${direction === 'descending' ? '-' : ''}${column}`;
                router.replace(hrefOf({ sort: value === 'ends' ? '' : value }), { scroll: false });
              }}
              selection={chosen}
              onSelectionChange={setChosen}
              empty={<EmptyByFilter noun="approvals" clearHref={expiryHref({ by: address.by ?? '' })} />}
            />
            <Pagination
              previousHref={address.cursor ? hrefOf({}) : null}
              nextHref={list.nextCursor ? hrefOf({ cursor: list.nextCursor }) : null}
              summary={
                list.total > 0
                  ? `${list.total.toLocaleString('en')} ${list.total === 1 ? 'approval' : 'approvals'} of ${list.agents.toLocaleString('en')} ${list.agents === 1 ? 'agent' : 'agents'}`
                  : null
              }
            />
          </div>
          <AtTheEnd />
        </>
      )}
    </div>
  );
}

const columns: DataColumn<EndingApproval>[] = [
  {
    id: 'agent',
    header: 'Agent',
    sortable: true,
    cell: ({ agent }) => <UntrustedText text={agent.name} />,
  },
  {
    id: 'ends',
    header: 'Ends',
    sortable: true,
    cell: ({ endsAt }) => <EndsAt endsAt={endsAt} />,
    width: '11rem',
  },
  {
    id: 'why',
    header: 'Because',
    cell: ({ neverUsed, agent }) =>
      agent.state === 'suspended' ? (
        <StatePill state="suspended" plain />
      ) : neverUsed ? (
        <Badge tone="neutral" plain>
          never used
        </Badge>
      ) : (
        <span className="text-fg-2">its time is up</span>
      ),
    width: '8rem',
    hideBelow: 'lg',
  },
  {
    id: 'server',
    header: 'Server',
    cell: ({ server, toolCount }) => (
      <span title={server.name}>
        {server.name} <span className="text-fg-3">· {toolCount}</span>
        <span className="sr-only"> {toolCount === 1 ? 'tool' : 'tools'}</span>
      </span>
    ),
    width: '11rem',
    hideBelow: 'md',
  },
  {
    id: 'owner',
    header: 'Owner',
    cell: ({ owner }) => <UntrustedText text={owner.name} />,
    width: '9rem',
    hideBelow: 'md',
  },
  {
    id: 'risk',
    header: 'Risk',
    cell: ({ risk }) => <RiskMark risk={risk} plain />,
    width: '6rem',
    hideBelow: 'lg',
  },
];

function EndsAt({ endsAt }: { endsAt: string }) {
  const soon = Date.parse(endsAt) - useNowEvery(60) * 1000 < 24 * 3_600_000;
  return (
    <span className="whitespace-nowrap">
      <RelativeTime at={endsAt} className={soon ? 'font-medium text-warning' : undefined} />
      <span className="text-fg-3 text-xs"> · {endsAt.slice(5, 10)}</span>
    </span>
  );
}

function Flags({
  today,
  clumps,
  weekends,
  later,
  rangeHref,
  laterHref,
}: {
  today: string;
  clumps: readonly { day: number; count: number }[];
  weekends: number;
  later: number;
  rangeHref: (first: number, last: number) => string;
  laterHref: string;
}) {
  if (clumps.length === 0 && weekends === 0 && later === 0) return null;
  return (
    <ul className="flex flex-wrap gap-x-5 gap-y-1 text-sm">
      {clumps.slice(0, shownClumps).map(({ day, count }) => (
        <li key={day} className="flex items-center gap-1.5">
          <TriangleAlert aria-hidden className="size-3.5 shrink-0 text-warning" />
          <TextLink href={rangeHref(day, day)} scroll={false} className="inline-block min-h-6 leading-6">
            {count} end on {sayDay(today, day)}
          </TextLink>
        </li>
      ))}
      {weekends > 0 && (
        <li className="flex min-h-6 items-center text-fg-2">
          {weekends.toLocaleString('en')} {weekends === 1 ? 'ends' : 'end'} on a weekend
        </li>
      )}
      {later > 0 && (
        <li className="flex items-center">
          <TextLink href={laterHref} scroll={false} className="inline-block min-h-6 leading-6">
            {later.toLocaleString('en')} later
          </TextLink>
        </li>
      )}
    </ul>
  );
}

function Chosen({ approvals, onClear }: { approvals: readonly EndingApproval[]; onClear: () => void }) {
  const [asked, setAsked] = useState(false);
  const [asking, setAsking] = useState(false);
  const first = approvals.reduce((a, b) => (a.endsAt <= b.endsAt ? a : b));
  const agents = [...new Map(approvals.map((each) => [each.agent.id, each])).values()];
  return (
    <div
      role="status"
      className="no-print flex flex-wrap items-center gap-x-4 gap-y-2 rounded-lg border border-violet-line bg-violet-bg px-4 py-2 text-sm"
    >
      <span className="min-w-0 flex-1 basis-56">
        <span className="font-medium">{approvals.length} chosen.</span> Left alone{' '}
        {approvals.length === 1 ? 'it ends' : 'they end'} by{' '}
        {approvals.length === 1 ? 'itself' : 'themselves'}, the first <RelativeTime at={first.endsAt} />.
      </span>
      <Button
        aria-haspopup="dialog"
        onClick={() => {
          setAsked(true);
          setAsking(true);
        }}
      >
        Ask for more time
      </Button>
      {asked && <AskForTime approvals={agents} open={asking} onOpenChange={setAsking} />}
      <Button variant="ghost" onClick={onClear}>
        Clear
      </Button>
    </div>
  );
}

function AtTheEnd() {
  return (
    <Card
      id="at-the-end"
      title={
        <span className="inline-flex items-center gap-2">
          <CalendarX2 aria-hidden className="size-4 text-fg-3" />
          What happens at the end
        </span>
      }
    >
      <ul className="grid max-w-[80ch] list-disc gap-1.5 pl-5 text-sm">
        <li>
          From that second on, refreshing is refused, no token is issued, and guards refuse every call to that
          server. No token outlives its approval.
        </li>
        <li>
          When the last approval of an agent ends, the agent is expired for good. A new one has to be
          requested.
        </li>
        <li>
          An approval that nobody used ends a week after the decision. The first use starts the time that was
          granted.
        </li>
        <li>
          No message goes out before the end. Owners see what ends within 24 hours and 14 days on Home;
          approvers, auditors and admins see everybody’s.
        </li>
      </ul>
    </Card>
  );
}

function appliedFilters(
  { lanes, list, today, days }: Expiry,
  address: ExpiryAddress,
  hrefOf: (change: ExpiryAddress) => string,
): { label: string; removeHref: string }[] {
  const { from, to, ownerId, serverId, risk } = address;
  const [item] = list.items;
  const laneName = (value: string) => lanes.find((lane) => lane.value === value)?.label;
  const isLater = from === dateOf(today, days);
  return [
    (from || to) && {
      label: isLater
        ? 'Later than these weeks'
        : from === to
          ? sayDay(today, dayOf(today, from as string))
          : `${from ? sayDay(today, dayOf(today, from)) : 'Today'} to ${to ? sayDay(today, dayOf(today, to)) : 'the last week'}`,
      removeHref: hrefOf({ from: '', to: '' }),
    },
    ownerId && {
      label: `Owner ${laneName(ownerId) ?? item?.owner.name ?? ownerId}`,
      removeHref: hrefOf({ ownerId: '' }),
    },
    serverId && {
      label: `Server ${laneName(serverId) ?? item?.server.name ?? serverId}`,
      removeHref: hrefOf({ serverId: '' }),
    },
    risk && { label: `Risk ${risk}`, removeHref: hrefOf({ risk: '' }) },
  ].filter((filter) => typeof filter === 'object');
}
