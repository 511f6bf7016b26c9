'use client';

import { type FormEvent, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { ExactTime } from '#components/console/relative-time.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { Dialog } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';

export type MessageRow = {
  id: string;
  channel: string;
  destination: string;
  kind: string;
  title: string;
  state: 'waiting' | 'delivered' | 'failed';
  attempts: number;
  createdAt: string;
  lastError: string | null;
};
export type WebhookRow = {
  id: string;
  url: string;
  kinds: string[];
  createdAt: string;
  endedAt: string | null;
};

type Actions = {
  createWebhook: Action<{ url: string; kinds?: never[] }, { webhookId: string; secret: string }>;
  endWebhook: Action<{ webhookId: string }, void>;
  replayDelivery: Action<{ messageId: string }, void>;
};

const looks = {
  waiting: { word: 'Waiting', tone: 'violet' },
  delivered: { word: 'Delivered', tone: 'success' },
  failed: { word: 'Failed', tone: 'danger' },
} as const;

/** What leaves the house: webhooks, and each mail and call with its fate. */
export function MessagesView({
  webhooks,
  messages,
  nextHref,
  firstHref,
  mayEdit,
  actions,
}: {
  webhooks: ReadonlyArray<WebhookRow>;
  messages: ReadonlyArray<MessageRow>;
  nextHref: string | null;
  firstHref: string | null;
  mayEdit: boolean;
  actions: Actions;
}) {
  const replay = useAction(actions.replayDelivery);
  const columns: DataColumn<MessageRow>[] = [
    { id: 'title', header: 'Message', cell: (row) => <UntrustedText text={row.title} /> },
    {
      id: 'state',
      header: 'State',
      width: '11rem',
      cell: (row) => (
        <span className="inline-flex items-center gap-2">
          <Badge tone={looks[row.state].tone}>{looks[row.state].word}</Badge>
          {row.attempts > 1 && <span className="text-fg-3 text-xs">{row.attempts} tries</span>}
        </span>
      ),
    },
    {
      id: 'to',
      header: 'To',
      width: '14rem',
      cell: (row) => (
        <UntrustedText
          text={
            row.channel === 'mail'
              ? row.destination
              : (webhooks.find((webhook) => webhook.id === row.destination)?.url ?? row.destination)
          }
          className="block truncate"
        />
      ),
    },
    {
      id: 'problem',
      header: 'Problem',
      width: '14rem',
      hideBelow: 'lg',
      cell: (row) =>
        row.lastError ? (
          <UntrustedText text={row.lastError} className="text-danger text-xs" />
        ) : (
          <span className="text-fg-3">–</span>
        ),
    },
    {
      id: 'at',
      header: 'Written',
      width: '12.5rem',
      hideBelow: 'md',
      cell: (row) => <ExactTime at={row.createdAt} />,
    },
    ...(mayEdit
      ? [
          {
            id: 'again',
            header: 'Send again',
            hideHeader: true,
            width: '7.5rem',
            cell: (row: MessageRow) =>
              row.state === 'waiting' ? null : (
                <Button
                  size="sm"
                  variant="ghost"
                  pending={replay.pending}
                  onClick={() => replay.run({ messageId: row.id })}
                >
                  Send again
                </Button>
              ),
          },
        ]
      : []),
  ];
  return (
    <div className="grid gap-4">
      <PageHeader
        crumbs={[{ label: 'Notifications', href: '/notifications' }]}
        title="Outgoing messages"
        description="Mails and webhook calls. Failed deliveries are repeated with growing pauses for about eight hours; without a mail server, mails wait here."
      />
      <ActionProblemNote problem={replay.problem} />
      <Card
        title="Webhooks"
        description="Called with a signature after the Standard Webhooks specification; addresses of private networks are not reached."
        flush
        actions={mayEdit && <NewWebhook createWebhook={actions.createWebhook} />}
      >
        {webhooks.length === 0 ? (
          <p className="px-4 py-6 text-center text-fg-3 text-sm">No webhook yet.</p>
        ) : (
          <ul className="grid">
            {webhooks.map((webhook) => (
              <li
                key={webhook.id}
                className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 border-line border-b px-4 py-2 last:border-b-0"
              >
                <div className="min-w-0">
                  <code className="break-all text-xs">{webhook.url}</code>
                  <div className="text-fg-3 text-xs">
                    {webhook.kinds.length === 0 ? 'All messages' : webhook.kinds.join(', ')} · since{' '}
                    <ExactTime at={webhook.createdAt} />
                  </div>
                </div>
                {webhook.endedAt ? (
                  <Badge>Removed</Badge>
                ) : (
                  mayEdit && <EndWebhook webhook={webhook} endWebhook={actions.endWebhook} />
                )}
              </li>
            ))}
          </ul>
        )}
      </Card>
      <DataTable
        label="Outgoing messages"
        rows={messages}
        columns={columns}
        rowKey={(row) => row.id}
        empty={
          <EmptyState title="Nothing was sent yet">
            A message is written whenever somebody is told something.
          </EmptyState>
        }
      />
      <Pagination previousHref={firstHref} nextHref={nextHref} />
    </div>
  );
}

function NewWebhook({ createWebhook }: { createWebhook: Actions['createWebhook'] }) {
  const [open, setOpen] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const { run, pending, problem, clear } = useAction(createWebhook);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const url = String(new FormData(event.currentTarget).get('url') ?? '').trim();
    run({ url }, (created) => setSecret(created.secret));
  };
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) {
          setSecret(null);
          clear();
        }
      }}
      trigger={
        <Button size="sm" variant="primary">
          Add webhook
        </Button>
      }
      title={secret ? 'Keep this secret' : 'Add webhook'}
    >
      {secret ? (
        <div className="grid gap-3">
          <Callout tone="warning" title="Shown once">
            The receiver verifies each call with it. It cannot be shown again.
          </Callout>
          <CodeBlock label="Webhook secret" code={secret} wrap />
        </div>
      ) : (
        <form className="grid gap-4" onSubmit={submit} noValidate>
          <ActionProblemNote problem={problem} labels={{ url: 'Address' }} />
          <Field
            name="url"
            label="Address"
            hint="An https address this installation can reach."
            error={issueFor(problem, 'url')}
            required
          >
            <Input name="url" type="url" mono placeholder="https://chat.example.com/hooks/countersign" />
          </Field>
          <div className="flex justify-end">
            <Button type="submit" variant="primary" pending={pending}>
              Add webhook
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

function EndWebhook({ webhook, endWebhook }: { webhook: WebhookRow; endWebhook: Actions['endWebhook'] }) {
  return (
    <ConfirmAction
      trigger={
        <Button size="sm" variant="ghost">
          Remove
          <span className="sr-only"> {webhook.url}</span>
        </Button>
      }
      title="Remove this webhook?"
      description="Nothing is sent to it from this moment on. Its deliveries stay listed."
      button="Remove webhook"
      action={endWebhook}
      input={() => ({ webhookId: webhook.id })}
    />
  );
}
