'use client';

import { Webhook } from 'lucide-react';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { messageCatalogue } from '#lib/audit/messages.ts';
import type { WebhookFacts } from '#lib/jobs/webhooks.ts';
import { OutgoingTabs } from './outgoing-tabs.tsx';
import { type CreateWebhookAction, NewWebhook } from './webhook-form.tsx';

/** Whether a webhook is served now. */
export function webhookState(webhook: Pick<WebhookFacts, 'endedAt' | 'pausedAt' | 'failingSince'>) {
  if (webhook.endedAt) return 'removed';
  if (webhook.pausedAt) return 'paused';
  return webhook.failingSince ? 'failing' : 'active';
}

const columns: DataColumn<WebhookFacts>[] = [
  {
    id: 'name',
    header: 'Webhook',
    cell: (row) => row.name || new URL(row.url).host,
    sortValue: (row) => (row.name || row.url).toLowerCase(),
  },
  {
    id: 'state',
    header: 'State',
    cell: (row) => <StatePill state={webhookState(row)} plain />,
    sortValue: webhookState,
    width: '8rem',
  },
  {
    id: 'url',
    header: 'Address',
    cell: (row) => <code className="block truncate text-fg-2 text-xs">{row.url}</code>,
    width: '20rem',
    hideBelow: 'lg',
  },
  {
    id: 'kinds',
    header: 'Messages',
    cell: (row) => (row.kinds.length === 0 ? 'all' : `${row.kinds.length} of a kind`),
    width: '8rem',
    hideBelow: 'md',
  },
  {
    id: 'since',
    header: 'Added',
    cell: (row) => <RelativeTime at={row.createdAt} />,
    sortValue: (row) => row.createdAt.toISOString(),
    width: '8rem',
    hideBelow: 'md',
  },
];

/** Every webhook, and what one gets. */
export function WebhooksView({
  webhooks,
  mayEdit,
  create,
}: {
  webhooks: WebhookFacts[];
  mayEdit: boolean;
  create: CreateWebhookAction;
}) {
  const resting = webhooks.filter((webhook) => !webhook.endedAt && webhook.pauseCause === 'failing');
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['webhooks']} />
      <PageHeader
        crumbs={[{ label: 'Notifications', href: '/notifications' }]}
        title="Webhooks"
        description="Other systems that hear what people are told, signed after the Standard Webhooks specification."
        actions={mayEdit && <NewWebhook create={create} />}
      />
      <OutgoingTabs current="webhooks" />
      {resting.length > 0 && (
        <Callout
          tone="danger"
          title={
            resting.length === 1
              ? 'A webhook was paused: nothing arrived there for days'
              : `${resting.length} webhooks were paused: nothing arrived there for days`
          }
        >
          {resting.map((webhook, index) => (
            <span key={webhook.id}>
              {index > 0 && ', '}
              <TextLink href={`/notifications/webhooks/${webhook.id}`}>
                {webhook.name || new URL(webhook.url).host}
              </TextLink>
            </span>
          ))}
          . What is written since waits for {resting.length === 1 ? 'it' : 'them'}.
        </Callout>
      )}
      <DataTable
        label="Webhooks"
        rows={webhooks}
        columns={columns}
        rowKey={(row) => row.id}
        rowHref={(row) => `/notifications/webhooks/${row.id}`}
        empty={
          <EmptyState icon={Webhook} title="No webhook yet">
            A chat or a pager can hear of approvals, stops and findings the moment they happen.
          </EmptyState>
        }
      />
      <Card id="shape" title="What one gets">
        <div className="grid gap-4 text-sm">
          <p className="max-w-[72ch] text-fg-2">
            A POST with <code className="text-xs">webhook-id</code>,{' '}
            <code className="text-xs">webhook-timestamp</code> and{' '}
            <code className="text-xs">webhook-signature</code>. Any status from 200 to 299 counts as arrived,
            410 ends the message, everything else is tried again for about eighteen hours. The id stays the
            same however often it is sent, so keep it to tell repetitions.
          </p>
          <CodeBlock
            label="Body"
            caption="Every message has this shape"
            code={
              '{\n  "type": "request.approve",\n  "timestamp": "2026-03-02T09:00:00.000Z",\n  "data": {\n    "title": "CS-12 was approved",\n    "body": "What happened and what to do next, in plain sentences.",\n    "url": "https://console.example.com/requests/req_…"\n  }\n}'
            }
          />
          <details>
            <summary className="min-h-6 rounded-xs text-fg-2">
              All {Object.keys(messageCatalogue).length} types
            </summary>
            <dl className="grid gap-x-6 gap-y-1.5 pt-2 sm:grid-cols-[14rem_minmax(0,1fr)]">
              {Object.entries(messageCatalogue).map(([kind, says]) => (
                <div key={kind} className="contents">
                  <dt className="font-mono text-xs leading-5">{kind}</dt>
                  <dd className="text-fg-2">{says}</dd>
                </div>
              ))}
            </dl>
          </details>
        </div>
      </Card>
    </div>
  );
}
