'use client';

import { ScrollText } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { DayRangeForm } from '#components/console/day-range-form.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { ExactTime } from '#components/console/relative-time.tsx';
import { StatePill, stateWord } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Card } from '#components/ui/card.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { Table, TableCell, TableHeader, TableRow } from '#components/ui/table.tsx';
import type { AgentTimeline } from '#lib/agents/read-timeline.ts';
import { LifelineChart } from './lifeline-chart.tsx';

/** An agent's whole life on one page: as a picture and as tables that say the same, each line a link to its record. */
export function LifelineView({ timeline, from, to }: { timeline: AgentTimeline; from: string; to: string }) {
  const router = useRouter();
  const { agent, life } = timeline;
  const here = `/agents/${agent.id}/lifeline`;
  const audit = `/audit?agent=${agent.id}${from ? `&from=${from}` : ''}${to ? `&to=${encodeURIComponent(timeline.to)}` : ''}`;
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['agents', 'revocations', 'requests']} />
      <PageHeader
        title="Lifeline"
        crumbs={[
          { label: 'Agents', href: '/agents' },
          { label: 'Agent', href: `/agents/${agent.id}` },
        ]}
        state={<StatePill state={agent.state} />}
        meta={
          <>
            <span className="font-medium text-fg">
              <UntrustedText text={agent.name} />
            </span>
            <span>
              asked for <ExactTime at={life.from} />
            </span>
            <span>
              {life.over ? (
                <>
                  {agent.state} for good <ExactTime at={life.to} />
                </>
              ) : (
                'goes on'
              )}
            </span>
          </>
        }
        actions={
          <LinkButton href={audit} icon={<ScrollText aria-hidden />}>
            All events
          </LinkButton>
        }
      />
      <Card id="chart" title="Over time" description="Times are UTC.">
        <div className="grid gap-4">
          <LifelineChart timeline={timeline} />
          <DayRangeForm
            key={`${from} ${to}`}
            from={from}
            to={to}
            clearLabel="Whole life"
            onRange={(range) => {
              const parameters = new URLSearchParams();
              if (range.from) parameters.set('from', range.from);
              if (range.to) parameters.set('to', range.to);
              router.replace(parameters.size > 0 ? `${here}?${parameters}` : here, { scroll: false });
            }}
          />
        </div>
      </Card>
      <Held timeline={timeline} />
      <div className="grid items-start gap-4 xl:grid-cols-2">
        <States timeline={timeline} />
        <Requests timeline={timeline} />
      </div>
      <Minted timeline={timeline} />
      <Events timeline={timeline} auditHref={audit} />
    </div>
  );
}

const none = 'p-4 text-fg-2 text-sm';

function Held({ timeline }: { timeline: AgentTimeline }) {
  return (
    <Card flush id="held" title="What it held">
      {timeline.bindings.length === 0 ? (
        <p className={none}>No tool was ever bound to it.</p>
      ) : (
        <Table label="What it held">
          <thead>
            <tr>
              <TableHeader>Server and tools</TableHeader>
              <TableHeader>From</TableHeader>
              <TableHeader>Until</TableHeader>
              <TableHeader>By</TableHeader>
            </tr>
          </thead>
          <tbody>
            {timeline.bindings.map((binding) => (
              <TableRow key={binding.id}>
                <TableCell>
                  <UntrustedText text={binding.server} />
                  <div className="text-fg-2 text-xs">
                    {binding.tools.map((tool, index) => (
                      <span key={tool} className="font-mono">
                        {index > 0 && ', '}
                        <UntrustedText text={tool} />
                      </span>
                    ))}
                  </div>
                </TableCell>
                <TableCell>
                  <ExactTime at={binding.from} />
                </TableCell>
                <TableCell>
                  {binding.to ? <ExactTime at={binding.to} /> : 'no clock runs yet'}
                  <div className="text-fg-3 text-xs">{binding.endCause ?? 'in force'}</div>
                </TableCell>
                <TableCell>
                  <TextLink href={`/requests/${binding.requestId}`}>
                    {binding.requestLabel || 'Request'}
                  </TextLink>
                </TableCell>
              </TableRow>
            ))}
          </tbody>
        </Table>
      )}
    </Card>
  );
}

function States({ timeline }: { timeline: AgentTimeline }) {
  return (
    <Card flush id="states" title="States">
      <Table label="States">
        <thead>
          <tr>
            <TableHeader>State</TableHeader>
            <TableHeader>From</TableHeader>
            <TableHeader>Until</TableHeader>
          </tr>
        </thead>
        <tbody>
          {timeline.states.map((span) => (
            <TableRow key={`${span.state} ${span.from}`}>
              <TableCell>
                {span.eventId ? (
                  <TextLink href={`/audit/${span.eventId}`}>{stateWord(span.state)}</TextLink>
                ) : (
                  stateWord(span.state)
                )}
              </TableCell>
              <TableCell>
                <ExactTime at={span.from} />
              </TableCell>
              <TableCell>
                {span.to ? <ExactTime at={span.to} /> : timeline.life.over ? 'for good' : 'now'}
              </TableCell>
            </TableRow>
          ))}
        </tbody>
      </Table>
    </Card>
  );
}

function Requests({ timeline }: { timeline: AgentTimeline }) {
  return (
    <Card flush id="requests" title="Requests">
      {timeline.requests.length === 0 ? (
        <p className={none}>None.</p>
      ) : (
        <Table label="Requests">
          <thead>
            <tr>
              <TableHeader>Request</TableHeader>
              <TableHeader>Submitted</TableHeader>
              <TableHeader>Decided</TableHeader>
            </tr>
          </thead>
          <tbody>
            {timeline.requests.map((request) => (
              <TableRow key={request.id}>
                <TableCell>
                  <TextLink href={`/requests/${request.id}`}>{request.label}</TextLink>{' '}
                  <span className="text-fg-3 text-xs">{request.kind}</span>
                </TableCell>
                <TableCell>{request.submittedAt ? <ExactTime at={request.submittedAt} /> : '–'}</TableCell>
                <TableCell>
                  {request.decidedAt ? <ExactTime at={request.decidedAt} /> : '–'}
                  <div>
                    <StatePill state={request.state} plain />
                  </div>
                </TableCell>
              </TableRow>
            ))}
          </tbody>
        </Table>
      )}
    </Card>
  );
}

function Minted({ timeline }: { timeline: AgentTimeline }) {
  const total = timeline.minted.reduce((sum, { count }) => sum + count, 0);
  return (
    <Card flush id="minted" title="Credentials minted">
      {total === 0 ? (
        <p className={none}>None in these days.</p>
      ) : (
        <details>
          <summary className="min-h-11 px-4 py-3 text-sm hover:bg-hover">
            {total.toLocaleString('en')} on {timeline.minted.length}{' '}
            {timeline.minted.length === 1 ? 'day' : 'days'}
          </summary>
          <Table label="Credentials minted by day">
            <thead>
              <tr>
                <TableHeader>Day, UTC</TableHeader>
                <TableHeader>Minted</TableHeader>
              </tr>
            </thead>
            <tbody>
              {timeline.minted.map(({ date, count }) => (
                <TableRow key={date}>
                  <TableCell>{date}</TableCell>
                  <TableCell>{count.toLocaleString('en')}</TableCell>
                </TableRow>
              ))}
            </tbody>
          </Table>
        </details>
      )}
    </Card>
  );
}

function Events({ timeline, auditHref }: { timeline: AgentTimeline; auditHref: string }) {
  return (
    <Card
      flush
      id="events"
      title="What happened"
      description="Newest first. Alike ones in a row are told once."
      footer={
        timeline.more ? (
          <>
            More happened than fits here. <TextLink href={auditHref}>All events</TextLink>
          </>
        ) : undefined
      }
    >
      {timeline.entries.length === 0 ? (
        <p className={none}>Nothing in these days.</p>
      ) : (
        <Table label="What happened">
          <thead>
            <tr>
              <TableHeader>When</TableHeader>
              <TableHeader>What</TableHeader>
              <TableHeader>Who</TableHeader>
              <TableHeader>Why</TableHeader>
            </tr>
          </thead>
          <tbody>
            {timeline.entries.map((entry) => (
              <TableRow key={entry.eventId}>
                <TableCell>
                  <ExactTime at={entry.at} />
                  {entry.count > 1 && (
                    <div className="text-fg-3 text-xs">
                      since <ExactTime at={entry.since} />
                    </div>
                  )}
                </TableCell>
                <TableCell>
                  <TextLink href={`/audit/${entry.eventId}`} className="inline-block min-h-6 leading-6">
                    {entry.says}
                  </TextLink>{' '}
                  {entry.count > 1 && <Badge>{entry.count} times</Badge>}
                  {entry.outcome === 'refused' && (
                    <Badge tone="danger" plain>
                      refused
                    </Badge>
                  )}
                  {(entry.server || entry.tools.length > 0) && (
                    <div className="text-fg-2 text-xs">
                      {entry.server && <>on {entry.server} </>}
                      {entry.tools.map((tool, index) => (
                        <span key={tool} className="font-mono">
                          {index > 0 && ', '}
                          <UntrustedText text={tool} />
                        </span>
                      ))}
                    </div>
                  )}
                </TableCell>
                <TableCell>
                  <UntrustedText text={entry.actor} />
                </TableCell>
                <TableCell>
                  {entry.reason && <UntrustedText text={entry.reason} />}
                  {entry.requestId && (
                    <div>
                      <TextLink
                        href={`/requests/${entry.requestId}`}
                        className="inline-block min-h-6 text-xs leading-6"
                      >
                        Request
                      </TextLink>
                    </div>
                  )}
                  {entry.revocationId && (
                    <div>
                      <TextLink
                        href={`/revocations/${entry.revocationId}`}
                        className="inline-block min-h-6 text-xs leading-6"
                      >
                        Receipt
                      </TextLink>
                    </div>
                  )}
                </TableCell>
              </TableRow>
            ))}
          </tbody>
        </Table>
      )}
    </Card>
  );
}
