import type { ReactNode } from 'react';
import { formatDuration } from '#components/console/duration.ts';
import { Card } from '#components/ui/card.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { DecisionTimes } from '#lib/approvals/read-decision-times.ts';

/** How fast decisions were made in four weeks, and how: each number opens what it counts. */
export function Decisions({ times }: { times: DecisionTimes }) {
  const { decided, approved, narrowed, linked, medianSeconds } = times;
  const ways = approved + linked;
  return (
    <Card title="Decisions" id="decisions" description="Of the last four weeks">
      {decided === 0 && linked === 0 ? (
        <p className="text-fg-2 text-sm">Nothing was decided.</p>
      ) : (
        <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_auto]">
          <dl className="grid content-start gap-2 text-sm">
            <Fact term="Half were decided within">
              {medianSeconds === null
                ? '–'
                : medianSeconds === 0
                  ? 'a second'
                  : formatDuration(medianSeconds)}
            </Fact>
            <Fact term="Decided">
              <TextLink href="/requests?scope=all&decided=recently" className="tabular font-medium">
                {decided.toLocaleString('en')}
              </TextLink>
            </Fact>
            <Fact term="Granted less than asked">
              <TextLink href="/requests?scope=all&decided=narrowed" className="tabular font-medium">
                {narrowed.toLocaleString('en')}
              </TextLink>
              {approved > 0 && (
                <span className="text-fg-3"> · {percent(narrowed, approved)} of approvals</span>
              )}
            </Fact>
            <Fact term="Linked without a decision">
              <TextLink
                href={`/audit?kind=client.link&from=${encodeURIComponent(times.since)}`}
                className="tabular font-medium"
              >
                {linked.toLocaleString('en')}
              </TextLink>
              {ways > 0 && <span className="text-fg-3"> · {percent(linked, ways)} of all ways in</span>}
            </Fact>
          </dl>
          <Trend trend={times.trend} />
        </div>
      )}
    </Card>
  );
}

function Fact({ term, children }: { term: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap items-baseline justify-between gap-x-3">
      <dt className="text-fg-2">{term}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function percent(part: number, whole: number): string {
  return `${Math.round((part / whole) * 100)} %`;
}

/** Median of each of eight weeks; the same numbers as a table for who does not see it. */
function Trend({ trend }: { trend: DecisionTimes['trend'] }) {
  const highest = Math.max(1, ...trend.map(({ medianSeconds }) => medianSeconds ?? 0));
  return (
    <figure className="relative grid content-start gap-1 sm:w-36">
      <svg aria-hidden viewBox="0 0 80 40" preserveAspectRatio="none" className="h-12 w-full">
        {trend.map(({ medianSeconds }, index) => {
          const height = medianSeconds === null ? 0 : Math.max(3, (medianSeconds / highest) * 38);
          return (
            <rect
              // biome-ignore lint/suspicious/noArrayIndexKey: weeks keep their order
              key={index}
              x={index * 10 + 1}
              y={medianSeconds === null ? 39 : 40 - height}
              width={8}
              height={medianSeconds === null ? 1 : height}
              fill="currentColor"
              className={medianSeconds === null ? 'text-line-strong' : 'text-accent'}
            />
          );
        })}
      </svg>
      <figcaption aria-hidden className="text-2xs text-fg-3">
        Median by week, 8 weeks
      </figcaption>
      <div className="sr-only">
        <table>
          <caption>Median time to a decision by week, the oldest first</caption>
          <thead>
            <tr>
              <th scope="col">Weeks ago</th>
              <th scope="col">Median</th>
              <th scope="col">Decided</th>
            </tr>
          </thead>
          <tbody>
            {trend.map(({ medianSeconds, decided }, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: weeks keep their order
              <tr key={index}>
                <th scope="row">{trend.length - 1 - index}</th>
                <td>{medianSeconds === null ? 'none' : formatDuration(medianSeconds)}</td>
                <td>{decided}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
