import { Link2, ShieldAlert, ShieldCheck, TriangleAlert } from 'lucide-react';
import type { ComponentProps, ReactNode } from 'react';
import { CopyableId, DigestChip } from '#components/console/copyable-id.tsx';
import { DiffLine, DiffList } from '#components/console/diff-line.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { ExactTime } from '#components/console/relative-time.tsx';
import { Timeline } from '#components/console/timeline.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { CopyButton } from '#components/ui/copy-button.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { TextLink as PlainTextLink } from '#components/ui/link-button.tsx';
import type { EventDetail, LinkedEvent } from '#lib/audit/read-event.ts';
import { auditHref } from './address.ts';
import { actorText, eventSentence, subjectHref } from './event-words.ts';

/** One event: who, what, why, what changed, what led to it and what followed, and that it is in the log. */
export function EventView({ detail, permalink }: { detail: EventDetail; permalink: string }) {
  const { record, names, inclusion, ancestors, children, withheld } = detail;
  const text = (column: string) => {
    const value = record[column];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const kind = text('kind') ?? '';
  const about = subjectHref(text('subject_kind') ?? '', text('subject_id') ?? '');
  const data = record.data as Record<string, unknown>;
  const id = text('id') ?? '';
  return (
    <div className="grid gap-4">
      {inclusion.status === 'waiting' && <LiveRefresh topics={['audit']} />}
      <PageHeader
        crumbs={[{ label: 'Audit', href: '/audit' }]}
        title={eventSentence(kind)}
        state={
          text('outcome') === 'refused' ? (
            <Badge tone="danger" icon={<TriangleAlert aria-hidden />}>
              Refused
            </Badge>
          ) : undefined
        }
        meta={
          <>
            <ExactTime at={text('at') ?? ''} milliseconds />
            <code>{kind}</code>
            <CopyableId id={id} label="event id" />
            <span className="inline-flex items-center gap-1">
              <Link2 aria-hidden className="size-3.5" />
              Permalink
              <CopyButton text={permalink} label="Copy permalink" />
            </span>
          </>
        }
      />
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <div className="grid min-w-0 gap-4">
          <Card title="What happened" id="what">
            <DescriptionList
              items={[
                {
                  term: 'By',
                  value: (
                    <>
                      <UntrustedText
                        text={actorText({
                          actorKind: text('actor_kind') ?? '',
                          actorName: text('actor_name') ?? '',
                          actorId: text('actor_id'),
                        })}
                      />
                      <span className="text-fg-3"> · {text('actor_kind')}</span>
                    </>
                  ),
                  hint: text('actor_id') && (
                    <TextLink href={auditHref({ actor: [text('actor_id') ?? ''] })}>
                      Everything by them
                    </TextLink>
                  ),
                },
                {
                  term: 'About',
                  value: (
                    <>
                      <span className="text-fg-2">{text('subject_kind')} </span>
                      {about ? (
                        <TextLink href={about}>
                          <code className="break-all text-xs">{text('subject_id')}</code>
                        </TextLink>
                      ) : (
                        <code className="break-all text-xs">{text('subject_id')}</code>
                      )}
                    </>
                  ),
                  hint: (
                    <TextLink href={auditHref({ subject: [text('subject_id') ?? ''] })}>
                      Everything about it
                    </TextLink>
                  ),
                },
                text('reason') && {
                  term: 'Reason',
                  value: <UntrustedText text={text('reason') ?? ''} multiline />,
                },
                text('agent_id') && {
                  term: 'Agent',
                  value: named(names.agent, text('agent_id'), subjectHref('agent', text('agent_id') ?? '')),
                  hint: (
                    <TextLink href={auditHref({ agent: [text('agent_id') ?? ''] })}>
                      Its whole history
                    </TextLink>
                  ),
                },
                text('client_id') && {
                  term: 'Client',
                  value: named(
                    names.client,
                    text('client_id'),
                    subjectHref('client', text('client_id') ?? ''),
                  ),
                },
                text('server_id') && {
                  term: 'Server',
                  value: named(
                    names.server,
                    text('server_id'),
                    subjectHref('MCP server', text('server_id') ?? ''),
                  ),
                },
                text('tool') && {
                  term: 'Tool',
                  value: <UntrustedText text={text('tool') ?? ''} className="font-mono text-xs" />,
                },
                text('request_ref') && {
                  term: 'Request',
                  value: named(
                    names.request,
                    text('request_ref'),
                    subjectHref('registration request', text('request_ref') ?? ''),
                  ),
                },
                text('address') && {
                  term: 'Address',
                  value: <code className="text-xs">{text('address')}</code>,
                },
                text('session_id') && {
                  term: 'Session',
                  value: <CopyableId id={text('session_id') ?? ''} />,
                },
                { term: 'Request id', value: <CopyableId id={text('trace_id') ?? ''} label="request id" /> },
              ].filter((item) => item !== null && item !== '')}
            />
          </Card>
          <Changes before={record.before} after={record.after} />
          {Object.keys(data ?? {}).length > 0 && (
            <Card title="Facts" id="facts">
              <DescriptionList
                items={Object.entries(data).map(([name, value]) => ({
                  term: spaced(name),
                  key: name,
                  value: <Value value={value} />,
                }))}
              />
            </Card>
          )}
          <CodeBlock
            label="Record as JSON"
            caption={withheld.length > 0 ? `Record, without ${withheld.join(' and ')}` : 'Record'}
            code={JSON.stringify(record, null, 2)}
            maxHeight="28rem"
          />
        </div>
        <div className="grid min-w-0 gap-4">
          <Card title="In the log" id="log">
            <DescriptionList
              items={[
                { term: 'Status', value: <InclusionMark inclusion={inclusion} /> },
                inclusion.status !== 'waiting' && {
                  term: 'Position',
                  value: inclusion.index.toLocaleString('en'),
                  hint:
                    inclusion.status === 'included'
                      ? `Proved against the head signed over ${inclusion.size.toLocaleString('en')} events.`
                      : undefined,
                },
                { term: 'Digest', value: <DigestChip digest={text('digest') ?? ''} /> },
              ]}
            />
          </Card>
          <Card title="What led to it" id="before">
            {ancestors.length > 0 ? (
              <Chain label="What led to it" events={ancestors} />
            ) : (
              <p className="text-fg-3 text-sm">Nothing recorded: it stands at the beginning.</p>
            )}
          </Card>
          <Card title="What followed from it" id="after">
            {children.length > 0 ? (
              <Chain label="What followed from it" events={children} />
            ) : (
              <p className="text-fg-3 text-sm">Nothing so far.</p>
            )}
          </Card>
        </div>
      </div>
    </div>
  );
}

/** Links stand below each other here: each keeps a target of 24 px. */
function TextLink(props: ComponentProps<typeof PlainTextLink>) {
  return <PlainTextLink {...props} className="inline-flex min-h-6 max-w-full items-center" />;
}

function named(name: string | null, id: string | null, href: string | null): ReactNode {
  const shown = name ? <UntrustedText text={name} /> : <code className="break-all text-xs">{id}</code>;
  return href ? <TextLink href={href}>{shown}</TextLink> : shown;
}

function InclusionMark({ inclusion }: { inclusion: EventDetail['inclusion'] }) {
  if (inclusion.status === 'waiting') return <Badge>Being ordered</Badge>;
  if (inclusion.status === 'broken') {
    return (
      <div className="grid gap-1">
        <Badge tone="danger" icon={<ShieldAlert aria-hidden />}>
          Does not verify
        </Badge>
        <span className="text-danger text-xs">{inclusion.problem}</span>
      </div>
    );
  }
  return (
    <Badge tone="success" icon={<ShieldCheck aria-hidden />}>
      Included, proof checked
    </Badge>
  );
}

function Chain({ label, events }: { label: string; events: ReadonlyArray<LinkedEvent> }) {
  return (
    <Timeline
      label={label}
      items={events.map((event) => ({
        key: event.id,
        tone: event.outcome === 'refused' ? 'danger' : 'neutral',
        title: <TextLink href={`/audit/${event.id}`}>{eventSentence(event.kind)}</TextLink>,
        time: <ExactTime at={event.at} />,
        body: event.actorName ? (
          <UntrustedText text={event.actorName} className="text-fg-3 text-xs" />
        ) : undefined,
      }))}
    />
  );
}

/** Before and after, member by member. */
function Changes({ before, after }: { before: unknown; after: unknown }) {
  const was = members(before);
  const is = members(after);
  const changed = [...new Set([...Object.keys(was), ...Object.keys(is)])].filter(
    (name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]),
  );
  if (changed.length === 0) return null;
  return (
    <Card title="What changed" id="changes" flush>
      <DiffList label="What changed">
        {changed.map((name) => {
          const had = Object.hasOwn(was, name);
          const has = Object.hasOwn(is, name);
          return (
            <DiffLine
              key={name}
              kind={had && has ? 'changed' : has ? 'added' : 'removed'}
              what={spaced(name)}
              before={had ? <Value value={was[name]} /> : undefined}
              after={has ? <Value value={is[name]} /> : undefined}
            />
          );
        })}
      </DiffList>
    </Card>
  );
}

function members(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function Value({ value }: { value: unknown }) {
  if (value === null || value === undefined || value === '') return <span className="text-fg-3">none</span>;
  if (typeof value === 'boolean') return <span>{value ? 'yes' : 'no'}</span>;
  if (typeof value === 'string' || typeof value === 'number') return <UntrustedText text={String(value)} />;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) {
    return value.length === 0 ? (
      <span className="text-fg-3">none</span>
    ) : (
      <UntrustedText text={value.join(', ')} />
    );
  }
  return <UntrustedText text={JSON.stringify(value)} className="break-all font-mono text-xs" />;
}

/** `liveTokens` reads as "live tokens". */
function spaced(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
}
